//! Tinyproxy, one process with a thread a connection.

use std::fs;
use std::path::Path;

use crate::real::recipe::{Recipe, installed};

/// With these lines in its configuration.
pub(crate) fn tinyproxy(extra: &'static str) -> Option<Recipe> {
    let arguments = move |folder: &Path, port: u16| {
        let at = folder.display();
        let path = folder.join("tinyproxy.conf");
        let config = format!(
            "Port {port}
Listen 127.0.0.1
Timeout 60
MaxClients 50
LogFile \"{at}/error.log\"
LogLevel Info
{extra}
"
        );
        fs::write(&path, config).expect("a config");
        let path = path.display().to_string();
        ["-d", "-c", &path].map(str::to_owned).to_vec()
    };
    Some(Recipe {
        program: installed("tinyproxy")?,
        is_secure: false,
        arguments: Box::new(arguments),
        sign: None,
        goodbye: "TERM",
    })
}
