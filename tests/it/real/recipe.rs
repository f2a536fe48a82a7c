//! How to start each server, and how to end it.

mod apache;
mod caddy;
mod dante;
mod h2o;
mod haproxy;
mod nghttpd;
mod nghttpx;
mod nginx;
mod squid;
mod tinyproxy;

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub(crate) use apache::apache;
pub(crate) use caddy::caddy;
pub(crate) use dante::dante;
pub(crate) use h2o::h2o;
pub(crate) use haproxy::haproxy;
pub(crate) use nghttpd::nghttpd;
pub(crate) use nghttpx::nghttpx;
pub(crate) use nginx::{Nginx, nginx};
pub(crate) use squid::{Squid, squid};
pub(crate) use tinyproxy::tinyproxy;

pub(crate) struct Recipe {
    pub(crate) program: PathBuf,
    pub(crate) is_secure: bool,
    pub(crate) arguments: Box<Arguments>,
    /// The file that it writes once it listens, if there is one: a surer sign than a connect that
    /// succeeds, for another process may have got the port.
    pub(crate) sign: Option<&'static str>,
    /// The signal that makes it finish its work and leave.
    pub(crate) goodbye: &'static str,
}

/// Writes what a server in this folder and on this port reads; gives its arguments.
pub(crate) type Arguments = dyn Fn(&Path, u16) -> Vec<String> + Send;

/// The path of a program, if it is there.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// The path of a server's program. Where continuous integration runs, it has to be there.
pub(crate) fn installed(program: &str) -> Option<PathBuf> {
    let found = find(program);
    if found.is_none() {
        let is_ci = env::var_os("CI").is_some_and(|value| value == "true");
        assert!(!is_ci, "{program} is not installed");
        eprintln!("skipped: {program} is not installed");
    }
    found
}

/// Whether the tests run as root, who made this folder. Some servers would then become a user that
/// may not read it.
fn is_root(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|folder| folder.uid() == 0)
}
