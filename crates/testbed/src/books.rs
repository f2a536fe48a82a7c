//! What the server has done so far: counters, and the journal of connections.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How many entries the journal keeps.
const JOURNAL: usize = 100_000;

/// A snapshot of the counters of a [`Testbed`](crate::Testbed), all of one moment.
///
/// A *stream* is a request with its answer, whatever the version of HTTP, as the handler sees it:
/// it is open from the arrival of the request head to the moment the last piece of the response
/// body is handed over (or the response dropped). A client that has seen the end of a response can
/// rely on its stream not being open any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Connections accepted in all.
    pub connections: u64,
    /// Connections open now. Counted as soon as accepted, and no more *before* the server closes
    /// its socket: a client that has seen the end of the connection can rely on it.
    pub open: u64,
    /// The most connections open at once.
    pub peak_open: u64,
    /// TLS handshakes finished.
    pub handshakes: u64,
    /// TLS handshakes failed, given up by the client, or not finished in time.
    pub handshake_failures: u64,
    /// Request heads that reached a handler.
    pub requests: u64,
    /// Streams open now.
    pub streams_open: u64,
    /// The most streams open at once on any one connection.
    pub peak_streams: u64,
    /// The most streams open at once on all connections together.
    pub peak_streams_total: u64,
    /// Bytes of response bodies handed over.
    pub body_bytes: u64,
    /// Bytes of request bodies received.
    pub received_bytes: u64,
    /// Streams dropped before the end of their response, or before it began.
    pub cancelled: u64,
}

/// A line of the journal of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Position in the journal, from 0, without gaps.
    pub seq: u64,
    /// The server's address of the connection.
    pub local_ip: IpAddr,
    /// What happened.
    pub kind: EntryKind,
    /// Number of the connection, from 0 in the order of acceptance.
    pub connection: u64,
}

/// What happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// The server accepted it.
    Opened,
    /// It ended, and the server is about to close its socket.
    Closed,
}

#[derive(Debug, Default)]
struct Pages {
    books: Books,
    journal: VecDeque<Entry>,
    next_entry: u64,
    /// The streams open on each open connection.
    streams: HashMap<u64, u64>,
    changes: u64,
    waiting: usize,
}

impl Pages {
    fn enter(&mut self, kind: EntryKind, connection: u64, local_ip: IpAddr) {
        if self.journal.len() == JOURNAL {
            self.journal.pop_front();
        }
        let seq = self.next_entry;
        self.next_entry += 1;
        self.journal.push_back(Entry {
            seq,
            local_ip,
            kind,
            connection,
        });
    }
}

/// The books while they are being kept.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pages: Mutex<Pages>,
    changed: Condvar,
    changed_async: Notify,
}

impl Ledger {
    pub(crate) fn books(&self) -> Books {
        self.pages().books
    }

    pub(crate) fn journal(&self) -> Vec<Entry> {
        self.pages().journal.iter().copied().collect()
    }

    pub(crate) fn reset_peaks(&self) {
        self.change(|pages| {
            pages.books.peak_open = pages.books.open;
            pages.books.peak_streams = pages.streams.values().copied().max().unwrap_or(0);
            pages.books.peak_streams_total = pages.books.streams_open;
        });
    }

    pub(crate) fn handshake(&self, done: bool) {
        self.change(|pages| match done {
            true => pages.books.handshakes += 1,
            false => pages.books.handshake_failures += 1,
        });
    }

    pub(crate) fn wait_until(
        &self,
        mut condition: impl FnMut(&Books) -> bool,
        timeout: Duration,
    ) -> bool {
        let begun = Instant::now();
        loop {
            let (books, changes) = self.look();
            // Without the lock, so that the condition may look at the books itself.
            if condition(&books) {
                return true;
            }
            let Some(left) = timeout.checked_sub(begun.elapsed()) else {
                return false;
            };
            let mut pages = self.pages();
            pages.waiting += 1;
            let waited = self
                .changed
                .wait_timeout_while(pages, left, |pages| pages.changes == changes);
            let (mut pages, _) = waited.unwrap_or_else(PoisonError::into_inner);
            pages.waiting -= 1;
        }
    }

    pub(crate) async fn until(&self, mut condition: impl FnMut(&Books) -> bool) {
        loop {
            // Registered before looking, so that no change falls between.
            let mut changed = std::pin::pin!(self.changed_async.notified());
            changed.as_mut().enable();
            if condition(&self.books()) {
                return;
            }
            changed.await;
        }
    }

    fn look(&self) -> (Books, u64) {
        let pages = self.pages();
        (pages.books, pages.changes)
    }

