//! What is known of the frames that a server has sent.

use std::cell::{Cell, OnceCell};
use std::io;
use std::rc::Rc;

use super::orphans::GivenUp;
use crate::error::Error;
use crate::message::GoAway;
use crate::net::tls::late_refusal;

/// What was seen of the server's frames. Shared, on one thread, by the tap and the connection.
///
/// A frame counts once its head is handed on, or taken out: with back-pressure, later than it came.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    pub(super) tally: Cell<Tally>,
    pub(super) unsure: Cell<u64>,
    pub(super) suspect: Cell<Option<u32>>,
    refusal: OnceCell<Error>,
    pub(super) given_up: Rc<GivenUp>,
}

impl Sight {
    /// Grows with each frame that may move an exchange on, which a server that only keeps the
    /// session up does not send.
    pub(crate) fn progress(&self) -> u64 {
        let tally = self.tally.get();
        tally.steps + tally.content
    }

    /// Frames that carried some of a body: surely progress.
    pub(crate) fn content(&self) -> u64 {
        self.tally.get().content
    }

    /// All the others.
    pub(crate) fn idle(&self) -> u64 {
        let tally = self.tally.get();
        tally.frames.saturating_sub(tally.content)
    }

    /// Whether the head of a response has come.
    pub(crate) fn has_head(&self) -> bool {
        self.tally.get().has_head
    }

    /// Empty DATA frames taken out. They are legal, but the h2 crate ends a session at the 101st.
    pub(crate) fn empty_data(&self) -> u64 {
        self.tally.get().empty_data
    }

    /// Bytes of header blocks, as they came.
    pub(crate) fn head_bytes(&self) -> u64 {
        self.tally.get().head_bytes
    }

    /// Grows with each header block that may be an interim response. As long as it does not, none has
    /// come, whatever the stream.
    pub(crate) fn unsure(&self) -> u64 {
        self.unsure.get()
    }

    /// The latest.
    pub(crate) fn goaway(&self) -> Option<GoAway> {
        self.tally.get().goaway
    }

    /// The stream of the header block that was handed on last, unless the reader has come back for
    /// more since, and so has accepted it. When a session fails by a protocol error of the
    /// server's, this is the culprit.
    pub(crate) fn suspect(&self) -> Option<u32> {
        self.suspect.get()
    }

    /// What the server has against this side's certificate. The h2 crate would keep no more of it
    /// than a text.
    pub(crate) fn refusal(&self) -> Option<&Error> {
        self.refusal.get()
    }

    /// This side has given up a stream, along with which the server may have promised something.
    pub(crate) fn give_up(&self, stream: u32) {
        self.given_up.add(stream);
    }

    /// Reading has failed.
    pub(super) fn broken(&self, error: &io::Error) {
        if let Some(refusal) = late_refusal(error) {
            let _ = self.refusal.set(refusal);
        }
    }
}

/// What has been counted in the frames handed on or taken out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Tally {
    pub(super) frames: u64,
    /// DATA with more than padding in it.
    pub(super) content: u64,
    /// Ends of streams, pieces of header blocks, and windows of streams widened.
    pub(super) steps: u64,
    pub(super) has_head: bool,
    pub(super) empty_data: u64,
    /// The payload of the frames that header blocks come in.
    pub(super) head_bytes: u64,
    pub(super) goaway: Option<GoAway>,
}
