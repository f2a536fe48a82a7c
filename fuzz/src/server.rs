//! An engine on this thread, and a server on loopback that says what a target tells it to.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use actix_rt::{System, SystemRunner};
use gannet::config::ConnectTo;
use gannet::{Config, Engine, Error};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes that a client is heard out for.
const HEARD: u64 = 1 << 20;

/// One engine for each kind of configuration, all on the same thread.
pub(crate) struct Bench {
    system: SystemRunner,
    engines: RefCell<Vec<(u8, Engine)>>,
    configure: fn(u8) -> Config,
    /// Origins so far: each run has its own, so that none is remembered by the next.
    origins: Cell<u64>,
}

/// One run: an origin that nobody has met, and a server for it.
pub(crate) struct Run {
    pub(crate) engine: Engine,
    pub(crate) url: String,
    listener: Rc<TcpListener>,
}

impl Bench {
    pub(crate) fn new(configure: fn(u8) -> Config) -> Self {
        Self {
            system: System::new(),
            engines: RefCell::default(),
            configure,
            origins: Cell::new(0),
        }
    }

    /// Runs `script` with an engine of this kind.
    pub(crate) fn run<F: Future<Output = ()>>(&self, kind: u8, script: impl FnOnce(Run) -> F) {
        self.system.block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await;
            let listener = Rc::new(listener.expect("a free port"));
            let port = listener.local_addr().expect("bound").port();
            let engine = self.engine(kind);
            self.origins.set(self.origins.get() + 1);
            let url = format!("http://h{}.test:{port}/", self.origins.get());
            script(Run {
                engine: engine.clone(),
                url,
                listener,
            })
            .await;
            settled(&engine).await;
        });
    }

    fn engine(&self, kind: u8) -> Engine {
        let mut engines = self.engines.borrow_mut();
        if let Some((_, engine)) = engines.iter().find(|(k, _)| *k == kind) {
            return engine.clone();
        }
        let mut config = (self.configure)(kind);
        config.connect_to.push(ConnectTo {
            host: None,
            port: None,
            to_host: Some("127.0.0.1".to_owned()),
            to_port: None,
        });
        config.max_attempts = 1;
        config.breaker_failures = 0;
        config.max_origins = 100;
        config.acquire_timeout = Duration::from_millis(50);
        let engine = Engine::builder().config(config).start_here();
        engines.push((kind, engine.clone()));
        engine
    }
}

impl Run {
    /// Lets `say` speak on each connection that comes, for as long as this run lasts.
    pub(crate) fn serve<F: Future<Output = ()> + 'static>(
        &self,
        say: impl Fn(TcpStream) -> F + 'static,
    ) {
        let listener = Rc::clone(&self.listener);
        actix_rt::spawn(async move {
            // The last connection closes some time before this does.
            while let Ok(Ok((tcp, _))) = timeout(PATIENCE / 10, listener.accept()).await {
                actix_rt::spawn(say(tcp));
            }
        });
    }
}

/// What must be answered, whatever the server said, and not because time ran out: it has closed.
pub(crate) fn judge(error: &Error) {
    assert!(!error.to_string().is_empty());
    let is_left_waiting = matches!(
        error,
        Error::Timeout { .. } | Error::Deadline { .. } | Error::Internal { .. }
    );
    assert!(!is_left_waiting, "{error:?}");
}

/// Waits for what must come.
pub(crate) async fn within<T>(what: &str, coming: impl Future<Output = T>) -> T {
    let came = timeout(PATIENCE, coming).await;
    came.unwrap_or_else(|_| panic!("no {what}"))
}

/// Nothing is left of a run: no fetch, no byte, no socket.
async fn settled(engine: &Engine) {
    let settling = async {
        loop {
            // A connection may open after the last fetch has given up on it.
            engine.close_idle();
            let now = engine.snapshot().await;
            let left = (now.in_flight, now.waiting, now.bytes.held, now.sockets);
            if left == (0, 0, 0, 0) {
                return;
            }
            actix_rt::task::yield_now().await;
        }
    };
    if timeout(PATIENCE, settling).await.is_err() {
        panic!("there is no end of it: {:?}", engine.snapshot().await);
    }
}

/// Reads until `is_all`; `false` at the end.
pub(crate) async fn hear(
    tcp: &mut TcpStream,
    heard: &mut Vec<u8>,
    is_all: impl Fn(&[u8]) -> bool,
) -> bool {
    while !is_all(heard) {
        if heard.len() as u64 > HEARD || !matches!(tcp.read_buf(heard).await, Ok(n) if n > 0) {
            return false;
        }
    }
    true
}

/// Says `bytes` in pieces of this size, and closes when the other side does.
pub(crate) async fn say(mut tcp: TcpStream, bytes: &[u8], size: usize) {
    let _ = tcp.set_nodelay(true);
    let (mut input, mut output) = tcp.split();
    let saying = async {
        for piece in bytes.chunks(size.max(1)) {
            if output.write_all(piece).await.is_err() {
                return;
            }
            actix_rt::task::yield_now().await;
        }
        let _ = output.shutdown().await;
    };
    let hearing = async {
        let mut sink = [0; 4096];
        while matches!(input.read(&mut sink).await, Ok(n) if n > 0) {}
    };
    let _ = timeout(PATIENCE, async { tokio::join!(saying, hearing) }).await;
}
