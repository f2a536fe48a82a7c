//! Where results go: standard output or a file, and a directory for bodies.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread;

use gannet::Response;
use tokio::sync::{mpsc, oneshot};

use crate::exit::{Failure, is_standard};
use crate::row::{Body, Job, Row, Trouble};

/// Outcomes that wait to be written. Few, as each can hold a body.
const WAITING: usize = 32;

/// A place to write to, and its name for messages.
pub(crate) struct Sink {
    pub(crate) name: String,
    writer: Box<dyn Write + Send>,
}

impl Sink {
    /// Opens a file for writing, or standard output for `-` and nothing.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        match path.filter(|path| !is_standard(path)) {
            None => Ok(Self {
                name: "standard output".to_owned(),
                writer: Box::new(io::stdout()),
            }),
            Some(path) => {
                let file = File::create(path).map_err(|e| Failure::output(path.display(), &e))?;
                Ok(Self::file(file, path))
            }
        }
    }

    /// A file that is open already.
    pub(crate) fn file(file: File, path: &Path) -> Self {
        Self {
            name: path.display().to_string(),
            writer: Box::new(file),
        }
    }

    pub(crate) fn put(&mut self, piece: &[u8]) -> io::Result<()> {
        self.writer.write_all(piece)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// What becomes of bodies.
#[derive(Clone, Debug)]
pub(crate) enum Bodies {
    Dropped,
    Inline,
    Directory(PathBuf),
}

/// An outcome to write.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) job: Job,
    pub(crate) result: Result<Response, gannet::Failure>,
    /// What is wrong with a response that did come.
    pub(crate) trouble: Option<Trouble>,
}

/// Writes outcomes on a thread of its own: a reader that is slow to take them must not keep the
/// program from noticing an interrupt.
pub(crate) struct Writer {
    records: mpsc::Sender<Record>,
    ended: oneshot::Receiver<Result<(), Failure>>,
}

impl Writer {
    pub(crate) fn start(sink: Sink, bodies: Bodies) -> Result<Self, Failure> {
        if let Bodies::Directory(path) = &bodies {
            fs::create_dir_all(path).map_err(|e| Failure::output(path.display(), &e))?;
        }
        let (records, waiting) = mpsc::channel(WAITING);
        let (end, ended) = oneshot::channel();
        thread::Builder::new()
            .name("gannet-output".to_owned())
            // Nobody listens if the program has given up in the meantime.
            .spawn(move || drop(end.send(write_all(sink, &bodies, waiting))))
            .map_err(Failure::start)?;
        Ok(Self { records, ended })
    }

    /// Hands an outcome over, when there is room.
    pub(crate) async fn write(&mut self, record: Record) -> Result<(), Failure> {
        match self.records.send(record).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failed().await),
        }
    }

    /// Ends when nothing more can be written.
    pub(crate) async fn failed(&mut self) -> Failure {
        match (&mut self.ended).await {
            Ok(Err(failure)) => failure,
            Ok(Ok(())) | Err(_) => Failure::start("the output thread ended"),
        }
    }

    /// Ends when all is written.
    pub(crate) async fn finish(self) -> Result<(), Failure> {
        drop(self.records);
        let gone = |_| Err(Failure::start("the output thread ended"));
        self.ended.await.unwrap_or_else(gone)
    }
}

fn write_all(
    sink: Sink,
    bodies: &Bodies,
    mut waiting: mpsc::Receiver<Record>,
) -> Result<(), Failure> {
    let Sink { name, writer } = sink;
    let failed = |error: io::Error| Failure::output(&name, &error);
    let mut writer = BufWriter::new(writer);
    while let Some(record) = waiting.blocking_recv() {
        let mut next = Some(record);
        while let Some(record) = next {
            let line = line(&record, bodies)?.map_err(failed)?;
            // In one piece, so that whatever ends the program leaves no half of a line.
            writer.write_all(&line).map_err(failed)?;
            next = waiting.try_recv().ok();
        }
        // Nothing else waits: whoever reads along sees what there is.
        writer.flush().map_err(failed)?;
    }
    writer.flush().map_err(failed)
}

/// The row of an outcome, its body written if it goes to a file.
fn line(record: &Record, bodies: &Bodies) -> Result<io::Result<Vec<u8>>, Failure> {
    let row = match &record.result {
        Err(error) => Row::failed(&record.job, error),
        Ok(response) => {
            let body = match bodies {
                Bodies::Dropped => Body::Nowhere,
                Bodies::Inline => Body::Inline,
                Bodies::Directory(path) => {
                    let path = path.join(format!("{:09}", record.job.id));
                    let written = fs::write(&path, &response.body);
                    written.map_err(|e| Failure::output(path.display(), &e))?;
                    Body::File(path.display().to_string())
                }
            };
            Row::answered(&record.job, response, body).with(record.trouble.clone())
        }
    };
    Ok(row.to_line().map_err(io::Error::from))
}

/// Makes a file of a name that is not taken, in the directory for temporary files.
pub(crate) fn fresh_file(stem: &str, extension: &str) -> Result<(File, PathBuf), Failure> {
    let directory = std::env::temp_dir();
    let process = std::process::id();
    let mut number = 0_u32;
    loop {
        let path = directory.join(format!("{stem}-{process}-{number}.{extension}"));
        match File::create_new(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 10_000 => {
                number += 1;
            }
            Err(error) => return Err(Failure::output(path.display(), &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_files_are_all_different() {
        let (_, first) = fresh_file("gannet-test", "tmp").expect("a file");
        let (_, second) = fresh_file("gannet-test", "tmp").expect("a file");
        assert_ne!(first, second);
        for path in [first, second] {
            fs::remove_file(path).expect("was made");
        }
    }

    #[test]
    fn a_sink_that_cannot_be_opened_is_told() {
        let failure = Sink::open(Some(Path::new("/nonexistent/x")))
            .map(|_| ())
            .expect_err("missing");
        assert_eq!(failure.exit, crate::exit::Exit::Output);
    }
}
