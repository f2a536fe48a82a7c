//! Nginx, as one process or with a master.

use std::fs;
use std::path::Path;

use crate::real::recipe::{Recipe, installed, is_root};

/// What may differ between one nginx and the next.
#[derive(Clone, Copy)]
pub(crate) struct Nginx {
    pub(crate) is_secure: bool,
    pub(crate) speaks_http2: bool,
    /// Without a master, it leaves at once when it is told to leave in order.
    pub(crate) has_master: bool,
    /// Directives of its `server` block.
    pub(crate) extra: &'static str,
}

impl Nginx {
    /// One process that speaks HTTP/2 over TLS.
    pub(crate) const fn secure(extra: &'static str) -> Self {
        Self {
            is_secure: true,
            speaks_http2: true,
            has_master: false,
            extra,
        }
    }
}

pub(crate) fn nginx(options: Nginx) -> Option<Recipe> {
    let arguments = move |folder: &Path, port: u16| {
        let path = folder.join("nginx.conf");
        fs::write(&path, config(options, folder, port)).expect("a config");
        let (folder, path) = (folder.display().to_string(), path.display().to_string());
        vec!["-p".to_owned(), folder, "-c".to_owned(), path]
    };
    Some(Recipe {
        program: installed("nginx")?,
        is_secure: options.is_secure,
        arguments: Box::new(arguments),
        sign: Some("pid"),
        goodbye: "QUIT",
    })
}

fn config(options: Nginx, folder: &Path, port: u16) -> String {
    let at = folder.display();
    let tls = if options.is_secure { "ssl" } else { "" };
    let http2 = if options.speaks_http2 { "http2" } else { "" };
    let master = if options.has_master { "on" } else { "off" };
    let user = if options.has_master && is_root(folder) {
        "user root;"
    } else {
        ""
    };
    let extra = options.extra;
    format!(
        "{user} daemon off; master_process {master}; worker_processes 1;
        pid {at}/pid; error_log {at}/error.log notice;
        events {{ worker_connections 1024; }}
        http {{
            log_format books '$request_method $status $request_uri $connection';
            access_log {at}/access.log books;
            client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;
            fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi;
            scgi_temp_path {at}/scgi;
            server {{
                listen 127.0.0.1:{port} {tls} {http2};
                ssl_certificate {at}/chain.pem; ssl_certificate_key {at}/key.pem;
                root {at}/docs;
                location = /accept {{ return 204; }}
                {extra}
            }}
        }}"
    )
}
