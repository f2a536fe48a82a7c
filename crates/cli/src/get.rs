//! `gannet get`: one URL, as curl fetches it.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use gannet::error::TlsFault;
use gannet::response::Receipt;
use gannet::{Config, Engine, Error, OpenResponse, Request, Target};
use http::header::CONTENT_LENGTH;
use http::{Method, StatusCode};

use crate::args::{GetArgs, Shared};
use crate::exit::{Exit, Failure, is_standard, say};
use crate::metrics;
use crate::options::{self, Template};
use crate::pace::Pace;
use crate::progress::Transferred;
use crate::send;
use crate::signal::Interrupt;
use crate::transfer::{self, End};
use crate::verbose;
use crate::writeout::Transfer;

/// How long closing the connection may take.
const GOODBYE: Duration = Duration::from_millis(500);

pub(crate) async fn get(args: GetArgs) -> Result<Exit, Failure> {
    let silent = args.shared.silent;
    // As in curl.
    let limit_rate = args.limit_rate.filter(|rate| *rate > 0);
    let args = GetArgs { limit_rate, ..args };
    // What is to be sent may be long in coming, and nothing else is done until then: an interrupt ends
    // the program as if it were not watched for.
    let template = template(&args);
    let interrupt = Interrupt::watch(|| ())?;
    let ended = tokio::select! {
        ended = exchange(args, template) => ended,
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

async fn exchange(args: GetArgs, template: Result<Template, Failure>) -> Result<Exit, Failure> {
    let template = template?;
    let config = config(&args.shared)?;
    let target = target(&args)?;
    let request = request(&args, &template, &target);
    let engine = Engine::builder()
        .config(config)
        .arbiters(1)
        .start()
        .map_err(Failure::start)?;
    let shared = &args.shared;
    let (listen, per_origin) = (shared.metrics_listen, shared.metrics_per_origin);
    let _metrics = metrics::serve(listen, per_origin, shared.silent, &engine).await?;
    let ended = transfer(&engine, request, &args, &template, &target).await;
    // Nothing is left to finish; this only says goodbye to the server.
    engine.shutdown(GOODBYE).await;
    ended
}

/// One that bounds neither the time nor the size of all, unless told to.
fn config(shared: &Shared) -> Result<Config, Failure> {
    let mut config = options::config(shared)?;
    if shared.max_time.is_none() {
        // Each wait still has its own limit; how long all of it takes is for the user to say.
        config.deadline = Duration::MAX;
    }
    if shared.max_size.is_none() {
        // It passes through, and what unpacks to far more than it should is found out all the same.
        config.bodies.max_decoded = u64::MAX;
    }
    Ok(config)
}

/// What `-T` names is put under its own name where the path of the URL ends with a slash.
fn target(args: &GetArgs) -> Result<Target, Failure> {
    let parse = |url: &str| Target::parse(url).map_err(|error| plainly(&error, ""));
    let name = args.upload_file.as_ref().filter(|path| !is_standard(path));
    match name.and_then(|path| path.file_name()?.to_str()) {
        Some(name) if args.url.ends_with('/') && !args.url.contains(['?', '#']) => {
            parse(&format!("{}{}", args.url, encoded(name)))
        }
        _ => parse(&args.url),
    }
}

/// A name as part of a path (RFC 3986 §3.3), in which it has no meaning but its own.
fn encoded(name: &str) -> String {
    let encode = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    name.bytes().map(encode).collect()
}

fn template(args: &GetArgs) -> Result<Template, Failure> {
    let mut template = Template::new(&args.shared.ask, args.head)?;
    let (upload, method) = match (&args.upload_file, &args.data_binary) {
        (Some(path), _) => (send::file(path, args.limit_rate)?, Method::PUT),
        (None, Some(data)) => (send::binary(data, args.limit_rate)?, Method::POST),
        (None, None) => return Ok(template),
    };
    template.body = upload;
    template.method = args.shared.ask.method.clone().unwrap_or(method);
    Ok(template)
}

fn request(args: &GetArgs, template: &Template, target: &Target) -> Request {
    let mut request = template.request(target.clone());
    if let Some(limit) = args.shared.max_time {
        request = request.deadline(limit);
    }
    if let Some(limit) = args.shared.max_size {
        request = request.max_body(limit);
    }
    if let Some(patience) = args.expect100 {
        request = request.expect_continue(patience);
    }
    request
}

async fn transfer(
    engine: &Engine,
    request: Request,
    args: &GetArgs,
    template: &Template,
    target: &Target,
) -> Result<Exit, Failure> {
    let tells = |text: Result<String, std::fmt::Error>| {
        if args.verbose {
            say(text.unwrap_or_default().trim_end());
        }
    };
    let mut response = match engine.open(request).await {
        Ok(response) => response,
        Err(failure) => {
            tells(told_of_failure(template, target, &failure));
            write_out(args, target, None, &failure.receipt, Some(&failure.error));
            return Err(failed(&failure));
        }
    };
    tells(told(template, target, &response));
    let refused = args.fail && response.status.as_u16() >= 400;
    let head = match args.include || args.head {
        true => head(&response),
        false => Vec::new(),
    };
    let length = response.headers.get(CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
    // It says how much comes, not what becomes of it.
    let length = length.filter(|_| !response.receipt.decoded);
    let to = args.shared.output.as_deref();
    let shows = !args.shared.silent && (to.is_some() || !io::stdout().is_terminal());
    let progress = Transferred::new(shows, length);
    let pace = args.limit_rate.map(Pace::new);
    let body = (!refused).then_some(&mut response.body);
    let ended = transfer::write(head, body, to, pace, &progress).await;
    progress.clear();
    let ended = ended?;
    let (receipt, trailers) = (response.body.receipt(), response.body.trailers());
    let receipt = receipt.unwrap_or(&response.receipt);
    tells(verbose::end(receipt, trailers));
    let error = match &ended {
        End::Cut(error, _) => Some(error),
        End::Whole | End::Enough => None,
    };
    write_out(args, target, Some(&response), receipt, error);
    match ended {
        End::Cut(error, bytes) => Err(cut(&error, bytes, length)),
        End::Whole | End::Enough if refused => {
            let message = format!("http: the server answered {}", response.status);
            Err(Failure::new(Exit::Failed, message))
        }
        End::Whole | End::Enough => Ok(Exit::Done),
    }
}

fn write_out(
    args: &GetArgs,
    target: &Target,
    response: Option<&OpenResponse>,
    receipt: &Receipt,
    error: Option<&Error>,
) {
    let Some(format) = &args.write_out else {
        return;
    };
    let text = format.fill(&Transfer {
        target,
        status: response.map(|response| response.status),
        protocol: response.map(|response| response.protocol),
        headers: response.map(|response| &response.headers),
        receipt,
        error,
    });
    // As with all that is told besides the body, it is no reason to fail.
    let _ = io::stdout()
        .write_all(text.as_bytes())
        .and_then(|()| io::stdout().flush());
}

/// What has been written stays.
fn cut(error: &Error, bytes: u64, length: Option<u64>) -> Failure {
    let of = length
        .map(|length| format!(" of {length}"))
        .unwrap_or_default();
    let failure = failed(error);
    Failure {
        message: failure
            .message
            .map(|message| format!("{message}, after {bytes}{of} bytes")),
        ..failure
    }
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
        Error::Decode { .. } => " (--raw keeps what comes as it is)",
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

/// All that is known at the head.
fn told(
    template: &Template,
    target: &Target,
    response: &OpenResponse,
) -> Result<String, std::fmt::Error> {
    let request = verbose::request(template, target, Some(response.protocol))?;
    let receipt = &response.receipt;
    let hops = &receipt.hops;
    let reached = hops.last().map_or(target, |hop| &hop.to);
    let connection = verbose::connection(receipt, response.protocol, reached)?;
    let before = verbose::retries(&receipt.retries)?;
    let answer = verbose::response(response)?;
    match hops.is_empty() {
        true => Ok(before + &connection + &request + &answer),
        // What is told of the way is told of the last part of it.
        false => Ok(request + &verbose::hops(hops)? + &before + &connection + &answer),
    }
}

fn told_of_failure(
    template: &Template,
    target: &Target,
    failure: &gannet::Failure,
) -> Result<String, std::fmt::Error> {
    let receipt = &failure.receipt;
    let request = verbose::request(template, target, None)?;
    let before = verbose::hops(&receipt.hops)? + &verbose::retries(&receipt.retries)?;
    Ok(request + &before + &verbose::end(receipt, None)?)
}

/// The head as it would be in HTTP/1.1, which is what people expect to see.
fn head(response: &OpenResponse) -> Vec<u8> {
    let mut head = format!("{} {}\r\n", response.protocol, response.status.as_u16()).into_bytes();
    for (name, value) in &response.headers {
        for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(piece);
        }
    }
    head.extend_from_slice(b"\r\n");
    head
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn a_file_is_put_under_its_name_whatever_that_is() {
        let put = |file, url| {
            let Command::Get(args) = Cli::parse_from(["gannet", "get", "-T", file, url]).command
            else {
                panic!("not that command")
            };
            target(&args).expect("a URL").to_string()
        };
        assert_eq!(put("a/b.txt", "http://a/c/"), "http://a/c/b.txt");
        assert_eq!(put("a/b.txt", "http://a/c"), "http://a/c");
        assert_eq!(
            put("50%#?\u{e4}", "http://a/"),
            "http://a/50%25%23%3F%C3%A4"
        );
        assert_eq!(put("b", "http://a/c?d=/"), "http://a/c?d=/");
        assert_eq!(put("-", "http://a/"), "http://a/");
    }

    #[test]
    fn a_size_bounds_what_comes_and_what_it_unpacks_to() {
        let config = |flags: &[&str]| {
            let args = [&["gannet", "get", "http://a/"], flags].concat();
            let Command::Get(args) = Cli::parse_from(args).command else {
                panic!("not that command")
            };
            config(&args.shared).expect("sound").bodies.max_decoded
        };
        assert_eq!(config(&[]), u64::MAX);
        assert_eq!(config(&["--max-size", "10"]), 10);
    }
}
