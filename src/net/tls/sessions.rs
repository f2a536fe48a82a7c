//! The sessions that may be resumed.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

/// Tickets kept of one server: what most send at once. Each resumes one connection (RFC 8446
/// §C.4), and may have 64 KiB.
const TICKETS: usize = 2;

/// What is kept of so many servers; the one unused longest is forgotten.
pub(super) struct Sessions {
    servers: Mutex<LruCache<ServerName<'static>, Kept>>,
    limit: usize,
}

#[derive(Default)]
struct Kept {
    group: Option<NamedGroup>,
    session: Option<Tls12ClientSessionValue>,
    /// The newest last.
    tickets: VecDeque<Tls13ClientSessionValue>,
}

impl Sessions {
    /// `limit` in servers.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            // It grows as it is used; the limit may be generous.
            servers: Mutex::new(LruCache::unbounded()),
            limit,
        }
    }

    /// What is kept is whole after every step, so a panic elsewhere spoils nothing.
    fn servers(&self) -> MutexGuard<'_, LruCache<ServerName<'static>, Kept>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, name: ServerName<'static>, change: impl FnOnce(&mut Kept)) {
        let mut servers = self.servers();
        change(servers.get_or_insert_mut(name, Kept::default));
        if servers.len() > self.limit {
            servers.pop_lru();
        }
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.keep(name, |kept| kept.group = Some(group));
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.servers().get(&name.to_owned())?.group
    }

    fn set_tls12_session(&self, name: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.keep(name, |kept| kept.session = Some(session));
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.servers().get(&name.to_owned())?.session.clone()
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        if let Some(kept) = self.servers().get_mut(name) {
            kept.session = None;
        }
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.keep(name, |kept| {
            if kept.tickets.len() == TICKETS {
                kept.tickets.pop_front();
            }
            kept.tickets.push_back(ticket);
        });
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.servers().get_mut(name)?.tickets.pop_back()
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