    fn change<T>(&self, write: impl FnOnce(&mut Pages) -> T) -> T {
        let mut pages = self.pages();
        let result = write(&mut pages);
        pages.changes += 1;
        let waiting = pages.waiting > 0;
        drop(pages);
        if waiting {
            self.changed.notify_all();
        }
        self.changed_async.notify_waiters();
        result
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An accepted connection, counted as open until [`closed`](Self::closed).
#[derive(Debug)]
pub(crate) struct Connection {
    ledger: Arc<Ledger>,
    number: u64,
    local_ip: IpAddr,
    open: AtomicBool,
}

impl Connection {
    pub(crate) fn opened(ledger: &Arc<Ledger>, local_ip: IpAddr) -> Arc<Self> {
        let number = ledger.change(|pages| {
            let number = pages.books.connections;
            pages.books.connections += 1;
            pages.books.open += 1;
            pages.books.peak_open = pages.books.peak_open.max(pages.books.open);
            pages.streams.insert(number, 0);
            pages.enter(EntryKind::Opened, number, local_ip);
            number
        });
        Arc::new(Self {
            ledger: Arc::clone(ledger),
            number,
            local_ip,
            open: AtomicBool::new(true),
        })
    }

    /// Counts the connection as closed, if it is not yet.
    pub(crate) fn closed(&self) {
        if self.open.swap(false, Ordering::AcqRel) {
            self.ledger.change(|pages| {
                pages.books.open -= 1;
                pages.streams.remove(&self.number);
                pages.enter(EntryKind::Closed, self.number, self.local_ip);
            });
        }
    }
}

/// A request and its answer, counted as open until it ends or is dropped.
#[derive(Debug)]
pub(crate) struct Stream {
    connection: Arc<Connection>,
    ended: bool,
}

impl Stream {
    pub(crate) fn begun(connection: &Arc<Connection>) -> Self {
        connection.ledger.change(|pages| {
            let books = &mut pages.books;
            books.requests += 1;
            books.streams_open += 1;
            books.peak_streams_total = books.peak_streams_total.max(books.streams_open);
            // The streams of a connection that is gone are no longer told apart.
            if let Some(here) = pages.streams.get_mut(&connection.number) {
                *here += 1;
                books.peak_streams = books.peak_streams.max(*here);
            }
        });
        Self {
            connection: Arc::clone(connection),
            ended: false,
        }
    }

    /// Counts a piece of the response body, and the end of the stream if it was the last one.
    pub(crate) fn sent(&mut self, bytes: u64, last: bool) {
        let end = last && !self.ended;
        self.ended |= last;
        self.write(|pages, connection| {
            pages.books.body_bytes += bytes;
            if end {
                close_stream(pages, connection);
            }
        });
    }

    pub(crate) fn received(&self, bytes: u64) {
        self.write(|pages, _| pages.books.received_bytes += bytes);
    }

    fn write(&self, write: impl FnOnce(&mut Pages, u64)) {
        let number = self.connection.number;
        self.connection.ledger.change(|pages| write(pages, number));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if !self.ended {
            self.write(|pages, connection| {
                pages.books.cancelled += 1;
                close_stream(pages, connection);
            });
        }
    }
}

fn close_stream(pages: &mut Pages, connection: u64) {
    pages.books.streams_open -= 1;
    if let Some(here) = pages.streams.get_mut(&connection) {
        *here -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_connection_is_closed_once() {
        let ledger = Arc::new(Ledger::default());
        let first = Connection::opened(&ledger, IP);
        let second = Connection::opened(&ledger, IP);
        first.closed();
        first.closed();
        let books = ledger.books();
        assert_eq!((books.connections, books.open, books.peak_open), (2, 1, 2));
        second.closed();
        let journal = ledger.journal();
        let lines: Vec<_> = journal
            .iter()
            .map(|e| (e.seq, e.kind, e.connection))
            .collect();
        use EntryKind::{Closed, Opened};
        assert_eq!(
            lines,
            [
                (0, Opened, 0),
                (1, Opened, 1),
                (2, Closed, 0),
                (3, Closed, 1)
            ]
        );
    }

    #[test]
    fn streams_are_counted_by_connection_and_in_all() {
        let ledger = Arc::new(Ledger::default());
        let connections = [IP, IP].map(|ip| Connection::opened(&ledger, ip));
        let mut first = Stream::begun(&connections[0]);
        let second = Stream::begun(&connections[0]);
        let third = Stream::begun(&connections[1]);
        first.sent(5, false);
        first.sent(6, true);
        drop((first, second));
        connections[1].closed();
        drop(third);
        let books = ledger.books();
        assert_eq!((books.peak_streams, books.peak_streams_total), (2, 3));
        assert_eq!((books.streams_open, books.cancelled), (0, 2));
        assert_eq!((books.requests, books.body_bytes), (3, 11));
        ledger.reset_peaks();
        let books = ledger.books();
        assert_eq!((books.peak_open, books.peak_streams), (1, 0));
    }

    #[test]
    fn the_journal_is_bounded() {
        let ledger = Arc::new(Ledger::default());
        for _ in 0..JOURNAL {
            Connection::opened(&ledger, IP).closed();
        }
        let journal = ledger.journal();
        assert_eq!(journal.len(), JOURNAL);
        assert_eq!(journal[0].seq, JOURNAL as u64);
    }

    #[test]
    fn waiting_ends_with_the_condition_or_the_time() {
        let ledger = Arc::new(Ledger::default());
        assert!(!ledger.wait_until(|books| books.open > 0, Duration::from_millis(20)));
        let waiter = Arc::clone(&ledger);
        let waiting = std::thread::spawn(move || {
            waiter.wait_until(|books| books.connections == 100, Duration::from_secs(30))
        });
        for _ in 0..100 {
            Connection::opened(&ledger, IP);
        }
        assert!(waiting.join().expect("the waiting thread does not panic"));
    }
}
