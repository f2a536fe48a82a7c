//! A body on its way to where it is wanted, in bounded memory.

use std::io;
use std::path::Path;

use bytes::Bytes;
use futures::StreamExt;
use gannet::Body;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::exit::Failure;
use crate::output::Sink;
use crate::pace::Pace;
use crate::progress::Transferred;

/// Pieces that wait to be written.
const WAITING: usize = 8;

/// How a body ended.
#[derive(Debug)]
pub(crate) enum End {
    Whole,
    /// Whoever read has read enough.
    Enough,
    /// It was cut off after so many bytes.
    Cut(gannet::Error, u64),
}

/// Writes on a thread of its own, so that an interrupt is noticed while nobody reads.
struct Pen {
    pieces: mpsc::Sender<Bytes>,
    written: JoinHandle<Result<(), Failure>>,
}

impl Pen {
    fn new(mut sink: Sink) -> Self {
        let (pieces, mut inbox) = mpsc::channel::<Bytes>(WAITING);
        let written = spawn_blocking(move || {
            let mut write = || {
                while let Some(piece) = inbox.blocking_recv() {
                    sink.put(&piece)?;
                }
                sink.flush()
            };
            write().map_err(|error: io::Error| Failure::output(&sink.name, &error))
        });
        Self { pieces, written }
    }

    /// `false` once nothing can be written any more.
    async fn put(&self, piece: Bytes) -> bool {
        self.pieces.send(piece).await.is_ok()
    }

    async fn finish(self) -> Result<(), Failure> {
        drop(self.pieces);
        self.written.await.map_err(Failure::start)?
    }
}

/// Writes `head` and then the body to a file or standard output.
pub(crate) async fn write(
    head: Vec<u8>,
    body: Option<&mut Body>,
    to: Option<&Path>,
    mut pace: Option<Pace>,
    progress: &Transferred,
) -> Result<End, Failure> {
    let pen = Pen::new(Sink::open(to)?);
    let mut is_read = head.is_empty() || pen.put(head.into()).await;
    let (mut bytes, mut cut) = (0, None);
    if let Some(body) = body {
        while let Some(piece) = body.next().await {
            match piece {
                Err(error) => cut = Some(error),
                Ok(piece) => {
                    let length = piece.len();
                    is_read = pen.put(piece).await;
                    if !is_read {
                        break;
                    }
                    bytes += length as u64;
                    progress.moved(length);
                    Pace::keep(&mut pace, length).await;
                }
            }
        }
    }
    match pen.finish().await {
        // Whoever read is gone.
        Err(Failure { message: None, .. }) => Ok(End::Enough),
        Err(failure) => Err(failure),
        Ok(()) if !is_read => Ok(End::Enough),
        Ok(()) => Ok(cut.map_or(End::Whole, |error| End::Cut(error, bytes))),
    }
}
