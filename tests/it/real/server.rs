//! Servers from the system's packages, each a child process on a loopback port of its own.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitStatus;
use std::time::Duration;

use gannet::config::{PriorKnowledge, Trust};
use gannet::{Config, Engine};
use gannet_testbed::Certificates;
use tokio::time::sleep;

use crate::real::documents::DOCUMENTS;
use crate::real::folder::Folder;
use crate::real::process::Process;
use crate::real::recipe::{self, Nginx, Recipe, Squid};
use crate::support::engine_with;

/// Between two looks at a server that starts or stops, and how many there are: 20 s.
pub(crate) const PAUSE: Duration = Duration::from_millis(10);
pub(crate) const LOOKS: usize = 2_000;
const PORTS_TRIED: usize = 5;

/// A running server. Killed when dropped, and what it wrote removed.
pub(crate) struct Server {
    recipe: Recipe,
    port: u16,
    process: Process,
    ca: Vec<u8>,
    /// Dropped last.
    folder: Folder,
}

/// One line of an access log.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) method: String,
    pub(crate) status: u16,
    /// Path and query.
    pub(crate) target: String,
    /// Which connection it came on, where the server says so.
    pub(crate) connection: Option<u64>,
}

impl Server {
    /// Nginx with TLS; `extra` are directives of its `server` block. `None` if not installed.
    pub(crate) async fn nginx(extra: &'static str) -> Option<Self> {
        Self::start(recipe::nginx(Nginx::secure(extra))?).await
    }

    /// The same, but it speaks HTTP/1.1 only.
    pub(crate) async fn nginx_http1(extra: &'static str) -> Option<Self> {
        let mut options = Nginx::secure(extra);
        options.speaks_http2 = false;
        Self::start(recipe::nginx(options)?).await
    }

    /// The same without TLS.
    pub(crate) async fn plain_nginx(extra: &'static str) -> Option<Self> {
        let mut options = Nginx::secure(extra);
        options.is_secure = false;
        Self::start(recipe::nginx(options)?).await
    }

    /// Nginx with TLS and a master process, which reloads and leaves in order.
    pub(crate) async fn nginx_with_master(extra: &'static str) -> Option<Self> {
        let mut options = Nginx::secure(extra);
        options.has_master = true;
        Self::start(recipe::nginx(options)?).await
    }

