//! `gannet get`: one URL, as curl fetches it.

use std::io;
use std::time::Duration;

use gannet::error::TlsFault;
use gannet::{Engine, Error, Response, Target};
use http::StatusCode;

use crate::args::GetArgs;
use crate::exit::{Exit, Failure, say};
use crate::options::{self, Template};
use crate::output::Sink;
use crate::signal::Interrupt;
use crate::verbose;

/// How long closing the connection may take.
const GOODBYE: Duration = Duration::from_millis(500);

/// Largest body unless told otherwise: one body in memory at a time may be large.
const MAX_BODY: u64 = 1 << 30;

pub(crate) async fn get(args: GetArgs) -> Result<Exit, Failure> {
    let interrupt = Interrupt::watch(|| ())?;
    let silent = args.shared.silent;
    let ended = tokio::select! {
        ended = exchange(args) => ended,
        () = interrupt.wait() => return Ok(Exit::Interrupted),
    };
    ended.map_err(|failure| {
        if silent {
            Failure::quiet(failure.exit)
        } else {
            failure
        }
    })
}

async fn exchange(args: GetArgs) -> Result<Exit, Failure> {
    let template = Template::new(&args.shared, args.head)?;
    let mut config = options::config(&args.shared)?;
    config.max_body = args.shared.max_size.unwrap_or(MAX_BODY);
    let target = Target::parse(&args.url).map_err(|error| plainly(&error, ""))?;
    let engine = Engine::builder()
        .config(config)
        .arbiters(1)
        .start()
        .map_err(Failure::start)?;
    let response = engine.fetch(template.request(target.clone())).await;
    // Nothing is left to finish; this only says goodbye to the server.
    engine.shutdown(GOODBYE).await;
    if args.verbose {
        let told = told(&template, &target, response.as_ref().ok());
        say(told.unwrap_or_default().trim_end());
    }
    let response = response.map_err(|error| failed(&error))?;
    let refused = args.fail && response.status.as_u16() >= 400;
    let status = response.status;
    let sink = args.shared.output.clone();
    let write = move || {
        let head = if args.include || args.head {
            head(&response)
        } else {
            Vec::new()
        };
        let body = if refused { &[][..] } else { &response.body };
        let sink = Sink::open(sink.as_deref())?;
        let name = sink.name.clone();
        match sink.write(&[&head, body]) {
            // Whoever read has read enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|error| Failure::output(name, &error)),
        }
    };
    // Not here, so that an interrupt is noticed while nobody reads.
    tokio::task::spawn_blocking(write)
        .await
        .map_err(Failure::start)??;
    if refused {
        let message = format!("http: the server answered {status}");
        return Err(Failure::new(Exit::Failed, message));
    }
    Ok(Exit::Done)
}

fn failed(error: &Error) -> Failure {
    let hint = match error {
        Error::Tls { fault, .. } if is_about_trust(fault) => {
            " (--cacert names whom to trust, -k trusts anyone)"
        }
        Error::Proxy {
            status: Some(StatusCode::PROXY_AUTHENTICATION_REQUIRED),
            ..
        } => " (-U names user and password)",
        Error::NoCommonProtocol { .. } => " (without --http2 or --http1.1 either will do)",
        Error::Blocked { .. } => " (--public-only is set)",
        Error::Redirect { .. } => " (--max-redirs and --location-downgrade allow more)",
        Error::TooLarge { .. } => " (--max-size allows more)",
        _ => "",
    };
    plainly(error, hint)
}

/// Whether trusting someone else would help.
fn is_about_trust(fault: &TlsFault) -> bool {
    matches!(
        fault,
        TlsFault::UnknownIssuer | TlsFault::WrongName | TlsFault::Expired | TlsFault::BadChain
    )
}

fn plainly(error: &Error, hint: &str) -> Failure {
    Failure::new(Exit::Failed, format!("{}: {error}{hint}", error.kind()))
}

fn told(
    template: &Template,
    target: &Target,
    response: Option<&Response>,
) -> Result<String, std::fmt::Error> {
    let protocol = response.map(|response| response.protocol);
    let request = verbose::request(template, target, protocol)?;
    let Some(response) = response else {
        return Ok(request);
    };
    let hops = &response.receipt.hops;
    let reached = hops.last().map_or(target, |hop| &hop.to);
    let connection = verbose::connection(response, reached)?;
    let before = verbose::retries(&response.receipt.retries)?;
    let answer = verbose::response(response)?;
    match hops.is_empty() {
        true => Ok(before + &connection + &request + &answer),
        // What is told of the way is told of the last part of it.
        false => Ok(request + &verbose::hops(hops)? + &before + &connection + &answer),
    }
}

/// The head as it would be in HTTP/1.1, which is what people expect to see.
fn head(response: &Response) -> Vec<u8> {
    let mut head = format!("{} {}\r\n", response.protocol, response.status.as_u16()).into_bytes();
    for (name, value) in &response.headers {
        for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(piece);
        }
    }
    head.extend_from_slice(b"\r\n");
    head
}
