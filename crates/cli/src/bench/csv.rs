//! A line for each request, as it ends.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gannet::{Failure, Response};

use crate::bench::samples::Phases;
use crate::exit;
use crate::row::micros;

const HEAD: &str = "end_us,latency_us,queue_us,service_us,first_byte_us,body_us,status,error,body_bytes,\
                    connection,stream,reused,attempts";

/// A file of comma-separated values (RFC 4180), times in microseconds. What cannot be written ends it.
pub(crate) struct Table {
    path: PathBuf,
    file: BufWriter<File>,
    broken: Option<io::Error>,
}

impl Table {
    pub(crate) fn create(path: &Path) -> Result<Self, exit::Failure> {
        let failed = |error: &io::Error| exit::Failure::output(path.display(), error);
        let mut file = BufWriter::new(File::create(path).map_err(|error| failed(&error))?);
        writeln!(file, "{HEAD}").map_err(|error| failed(&error))?;
        // Told now, if there is no room, and not at the end of a long run.
        file.flush().map_err(|error| failed(&error))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            broken: None,
        })
    }

    /// An answer that came at `at` and was waited for as long as `latency`.
    pub(crate) fn add(
        &mut self,
        at: Duration,
        answer: &Result<Response, Failure>,
        latency: Duration,
    ) {
        let (status, error, receipt) = match answer {
            Ok(response) => (response.status.as_str(), "", &response.receipt),
            Err(failure) => ("", failure.kind(), &*failure.receipt),
        };
        let phases = Phases::of(receipt);
        let number = |number: Option<u64>| number.map_or_else(String::new, |n| n.to_string());
        if self.broken.is_none() {
            let written = writeln!(
                self.file,
                "{},{},{},{},{},{},{status},{error},{},{},{},{},{}",
                micros(at),
                micros(latency),
                phases.queue,
                phases.service,
                phases.first_byte,
                phases.body,
                receipt.body_bytes,
                number(receipt.connection),
                number(receipt.stream.map(u64::from)),
                receipt.reused,
                receipt.attempts,
            );
            self.broken = written.err();
        }
    }

    pub(crate) fn finish(mut self) -> Result<(), exit::Failure> {
        let ended = self.broken.take().map_or_else(|| self.file.flush(), Err);
        ended.map_err(|error| exit::Failure::output(self.path.display(), &error))
    }
}
