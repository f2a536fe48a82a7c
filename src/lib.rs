//! A concurrent fetch engine for HTTP/2 and HTTP/1.1, built from actors.
//!
//! ```text
//! Fetch ─▶ Agent ─▶ Pool ─▶ Connection ─▶ Stream
//!            ▲                               │
//!  failed    └───────────────────────────────┤
//!  caller  ◀──────────── response ───────────┘
//! ```
//!
//! An [`Agent`] takes [`Fetch`] messages and is the only one that repeats them; a Pool keeps the
//! connections of all origins under one cap; a Connection owns one session with one origin; a
//! Stream sends one request and answers with one [`Response`]. There are three ways in, and one
//! path behind them:
//!
//! - [`Engine::fetch`]: a future, from any executor; dropping it cancels;
//! - [`Engine::fetch_all`]: a stream of requests in, a stream of responses out;
//! - [`Engine::agent`]: an actor to send [`Fetch`] messages to, for a program made of actors.
//!
//! The server chooses the protocol; names, addresses, proxies, TLS and redirects are a matter of
//! [`Config`], some of [`Request`].
//!
//! Every fetch is answered exactly once, within its deadline, whatever servers do. The limits that
//! see to this are the fields of [`Config`].

pub mod error;
pub mod origin;
mod upload;
pub mod event;
pub mod request;
pub mod response;
pub mod config;
pub mod policy;
pub mod decode;
pub mod view;
mod log;
mod clock;
pub mod body;
pub mod message;
mod net;
mod session;
mod stream;
mod connection;
mod pool;
pub mod agent;
pub mod engine;

pub use agent::Agent;
pub use body::{Body, OpenResponse};
pub use config::Config;
pub use engine::Engine;
pub use error::Error;
pub use message::{Fetch, Open};
pub use origin::{Origin, Protocol, Protocols, Proxy, Target};
pub use request::Request;
pub use response::{Failure, Response};
pub use upload::Upload;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
