//! The sessions that may be resumed.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use lru::LruCache;
use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

/// What is kept of so many servers; the one unused longest is forgotten.
pub(super) struct Sessions {
    /// By name: a handshake asks six times, and a name is looked up without a copy of it.
    servers: Mutex<LruCache<Box<str>, Kept, RandomState>>,
    limit: usize,
}

#[derive(Default)]
struct Kept {
    group: Option<NamedGroup>,
    /// Apart, for few servers speak TLS 1.2.
    session: Option<Box<Tls12ClientSessionValue>>,
    tickets: Tickets,
}

/// Tickets kept of one server: what most send at once. Each resumes one connection (RFC 8446
/// §C.4), and may have 64 KiB.
#[derive(Default)]
struct Tickets {
    newest: Option<Box<Tls13ClientSessionValue>>,
    other: Option<Box<Tls13ClientSessionValue>>,
}

impl Tickets {
    /// The oldest goes if there are two.
    fn push(&mut self, ticket: Tls13ClientSessionValue) {
        self.other = self.newest.take().or_else(|| self.other.take());
        self.newest = Some(Box::new(ticket));
    }

    fn pop(&mut self) -> Option<Tls13ClientSessionValue> {
        self.newest
            .take()
            .or_else(|| self.other.take())
            .map(|ticket| *ticket)
    }
}

impl Sessions {
    /// `limit` in servers.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            // It grows as it is used; the limit may be generous.
            servers: Mutex::new(LruCache::unbounded_with_hasher(RandomState::default())),
            limit,
        }
    }

    /// What is kept is whole after every step, so a panic elsewhere spoils nothing.
    fn servers(&self) -> MutexGuard<'_, LruCache<Box<str>, Kept, RandomState>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, name: &ServerName<'_>, change: impl FnOnce(&mut Kept)) {
        let (mut servers, name) = (self.servers(), name.to_str());
        if let Some(kept) = servers.get_mut(&*name) {
            return change(kept);
        }
        change(servers.get_or_insert_mut(Box::from(&*name), Kept::default));
        if servers.len() > self.limit {
            servers.pop_lru();
        }
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.keep(&name, |kept| kept.group = Some(group));
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.servers().get(&*name.to_str())?.group
    }

    fn set_tls12_session(&self, name: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.keep(&name, |kept| kept.session = Some(Box::new(session)));
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        let mut servers = self.servers();
        servers.get(&*name.to_str())?.session.as_deref().cloned()
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        if let Some(kept) = self.servers().get_mut(&*name.to_str()) {
            kept.session = None;
        }
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.keep(&name, |kept| kept.tickets.push(ticket));
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let mut servers = self.servers();
        servers.get_mut(&*name.to_str())?.tickets.pop()
    }
}

/// Without the secrets.
impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sessions(of at most {} servers)", self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ServerName<'static> {
        ServerName::try_from(text.to_owned()).expect("a name")
    }

    #[test]
    fn the_server_unused_longest_is_forgotten() {
        let sessions = Sessions::new(2);
        for text in ["a.test", "b.test"] {
            sessions.set_kx_hint(name(text), NamedGroup::X25519);
        }
        assert!(sessions.kx_hint(&name("a.test")).is_some());
        sessions.set_kx_hint(name("c.test"), NamedGroup::X25519);
        let kept = ["a.test", "b.test", "c.test"].map(|n| sessions.kx_hint(&name(n)).is_some());
        assert_eq!(kept, [true, false, true]);
        assert_eq!(sessions.servers().len(), 2);
    }

    #[test]
    fn asking_for_what_is_not_kept_keeps_nothing() {
        let sessions = Sessions::new(2);
        assert!(sessions.kx_hint(&name("a.test")).is_none());
        assert!(sessions.tls12_session(&name("a.test")).is_none());
        assert!(sessions.take_tls13_ticket(&name("a.test")).is_none());
        sessions.remove_tls12_session(&name("a.test"));
        assert_eq!(sessions.servers().len(), 0);
    }
}
