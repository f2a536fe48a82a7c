//! One client, one workload, in a process of its own. Prints what it took as one line of JSON.

mod gannet_client;
mod h2_client;
mod hyper1;
mod hyper_util_client;
mod reqwest_client;

use std::future::Future;

use gannet_peers::{Args, Failure, raise_files};

fn main() -> Result<(), Failure> {
    raise_files()?;
    let args = Args::parse()?;
    match &args.client[..] {
        "gannet" => gannet_client::run(&args),
        "h2" => h2_client::run(&args),
        "hyper1" => here(hyper1::run(&args)),
        "hyper-util" => here(hyper_util_client::run(&args)),
        "reqwest" => here(reqwest_client::run(&args)),
        // As `#[tokio::main]` has it.
        "reqwest-mt" => tokio::runtime::Runtime::new()?.block_on(reqwest_client::run(&args)),
        other => Err(format!("no client: {other}").into()),
    }
}

fn here(run: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run)
}
