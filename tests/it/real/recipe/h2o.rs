//! H2o with TLS.

use std::fs;
use std::path::Path;

use crate::real::recipe::{Recipe, installed, is_root};

pub(crate) fn h2o() -> Option<Recipe> {
    let arguments = |folder: &Path, port: u16| {
        let at = folder.display();
        // Started by root, it would become a user that may not read the documents.
        let user = if is_root(folder) { "user: root" } else { "" };
        let config = format!(
            r#"
{user}
num-threads: 1
pid-file: {at}/pid
error-log: {at}/error.log
access-log: {{ path: {at}/access.log, format: "%m %s %U%q" }}
hosts:
  default:
    listen:
      host: 127.0.0.1
      port: {port}
      ssl: {{ certificate-file: {at}/chain.pem, key-file: {at}/key.pem, neverbleed: OFF }}
    paths:
      /: {{ file.dir: {at}/docs }}
"#
        );
        fs::write(folder.join("h2o.conf"), config).expect("a config");
        vec!["-c".to_owned(), format!("{at}/h2o.conf")]
    };
    Some(Recipe {
        program: installed("h2o")?,
        is_secure: true,
        arguments: Box::new(arguments),
        sign: Some("pid"),
        goodbye: "TERM",
    })
}
