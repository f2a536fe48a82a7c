//! Nghttpd: its options are its configuration.

use std::path::Path;

use crate::real::recipe::{Recipe, installed};

/// With these options, `--no-tls` among them or not.
pub(crate) fn nghttpd(options: &'static [&'static str]) -> Option<Recipe> {
    let is_secure = !options.contains(&"--no-tls");
    let arguments = move |_: &Path, port: u16| {
        let port = port.to_string();
        let mut all = vec!["--address=127.0.0.1", "--htdocs=docs"];
        all.extend(options);
        all.push(&port);
        if is_secure {
            all.extend(["key.pem", "chain.pem"]);
        }
        all.into_iter().map(str::to_owned).collect()
    };
    Some(Recipe {
        program: installed("nghttpd")?,
        is_secure,
        arguments: Box::new(arguments),
        sign: None,
        goodbye: "TERM",
    })
}
