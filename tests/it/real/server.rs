//! Servers from the system's packages, each a child process on a loopback port of its own.

use std::env;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gannet::config::{PriorKnowledge, Trust};
use gannet::{Config, Engine};
use gannet_testbed::Certificates;
use tokio::time::sleep;

use crate::real::documents::DOCUMENTS;
use crate::support::engine_with;

/// Between two looks at a server that starts or stops, and how many there are: 20 s.
const PAUSE: Duration = Duration::from_millis(10);
const LOOKS: usize = 2_000;
const PORTS_TRIED: usize = 5;

/// A running server. Killed when dropped, and what it wrote removed.
pub(crate) struct Server {
    recipe: Recipe,
    port: u16,
    child: Child,
    ca: Vec<u8>,
    /// Dropped last.
    folder: Folder,
}

/// How to start a server, and how to end it.
struct Recipe {
    program: PathBuf,
    is_secure: bool,
    arguments: Box<Arguments>,
    /// The file that it writes once it listens, if there is one: a surer sign than a connect that
    /// succeeds, for another process may have got the port.
    sign: Option<&'static str>,
    /// The signal that makes it finish its work and leave.
    goodbye: &'static str,
}

/// Writes what a server in this folder and on this port reads; gives its arguments.
type Arguments = dyn Fn(&Path, u16) -> Vec<String> + Send;

/// One line of an access log.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) method: String,
    pub(crate) status: u16,
    /// Path and query.
    pub(crate) target: String,
}

impl Server {
    /// Nginx with TLS; `extra` are directives of its `server` block. `None` if not installed.
    pub(crate) async fn nginx(extra: &'static str) -> Option<Self> {
        let recipe = nginx(true, extra)?;
        Some(Self::start(recipe).await)
    }

    /// The same without TLS.
    pub(crate) async fn plain_nginx(extra: &'static str) -> Option<Self> {
        let recipe = nginx(false, extra)?;
        Some(Self::start(recipe).await)
    }

