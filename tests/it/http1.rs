//! Responses over HTTP/1.1, against a server of bytes.

mod plain;
