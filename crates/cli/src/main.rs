//! `gannet`: fetches many URLs at once over HTTP/2, from the command line.

mod accept;
mod args;
mod ask;
mod bench;
mod demo;
mod exit;
mod fetch;
mod get;
mod input;
mod limit;
mod metrics;
mod options;
mod output;
mod pace;
mod parse;
mod progress;
mod reach;
mod report;
mod row;
mod run;
mod send;
mod serve;
mod secure;
mod signal;
mod summary;
mod transfer;
mod tuning;
mod verbose;
mod writeout;

use std::process;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::exit::{Exit, Failure, say};

fn main() {
    let exit = run(Cli::parse()).unwrap_or_else(|failure| {
        if let Some(message) = failure.message {
            say(format_args!("gannet: {message}"));
        }
        failure.exit
    });
    // At once: a thread that waits for input would never end.
    process::exit(exit as i32)
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    match cli.command {
        Command::Get(args) => wait_for(get::get(*args)),
        Command::Fetch(args) => wait_for(fetch::fetch(*args)),
        Command::Bench(args) => bench::bench(&args),
        Command::Demo(args) => wait_for(demo::demo(args)),
        Command::Serve(args) => wait_for(serve::serve(args)),
    }
}

fn wait_for(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    // One thread is enough: the engine has its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::start)?;
    let ended = runtime.block_on(command);
    // Without waiting for a write that may never end.
    runtime.shutdown_background();
    ended
}