    /// Nghttpd with these options, `--no-tls` among them or not. `None` if not installed.
    pub(crate) async fn nghttpd(options: &'static [&'static str]) -> Option<Self> {
        let recipe = nghttpd(options)?;
        Some(Self::start(recipe).await)
    }

    /// H2o with TLS. `None` if not installed.
    pub(crate) async fn h2o() -> Option<Self> {
        let recipe = h2o()?;
        Some(Self::start(recipe).await)
    }

    async fn start(recipe: Recipe) -> Self {
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
            match launch(&recipe, &folder, port).await {
                Ok(child) => {
                    return Self {
                        recipe,
                        port,
                        child,
                        ca: made.ca_der,
                        folder,
                    };
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

    /// A config that trusts this server, and speaks HTTP/2 to it with or without TLS.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::default();
        config.trust = Trust::Roots(vec![self.ca.clone().into()]);
        config.prior_knowledge = PriorKnowledge::All;
        config
    }

    pub(crate) fn engine(&self) -> Engine {
        engine_with(self.config())
    }

    /// Ends the process at once, without any goodbye.
    pub(crate) fn kill(&mut self) {
        // An error says that it had ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts a killed server once more, on the same port.
    pub(crate) async fn restart(&mut self) {
        for _ in 0..PORTS_TRIED {
            if let Ok(child) = launch(&self.recipe, &self.folder, self.port).await {
                self.child = child;
                return;
            }
        }
        panic!("port {} cannot be bound again", self.port);
    }

    /// Lets the server leave in order, so that its access log is complete, and reads that.
    pub(crate) async fn books(mut self) -> Vec<Entry> {
        let (signal, pid) = (self.recipe.goodbye, self.child.id().to_string());
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", signal, &pid])
            .status();
        assert!(sent.expect("a shell").success(), "no {signal} for {pid}");
        for _ in 0..LOOKS {
            if self.child.try_wait().expect("a child").is_some() {
                return self.folder.read("access.log").lines().map(entry).collect();
            }
            sleep(PAUSE).await;
        }
        panic!("{} does not leave", self.recipe.program.display());
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
    Entry {
        method: next(),
        status: next().parse().expect("a status"),
        target: next(),
    }
}

/// Starts a server and waits until it listens.
///
/// # Errors
///
/// It ended instead, most likely because the port was taken meanwhile.
async fn launch(recipe: &Recipe, folder: &Folder, port: u16) -> Result<Child, ExitStatus> {
    let sign = recipe.sign.map(|name| folder.path.join(name));
    let listens = || match &sign {
        Some(sign) => fs::metadata(sign).is_ok_and(|sign| sign.len() > 0),
        None => TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok(),
    };
    if let Some(sign) = &sign {
        // An error says that there was none.
        let _ = fs::remove_file(sign);
    }
    let output = |name| File::create(folder.path.join(name)).expect("a log");
    let mut child = Command::new(&recipe.program)
        .args((recipe.arguments)(&folder.path, port))
        .current_dir(&folder.path)
        .stdin(Stdio::null())
        .stdout(output("stdout"))
        .stderr(output("stderr"))
        .spawn()
        .expect("the program was found a moment ago");
    for _ in 0..LOOKS {
        let is_up = listens();
        if let Some(status) = child.try_wait().expect("a child") {
            return Err(status);
        }
        if is_up {
            return Ok(child);
        }
        sleep(PAUSE).await;
    }
    let _ = child.kill();
    Err(child.wait().expect("a child"))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound socket").port()
}

/// The path of a program. Where continuous integration runs, it has to be there.
fn installed(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file());
    if found.is_none() {
        let is_ci = env::var_os("CI").is_some_and(|value| value == "true");
        assert!(!is_ci, "{program} is not installed");
        eprintln!("skipped: {program} is not installed");
    }
    found
}

fn nginx(is_secure: bool, extra: &'static str) -> Option<Recipe> {
    let tls = if is_secure { "ssl" } else { "" };
    let arguments = move |folder: &Path, port: u16| {
        let at = folder.display();
        // A master would leave its worker behind when it is killed.
        let config = format!(
            "daemon off; master_process off; worker_processes 1;
            pid {at}/pid; error_log {at}/error.log;
            events {{ worker_connections 256; }}
            http {{
                log_format books '$request_method $status $request_uri';
                access_log {at}/access.log books;
                client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;
                fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi;
                scgi_temp_path {at}/scgi;
                server {{
                    listen 127.0.0.1:{port} {tls} http2;
                    ssl_certificate {at}/chain.pem; ssl_certificate_key {at}/key.pem;
                    root {at}/docs;
                    location = /accept {{ return 204; }}
                    {extra}
                }}
            }}"
        );
        fs::write(folder.join("nginx.conf"), config).expect("a config");
        let config = format!("{at}/nginx.conf");
        ["-p", &at.to_string(), "-c", &config]
            .map(str::to_owned)
            .to_vec()
    };
    Some(Recipe {
        program: installed("nginx")?,
        is_secure,
        arguments: Box::new(arguments),
        sign: Some("pid"),
        goodbye: "QUIT",
    })
}

fn nghttpd(options: &'static [&'static str]) -> Option<Recipe> {
    let is_secure = !options.contains(&"--no-tls");
    let arguments = move |_: &Path, port: u16| {
        let port = port.to_string();
        let mut all = vec!["--address=127.0.0.1", "--htdocs=docs"];
        all.extend(options);
        all.push(&port);
        if is_secure {
            all.extend(["key.pem", "chain.pem"]);
        }
        all.into_iter().map(str::to_owned).collect()
    };
    Some(Recipe {
        program: installed("nghttpd")?,
        is_secure,
        arguments: Box::new(arguments),
        sign: None,
        goodbye: "TERM",
    })
}

fn h2o() -> Option<Recipe> {
    let arguments = |folder: &Path, port: u16| {
        let at = folder.display();
        // Started by root, it would become a user that may not read the documents.
        let is_root = fs::metadata(folder).is_ok_and(|folder| folder.uid() == 0);
        let user = if is_root { "user: root" } else { "" };
        let config = format!(
            r#"
{user}
num-threads: 1
pid-file: {at}/pid
error-log: {at}/error.log
access-log: {{ path: {at}/access.log, format: "%m %s %U%q" }}
hosts:
  default:
    listen:
      host: 127.0.0.1
      port: {port}
      ssl: {{ certificate-file: {at}/chain.pem, key-file: {at}/key.pem, neverbleed: OFF }}
    paths:
      /: {{ file.dir: {at}/docs }}
"#
        );
        fs::write(folder.join("h2o.conf"), config).expect("a config");
        vec!["-c".to_owned(), format!("{at}/h2o.conf")]
    };
    Some(Recipe {
        program: installed("h2o")?,
        is_secure: true,
        arguments: Box::new(arguments),
        sign: Some("pid"),
        goodbye: "TERM",
    })
}

/// A folder of one server's own, removed with everything in it when dropped.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("gannet-real-{}-{number}", std::process::id());
        let path = env::temp_dir().join(name);
        // One that is left of an earlier process of the same number.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder");
        Self { path }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let file = self.path.join(name);
        let parent = file.parent().expect("a file is in a folder");
        fs::create_dir_all(parent).expect("a folder");
        fs::write(file, bytes).expect("room on the disk");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path.join(name)).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is the system's to sweep.
        let _ = fs::remove_dir_all(&self.path);
    }
}
