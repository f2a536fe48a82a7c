//! Caddy with TLS.

use std::fs;
use std::path::Path;

use crate::real::recipe::{Recipe, installed};

/// HTTP/2 and HTTP/1.1 by ALPN; its log is in JSON, and no books are kept of it.
pub(crate) fn caddy() -> Option<Recipe> {
    let arguments = |folder: &Path, port: u16| {
        let at = folder.display();
        let config = format!(
            "{{
    admin off
    auto_https off
    storage file_system {at}/caddy
    servers {{
        protocols h1 h2
    }}
}}
https://127.0.0.1:{port}, https://localhost:{port} {{
    bind 127.0.0.1
    tls {at}/chain.pem {at}/key.pem
    root * {at}/docs
    file_server
}}
"
        );
        let path = folder.join("Caddyfile");
        fs::write(&path, config).expect("a config");
        let path = path.display().to_string();
        ["run", "--adapter", "caddyfile", "--config", &path]
            .map(str::to_owned)
            .to_vec()
    };
    Some(Recipe {
        program: installed("caddy")?,
        is_secure: true,
        arguments: Box::new(arguments),
        sign: None,
        goodbye: "TERM",
    })
}
