//! Nghttpx as a forward proxy over TLS that speaks HTTP/2, in front of one that speaks HTTP/1.1.

use std::path::Path;

use crate::real::recipe::{Recipe, installed};

/// In front of the proxy at port `behind`.
pub(crate) fn nghttpx(behind: u16) -> Option<Recipe> {
    let arguments = move |folder: &Path, port: u16| {
        let at = folder.display();
        vec![
            "--http2-proxy".to_owned(),
            "--workers=1".to_owned(),
            format!("--frontend=127.0.0.1,{port}"),
            format!("--backend=127.0.0.1,{behind}"),
            format!("--accesslog-file={at}/access.log"),
            "--accesslog-format=$alpn $status $remote_port".to_owned(),
            format!("--errorlog-file={at}/error.log"),
            format!("--pid-file={at}/pid"),
            "--conf=/dev/null".to_owned(),
            format!("{at}/key.pem"),
            format!("{at}/chain.pem"),
        ]
    };
    Some(Recipe {
        program: installed("nghttpx")?,
        is_secure: true,
        arguments: Box::new(arguments),
        sign: None,
        goodbye: "QUIT",
    })
}
