//! HAProxy with TLS, in front of a server that speaks HTTP/1.1.

use std::fs;
use std::path::Path;

use crate::real::recipe::{Recipe, installed};

/// In front of the server at port `behind`.
pub(crate) fn haproxy(behind: u16) -> Option<Recipe> {
    let arguments = move |folder: &Path, port: u16| {
        let at = folder.display();
        let read = |name| fs::read_to_string(folder.join(name)).expect("written before");
        let pair = format!("{}{}", read("chain.pem"), read("key.pem"));
        fs::write(folder.join("pair.pem"), pair).expect("room on the disk");
        let config = format!(
            "
global
    nbthread 1
    maxconn 1000
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend front
    bind 127.0.0.1:{port} ssl crt {at}/pair.pem alpn h2
    default_backend back
backend back
    server behind 127.0.0.1:{behind}
"
        );
        fs::write(folder.join("haproxy.conf"), config).expect("a config");
        let path = format!("{at}/haproxy.conf");
        ["-db", "-f", &path].map(str::to_owned).to_vec()
    };
    Some(Recipe {
        program: installed("haproxy")?,
        is_secure: true,
        arguments: Box::new(arguments),
        sign: None,
        goodbye: "USR1",
    })
}
