//! Frames and header blocks, as bytes.

use super::OK;

/// A header field, literal and not to be indexed (RFC 7541 §6.2.2); shorter than 127 bytes each.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut block = vec![0];
    for text in [name, value] {
        block.push(u8::try_from(text.len()).expect("short"));
        block.extend_from_slice(text.as_bytes());
    }
    block
}

/// `:status 200` with more fields.
pub(crate) fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = OK.to_vec();
    for (name, value) in fields {
        block.extend(field(name, value));
    }
    block
}

/// The bytes of one frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame");
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}