    /// Nghttpd with these options, `--no-tls` among them or not. `None` if not installed.
    pub(crate) async fn nghttpd(options: &'static [&'static str]) -> Option<Self> {
        Self::start(recipe::nghttpd(options)?).await
    }

    /// H2o with TLS. `None` if not installed.
    pub(crate) async fn h2o() -> Option<Self> {
        Self::start(recipe::h2o()?).await
    }

    /// Apache httpd with TLS. `None` if not installed.
    pub(crate) async fn apache() -> Option<Self> {
        Self::start(recipe::apache()?).await
    }

    /// Caddy with TLS. `None` if not installed.
    pub(crate) async fn caddy() -> Option<Self> {
        Self::start(recipe::caddy()?).await
    }

    /// HAProxy with TLS, and the nginx behind it, which speaks HTTP/1.1 and keeps the books.
    /// `None` if one of them is not installed.
    pub(crate) async fn haproxy() -> Option<(Self, Self)> {
        let mut options = Nginx::secure("keepalive_requests 100000;");
        (options.is_secure, options.speaks_http2) = (false, false);
        let behind = Self::start(recipe::nginx(options)?).await?;
        let front = Self::start(recipe::haproxy(behind.port)?).await?;
        Some((front, behind))
    }

    /// Squid, a proxy. `None` if not installed.
    pub(crate) async fn squid(options: Squid) -> Option<Self> {
        Self::start(recipe::squid(options)?).await
    }

    /// Tinyproxy with these lines in its configuration. `None` if not installed.
    pub(crate) async fn tinyproxy(extra: &'static str) -> Option<Self> {
        Self::start(recipe::tinyproxy(extra)?).await
    }

    /// Dante, a SOCKS proxy. `None` if not installed.
    pub(crate) async fn dante() -> Option<Self> {
        Self::start(recipe::dante()?).await
    }

    /// Nghttpx, a proxy that speaks HTTP/2, and the squid behind it. `None` if one of them is not
    /// installed.
    pub(crate) async fn nghttpx() -> Option<(Self, Self)> {
        let behind = Self::start(recipe::squid(Squid::default())?).await?;
        let front = Self::start(recipe::nghttpx(behind.port)?).await?;
        Some((front, behind))
    }

    /// Always some; so that the functions above stay short.
    async fn start(recipe: Recipe) -> Option<Self> {
        let folder = Folder::new();
        let names = ["localhost".to_owned()];
        let made = Certificates::new(&names, &[Ipv4Addr::LOCALHOST.into()]).expect("good names");
        folder.write("chain.pem", made.chain_pem.as_bytes());
        folder.write("key.pem", made.key_pem.as_bytes());
        for document in DOCUMENTS.iter() {
            folder.write(&format!("docs{}", document.path), &document.body);
        }
        for _ in 0..PORTS_TRIED {
            let port = free_port();
            match launch(&recipe, &folder, port, &[]).await {
                Ok(process) => {
                    return Some(Self {
                        recipe,
                        port,
                        process,
                        ca: made.ca_der,
                        folder,
                    });
                }
                Err(status) => eprintln!("port {port}: {status}\n{}", folder.read("stderr")),
            }
        }
        panic!("{} does not start", recipe.program.display());
    }

    pub(crate) fn url(&self, target: &str) -> String {
        let scheme = if self.recipe.is_secure {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://127.0.0.1:{}{target}", self.port)
    }

    /// What its certificate leads to.
    pub(crate) fn root(&self) -> Vec<u8> {
        self.ca.clone()
    }

    /// A config that trusts this server, and speaks HTTP/2 to it with or without TLS.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::default();
        config.tls.trust = Trust::Roots(vec![self.ca.clone().into()]);
        config.prior_knowledge = PriorKnowledge::All;
        config
    }

    pub(crate) fn engine(&self) -> Engine {
        engine_with(self.config())
    }

    /// Ends it at once, without any goodbye.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Lets it finish its work and leave.
    pub(crate) async fn stop(&mut self) {
        self.process.signal(self.recipe.goodbye);
        self.process.left().await;
    }

    /// Starts a server that has ended once more, on the same port.
    pub(crate) async fn restart(&mut self) {
        for _ in 0..PORTS_TRIED {
            match launch(&self.recipe, &self.folder, self.port, &[]).await {
                Ok(process) => {
                    self.process = process;
                    return;
                }
                Err(status) => eprintln!("again: {status}\n{}", self.folder.read("stderr")),
            }
        }
        panic!("port {} cannot be bound again", self.port);
    }

    /// Has nginx start a new worker, and the old one leave in order; returns when that does.
    pub(crate) async fn reload(&self) {
        let leaving = || {
            let log = self.folder.read("error.log");
            log.matches("gracefully shutting down").count()
        };
        let before = leaving();
        self.process.signal("HUP");
        for _ in 0..LOOKS {
            if leaving() > before {
                return;
            }
            sleep(PAUSE).await;
        }
        panic!("nginx does not reload");
    }

    /// Starts a second HAProxy on the same port, which tells the first one to leave in order;
    /// returns when that has left.
    pub(crate) async fn hand_over(&mut self) {
        let extra = ["-sf".to_owned(), self.process.id().to_string()];
        let next = launch(&self.recipe, &self.folder, self.port, &extra).await;
        let mut next = next.expect("two may share the port");
        self.process.left().await;
        assert!(next.status().is_none(), "the second one left as well");
        self.process = next;
    }

    /// Lets the server leave in order, so that its access log is complete, and reads that.
    pub(crate) async fn books(mut self) -> Vec<Entry> {
        self.stop().await;
        self.folder.read("access.log").lines().map(entry).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let (errors, log) = (self.folder.read("stderr"), self.folder.read("error.log"));
            eprintln!("{}: {errors}{log}", self.recipe.program.display());
        }
    }
}

fn entry(line: &str) -> Entry {
    let mut fields = line.split(' ').map(str::to_owned);
    let mut next = || fields.next().expect("three fields in a line of the log");
    let (method, status, target) = (next(), next(), next());
    Entry {
        method,
        status: status.parse().expect("a status"),
        target,
        connection: fields.next().and_then(|number| number.parse().ok()),
    }
}

/// Starts a server and waits until it listens.
///
/// # Errors
///
/// It ended instead, most likely because the port was taken meanwhile.
async fn launch(
    recipe: &Recipe,
    folder: &Folder,
    port: u16,
    extra: &[String],
) -> Result<Process, ExitStatus> {
    let sign = recipe.sign.map(|name| folder.path.join(name));
    let listens = || match &sign {
        Some(sign) => fs::metadata(sign).is_ok_and(|sign| sign.len() > 0),
        None => TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok(),
    };
    if let Some(sign) = &sign {
        // An error says that there was none.
        let _ = fs::remove_file(sign);
    }
    let mut arguments = (recipe.arguments)(&folder.path, port);
    arguments.extend_from_slice(extra);
    let mut process = Process::start(&recipe.program, &arguments, &folder.path);
    for _ in 0..LOOKS {
        let is_up = listens();
        if let Some(status) = process.status() {
            return Err(status);
        }
        if is_up {
            return Ok(process);
        }
        sleep(PAUSE).await;
    }
    panic!("{} does not listen", recipe.program.display());
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound socket").port()
}
