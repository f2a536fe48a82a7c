//! Dante's SOCKS server.

use std::fs;
use std::path::Path;

use crate::real::recipe::{Recipe, installed, is_root};

/// Connects anyone on loopback to anywhere on loopback but to port 9.
pub(crate) fn dante() -> Option<Recipe> {
    let arguments = |folder: &Path, port: u16| {
        let at = folder.display();
        let path = folder.join("danted.conf");
        let user = match is_root(folder) {
            true => "user.privileged: root\nuser.unprivileged: root",
            false => "",
        };
        let config = format!(
            "logoutput: {at}/error.log
internal: 127.0.0.1 port = {port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
{user}
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks block {{ from: 127.0.0.0/8 to: 0.0.0.0/0 port = 9 }}
socks pass {{ from: 127.0.0.0/8 to: 127.0.0.0/8 log: connect }}
"
        );
        fs::write(&path, config).expect("a config");
        let (path, pid) = (path.display().to_string(), format!("{at}/pid"));
        ["-f", &path, "-p", &pid].map(str::to_owned).to_vec()
    };
    Some(Recipe {
        program: installed("danted")?,
        is_secure: false,
        arguments: Box::new(arguments),
        sign: None,
        goodbye: "TERM",
    })
}
