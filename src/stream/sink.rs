//! Where the body of a response goes.

use std::sync::Arc;
use std::task::Context;
use std::time::Instant;

use bytes::Bytes;

use crate::body::{ByteBudget, Inlet, Share};
use crate::stream::gathered::Gathered;

/// Where the body of a response goes.
pub(super) enum Sink {
    /// All of it is wanted at once.
    Gather { body: Gathered, share: Share },
    /// To someone who reads it as it comes.
    Pipe(Inlet),
}

/// What there is to know before more is put in.
pub(super) enum Room {
    /// There is room, or not yet.
    Is {
        open: bool,
        /// Bytes that lie unread.
        unread: usize,
        /// Bytes read since it was asked last.
        taken: usize,
        /// When the last that lay there was read, where somebody else reads.
        emptied: Option<Instant>,
    },
    /// Nobody reads any more.
    Left,
}

impl Sink {
    pub(super) fn gather(announced: Option<u64>, budget: &Arc<ByteBudget>) -> Self {
        Self::Gather {
            body: Gathered::new(announced),
            share: Share::new(budget),
        }
    }

    /// What was gathered.
    pub(super) fn into_gathered(self) -> Bytes {
        match self {
            Self::Gather { body, share } => body.finish(share.spares()),
            Self::Pipe(_) => Bytes::new(),
        }
    }

    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Room {
        match self {
            Self::Gather { share, .. } => {
                let open = share.poll_room(true, cx).is_ready();
                // What waits for the memory of others waits for no server.
                let unread = usize::from(!open);
                Room::Is {
                    open,
                    unread,
                    taken: 0,
                    emptied: None,
                }
            }
            Self::Pipe(inlet) if inlet.is_left() => Room::Left,
            Self::Pipe(inlet) => Room::Is {
                open: inlet.poll_room(cx).is_ready(),
                unread: inlet.held(),
                taken: inlet.taken(),
                emptied: inlet.emptied(),
            },
        }
    }

    /// Puts a piece in. Returns how many bytes the server may send for it at once.
    pub(super) fn push(&mut self, piece: Bytes) -> usize {
        let length = piece.len();
        match self {
            Self::Gather { body, share } => {
                share.take(length);
                body.push(piece, share.spares());
                length
            }
            Self::Pipe(inlet) => {
                inlet.push(piece);
                0
            }
        }
    }
}
