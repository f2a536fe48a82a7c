//! What a request sends: `--data`, `--data-binary`, `--upload-file`.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use gannet::Upload;
use tokio::io::AsyncRead;

use crate::exit::{Failure, is_standard};
use crate::pace::Pace;

/// What `--data` sends; `None` without any.
pub(crate) fn form(data: &[String]) -> Result<Option<Bytes>, Failure> {
    if data.is_empty() {
        return Ok(None);
    }
    let piece = |text: &String| match text.strip_prefix('@') {
        None => Ok(text.clone().into_bytes()),
        Some(path) => {
            let content = match path {
                "-" => standard(),
                path => fs::read(path),
            };
            let mut content = content.map_err(|error| Failure::input(path, &error))?;
            content.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
            Ok(content)
        }
    };
    let pieces = data.iter().map(piece).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(pieces.join(&b'&').into()))
}

/// What `--data-binary` sends: the text, or a file as it is.
pub(crate) fn binary(data: &str, rate: Option<u64>) -> Result<Upload, Failure> {
    match data.strip_prefix('@') {
        Some(path) => file(Path::new(path), rate),
        None => Ok(data.to_owned().into()),
    }
}

/// All that comes on standard input.
fn standard() -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    io::stdin().read_to_end(&mut content)?;
    Ok(content)
}

/// A file, or standard input; at most so many bytes a second.
pub(crate) fn file(path: &Path, rate: Option<u64>) -> Result<Upload, Failure> {
    if is_standard(path) {
        return Ok(reader(tokio::io::stdin(), rate));
    }
    // Sooner told than when the connection is open.
    let opened = fs::File::open(path).and_then(|file| Ok((file.metadata()?, file)));
    let (known, file) = opened.map_err(|error| Failure::input(path.display(), &error))?;
    if known.is_dir() {
        let error = io::ErrorKind::IsADirectory.into();
        return Err(Failure::input(path.display(), &error));
    }
    if !known.is_file() {
        // A pipe, perhaps: what it yields it yields once, to whoever has it open.
        return Ok(reader(tokio::fs::File::from_std(file), rate));
    }
    let upload = Upload::file(path);
    Ok(match rate {
        Some(rate) => Upload::stream(paced(upload.into_stream(), rate)).length(known.len()),
        None => upload,
    })
}

fn reader(reader: impl AsyncRead + Send + 'static, rate: Option<u64>) -> Upload {
    let upload = Upload::reader(reader);
    match rate {
        Some(rate) => Upload::stream(paced(upload.into_stream(), rate)),
        None => upload,
    }
}

fn paced<S, E>(pieces: S, rate: u64) -> impl Stream<Item = Result<Bytes, E>> + Send
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Send,
{
    let pieces = Box::pin(pieces);
    stream::unfold(
        (pieces, Some(Pace::new(rate))),
        |(mut pieces, mut pace)| async move {
            let piece = pieces.next().await?;
            let length = piece.as_ref().map_or(0, Bytes::len);
            Pace::keep(&mut pace, length).await;
            Some((piece, (pieces, pace)))
        },
    )
}
