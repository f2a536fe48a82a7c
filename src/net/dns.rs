//! From a name to addresses.
//!
//! What is known and what is being asked is one for the whole engine. Questions are asked on a
//! thread of their own ([`desk`]), so that neither the end of an arbiter nor that of a fetch takes
//! an answer from the others who wait for it.

mod desk;
mod lookup;
mod source;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;
use tokio::time::timeout;

use crate::clock::now;
use crate::config::Config;
use crate::error::Error;
use crate::net::dns::desk::Desk;
use crate::policy::names::{self, Finding, Lack, search};

/// The names of an engine.
#[derive(Debug)]
pub(crate) struct Names {
    config: Arc<Config>,
    shared: Arc<Mutex<Shared>>,
}

/// Where to connect to.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// In the order to try them, never none.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Whether they were remembered.
    pub(crate) cached: bool,
}

#[derive(Debug)]
struct Shared {
    known: names::Names,
    /// Names being asked for, and where the answer will be: no more of them than fetches that
    /// dialled within the last `dns_timeout`.
    asked: HashMap<Box<str>, Landing>,
    /// Open once the first name is asked for.
    desk: Option<Desk>,
}

type Landing = watch::Receiver<Option<Finding>>;

/// A question on its way. However it ends, those who wait hear of it.
#[derive(Debug)]
struct Flight {
    name: Box<str>,
    finding: Option<Finding>,
    told: watch::Sender<Option<Finding>>,
    shared: Weak<Mutex<Shared>>,
}

impl Names {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        let shared = Shared {
            known: names::Names::new(config.dns_cache),
            asked: HashMap::new(),
            desk: None,
        };
        let shared = Arc::new(Mutex::new(shared));
        Self { config, shared }
    }

    /// The addresses to try for `host` and `port`: fixed ones first, then a literal, then what the
    /// resolver says. Waits no longer than `dns_timeout`.
    pub(crate) async fn resolve(&self, host: &str, port: u16) -> Result<Resolved, Error> {
        if let Some(given) = self.given(host, port) {
            return non_empty(given, Lack::Family).map_err(|source| failed(host, source));
        }
        let name = host.to_ascii_lowercase();
        let (finding, cached) = match self.look(&name) {
            Ok(finding) => (finding, true),
            Err(landing) => (self.landed(landing).await, false),
        };
        let addresses = match finding {
            Finding::Found { addresses, .. } => addresses,
            Finding::Lack { lack, .. } => return Err(failed(host, Arc::new(lack.into_error()))),
            Finding::Unknown(source) => return Err(failed(host, source)),
        };
        let addresses = addresses.iter().map(|ip| (*ip, port).into()).collect();
        Ok(Resolved { addresses, cached })
    }

    /// What needs no question, as far as it is of the families wanted.
    fn given(&self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        let here = |ip: &IpAddr| SocketAddr::from((*ip, port));
        let mut given = match self.config.fixed_addresses(host, port) {
            Some(fixed) => fixed,
            None => match host.parse::<IpAddr>() {
                Ok(literal) => vec![here(&literal)],
                Err(_) => search::own(host)?.iter().map(here).collect(),
            },
        };
        given.retain(|address| self.config.families.include(address.ip()));
        Some(given)
    }

    /// What is known of `name`; or else where the answer will be, and the question is asked if
    /// nobody else has.
    fn look(&self, name: &str) -> Result<Finding, Landing> {
        let mut shared = lock(&self.shared);
        if let Some(finding) = shared.known.look(name, now()) {
            return Ok(finding);
        }
        if let Some(landing) = shared.asked.get(name) {
            return Err(landing.clone());
        }
        let desk = match shared.desk(&self.config) {
            Ok(desk) => desk,
            Err(error) => return Ok(Finding::Unknown(Arc::new(error))),
        };
        let (told, landing) = watch::channel(None);
        shared.asked.insert(name.into(), landing.clone());
        // A flight that is dropped, as by a desk that has closed, takes the lock.
        drop(shared);
        desk.ask(Flight {
            name: name.into(),
            finding: None,
            told,
            shared: Arc::downgrade(&self.shared),
        });
        Err(landing)
    }

    /// The desk has the same deadline; this one holds should the desk be blocked.
    async fn landed(&self, mut landing: Landing) -> Finding {
        let landed = landing.wait_for(Option::is_some);
        match timeout(self.config.dns_timeout, landed).await {
            Ok(Ok(finding)) => finding.clone().unwrap_or_else(gave_up),
            Ok(Err(_)) => gave_up(),
            Err(_) => timed_out(),
        }
    }
}

impl Shared {
    fn desk(&mut self, config: &Arc<Config>) -> io::Result<Desk> {
        if let Some(desk) = self.desk.as_ref().filter(|desk| desk.is_open()) {
            return Ok(desk.clone());
        }
        let desk = Desk::open(Arc::clone(config))?;
        self.desk = Some(desk.clone());
        Ok(desk)
    }
}

impl Flight {
    fn land(mut self, finding: Finding) {
        self.finding = Some(finding);
    }
}

impl Drop for Flight {
    /// First it is remembered and then told, so that there is no moment in which a third asks again.
    fn drop(&mut self) {
        let finding = self.finding.take().unwrap_or_else(gave_up);
        if let Some(shared) = self.shared.upgrade() {
            let mut shared = lock(&shared);
            shared.known.keep(&self.name, &finding, now());
            shared.asked.remove(&self.name);
        }
        let _ = self.told.send(Some(finding));
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn non_empty(addresses: Vec<SocketAddr>, lack: Lack) -> Result<Resolved, Arc<io::Error>> {
    match addresses.is_empty() {
        true => Err(Arc::new(lack.into_error())),
        false => Ok(Resolved {
            addresses,
            cached: false,
        }),
    }
}

fn timed_out() -> Finding {
    let error = io::Error::new(
        io::ErrorKind::TimedOut,
        "the resolver did not answer in time",
    );
    Finding::Unknown(Arc::new(error))
}

fn gave_up() -> Finding {
    Finding::Unknown(Arc::new(io::Error::other("the resolver gave up")))
}

fn failed(host: &str, source: Arc<io::Error>) -> Error {
    Error::Resolve {
        host: host.to_owned(),
        source,
    }
}
