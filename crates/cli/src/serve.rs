//! `gannet serve`: the server of the demonstration, by itself.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::thread;

use futures::future;
use gannet_testbed::Testbed;

use crate::args::ServeArgs;
use crate::exit::{Exit, Failure};
use crate::output::fresh_file;
use crate::signal::Interrupt;

pub(crate) async fn serve(args: ServeArgs) -> Result<Exit, Failure> {
    let interrupt = Interrupt::watch(|| ())?;
    let testbed = Testbed::builder()
        .addresses(args.addresses)
        .port(args.port)
        .plain(args.plain)
        .threads(thread::available_parallelism().map_or(1, usize::from))
        .start()
        .map_err(|error| Failure::listen(&error))?;
    let authority = match args.plain {
        true => None,
        false => Some(authority(args.ca_file.as_deref(), testbed.ca_pem())?),
    };
    print(&welcome(&testbed, args.addresses, authority.as_deref()).unwrap_or_default())?;
    if args.with_stdin {
        let (mut stdin, mut sink) = (tokio::io::stdin(), tokio::io::sink());
        let ended = pin!(tokio::io::copy(&mut stdin, &mut sink));
        future::select(ended, pin!(interrupt.wait())).await;
        testbed.stop();
        return Ok(Exit::Done);
    }
    interrupt.wait().await;
    if let Some(path) = authority.filter(|_| args.ca_file.is_none()) {
        // Nobody misses a temporary file that is gone already.
        let _ = fs::remove_file(path);
    }
    testbed.stop();
    print(&books(&testbed))?;
    // An interrupt is how this is meant to end.
    Ok(Exit::Done)
}

/// Writes the certificate to trust, and tells where.
fn authority(path: Option<&Path>, pem: &str) -> Result<PathBuf, Failure> {
    let (mut file, path) = match path {
        None => fresh_file("gannet-ca", "pem")?,
        Some(path) => {
            let file = File::create(path).map_err(|e| Failure::output(path.display(), &e))?;
            (file, path.to_owned())
        }
    };
    let written = file.write_all(pem.as_bytes());
    written.map_err(|error| Failure::output(path.display(), &error))?;
    Ok(path)
}

fn welcome(
    testbed: &Testbed,
    addresses: u8,
    authority: Option<&Path>,
) -> Result<String, std::fmt::Error> {
    let mut text = format!("listening on {}\n", testbed.url("/"));
    if addresses > 1 {
        let last = testbed.url_at(usize::from(addresses) - 1, "/");
        writeln!(text, "to           {last}")?;
    }
    let flags = match authority {
        Some(path) => {
            writeln!(text, "certificate  {}", path.display())?;
            format!("--cacert '{}'", path.display())
        }
        None => "--http2-prior-knowledge".to_owned(),
    };
    let port = testbed.port();
    writeln!(text, "\ntry")?;
    writeln!(text, "  gannet get {flags} -v {}", testbed.url("/headers"))?;
    let named = testbed.url_named(7, "/bytes/1000");
    writeln!(
        text,
        "  gannet get {flags} --resolve '*:{port}:127.0.0.1' -I {named}"
    )?;
    Ok(text)
}

fn books(testbed: &Testbed) -> String {
    let books = testbed.books();
    format!(
        "\nconnections  {} ({} at once at most)\nhandshakes   {} ({} failed)\n\
         requests     {} ({} cancelled)\nbody bytes   {}\n",
        books.connections,
        books.peak_open,
        books.handshakes,
        books.handshake_failures,
        books.requests,
        books.cancelled,
        books.body_bytes,
    )
}

pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    written.map_err(|error| Failure::output("standard output", &error))
}
