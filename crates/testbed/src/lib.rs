//! A real HTTP origin server to fetch from in tests, benches, examples and demonstrations.
//!
//! A [`Testbed`] listens on loopback addresses only, speaks HTTP/2 and HTTP/1.1 (over TLS with a
//! certificate authority of its own, or in cleartext), and runs on threads and on a runtime of its
//! own. It can therefore be used from synchronous code, from any executor, and by a client whose
//! clock is paused.
//!
//! ```
//! use gannet_testbed::Testbed;
//!
//! let testbed = Testbed::builder().start()?;
//! let url = testbed.url("/bytes/1000");
//! assert!(url.starts_with("https://127.0.0.1:"));
//! assert_eq!(testbed.books().connections, 0);
//! testbed.stop();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Routes
//!
//! All answer `GET` and `HEAD`, `/echo` and `/sink` any method. Unknown paths are answered 404, numbers
//! that do not parse or are too large 400, other methods 405.
//!
//! | route | answer |
//! |---|---|
//! | `/` | HTML that lists the routes |
//! | `/bytes/N[/anything][?query]` | N bytes (at most 16 GiB) that derive from path and query, see [`verify`] |
//! | `/delay/MS/REST` | `/REST`, MS milliseconds later (at most 60,000 in all); links and redirects keep the delay |
//! | `/drip/N/MS` | N derived bytes (at most 100,000), one each MS milliseconds |
//! | `/status/N` | that status, from 200 to 599 |
//! | `/echo` | the request body (at most 64 MiB), its content type, and the method in `x-method` |
//! | `/sink` | the length of the request body, and its digest |
//! | `/headers` | the request head as JSON |
//! | `/redirect/N` | 302 to `/redirect/N-1`; at 0, 200 |
//! | `/away/N/SCHEME/HOST/REST` | the redirect N, from 300 to 399, to `SCHEME://HOST/REST`; any method |
//! | `/gzip`, `/br`, `/zstd`, each also with `/N` | N bytes of derived text (10,000 unless told, at most 16 MiB) in that content coding |
//! | `/trailers` | a body and then the trailers `x-trailer` and `x-sha256` |
//! | `/tree/M/K` | page K of a site of exactly M HTML pages, all reachable from page 0 |
//! | `/stall` | a head and never any body |
//! | `/silent` | nothing, ever |
//!
//! Where a body of at most 64 MiB derives from its path, the header `x-sha256` has the digest of the
//! body before any content coding.
//!
//! # Many connections
//!
//! Each connection costs this process one file descriptor (and the client, when it is in the same
//! process, another one): for thousands of them the limit on open files has to allow it.

mod body;
mod books;
mod certificate;
mod content;
mod route;
mod routes;
mod serve;
mod testbed;

pub use books::{Books, Entry, EntryKind};
pub use certificate::Certificates;
pub use content::{Content, content, sha256_hex, text, verify};
pub use testbed::{Builder, Testbed};
