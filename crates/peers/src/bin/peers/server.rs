//! The servers: the lean one, and those that are installed.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use gannet_peers::Failure;
use gannet_testbed::Certificates;

use crate::plan::{Case, Server};
use crate::run::{Bench, pinned};

/// One that runs; it is stopped when this is dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) port: u16,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// What its only thread has used so far.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        let path = format!("/proc/{}/schedstat", self.child.id());
        let text = fs::read_to_string(path).ok()?;
        text.split(' ')
            .next()?
            .parse()
            .ok()
            .map(Duration::from_nanos)
    }
}

/// Writes the certificates that all runs share.
pub(crate) fn certify(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder)?;
    let names = ["*.bench.test".to_owned()];
    let made = Certificates::new(&names, &[Ipv4Addr::LOCALHOST.into()])?;
    fs::write(folder.join("ca.pem"), &made.ca_pem)?;
    fs::write(folder.join("chain.pem"), &made.chain_pem)?;
    fs::write(folder.join("key.pem"), &made.key_pem)?;
    Ok(())
}

/// The program of a server, if it is there.
pub(crate) fn program(server: Server, bench: &Bench) -> Option<PathBuf> {
    match server {
        Server::Lean => Some(bench.programs.join("server")),
        Server::Nginx => find("nginx"),
        Server::Nghttpd => find("nghttpd"),
    }
}

/// A program of the system.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin"]);
    folders
        .map(|folder| Path::new(folder).join(name))
        .find(|program| program.is_file())
}

/// Starts the server of a case.
pub(crate) fn start(case: &Case, bench: &Bench) -> Result<Running, Failure> {
    let program = program(case.server, bench).ok_or("the server is not installed")?;
    let mut command = pinned(&program, bench.server_core);
    if case.server == Server::Lean {
        command.arg(&bench.folder).arg(case.body.to_string());
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("no output")?;
        BufReader::new(out).read_line(&mut line)?;
        let port = line.trim().parse();
        let port = port.map_err(|_| "the server did not start")?;
        return Ok(Running { child, port });
    }
    let port = free_port()?;
    fs::write(bench.folder.join("index.html"), vec![b'x'; case.body])?;
    match case.server {
        Server::Nginx => nginx(&mut command, &bench.folder, port)?,
        _ => nghttpd(&mut command, &bench.folder, port),
    }
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let running = Running { child, port };
    for _ in 0..100 {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(running);
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(format!("{} does not answer", program.display()).into())
}

fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

fn nginx(command: &mut Command, folder: &Path, port: u16) -> Result<(), Failure> {
    let shown = folder.display();
    // One process, so that it ends with its own number.
    let text = format!(
        "daemon off; master_process off; pid {shown}/nginx.pid; error_log /dev/null;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
    client_body_temp_path {shown}/t1; proxy_temp_path {shown}/t2; fastcgi_temp_path {shown}/t3;
    uwsgi_temp_path {shown}/t4; scgi_temp_path {shown}/t5;
    open_file_cache max=10;
    server {{
        listen 127.0.0.1:{port} ssl http2; root {shown}; http2_max_concurrent_streams 1000;
        ssl_certificate {shown}/chain.pem; ssl_certificate_key {shown}/key.pem;
    }}
}}
"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, text)?;
    command.arg("-p").arg(folder).arg("-c").arg(file);
    Ok(())
}

fn nghttpd(command: &mut Command, folder: &Path, port: u16) {
    command.args(["-a", "127.0.0.1", "-d"]).arg(folder);
    command.args(["-m", "1000", "-w", "21", "-W", "24"]);
    command.arg(port.to_string());
    command.arg(folder.join("key.pem"));
    command.arg(folder.join("chain.pem"));
}
