//! Apache httpd with TLS: the event MPM and mod_http2, as Debian packages them.

use std::fs;
use std::path::Path;

use crate::real::recipe::{Recipe, installed, is_root};

/// What Debian does not compile in, and where it is.
const MODULES: &str = "/usr/lib/apache2/modules";
const LOADED: [&str; 5] = ["mpm_event", "authz_core", "socache_shmcb", "ssl", "http2"];

pub(crate) fn apache() -> Option<Recipe> {
    let arguments = |folder: &Path, port: u16| {
        let path = folder.join("apache.conf");
        fs::write(&path, config(folder, port)).expect("a config");
        let path = path.display().to_string();
        ["-DFOREGROUND", "-f", &path].map(str::to_owned).to_vec()
    };
    Some(Recipe {
        program: installed("apache2")?,
        is_secure: true,
        arguments: Box::new(arguments),
        sign: Some("pid"),
        goodbye: "WINCH",
    })
}

fn config(folder: &Path, port: u16) -> String {
    let at = folder.display();
    let load = |name| format!("LoadModule {name}_module {MODULES}/mod_{name}.so\n");
    let modules = LOADED.map(load).concat();
    // Started by root, it must become someone else: a user that may read what all may read.
    let user = if is_root(folder) {
        "User www-data\nGroup www-data"
    } else {
        ""
    };
    format!(
        "{modules}
        {user}
        ServerRoot {at}
        ServerName localhost
        PidFile {at}/pid
        DefaultRuntimeDir {at}
        Mutex file:{at} default
        ErrorLog {at}/error.log
        LogFormat \"%m %>s %U%q\" books
        CustomLog {at}/access.log books
        StartServers 1
        ServerLimit 1
        Listen 127.0.0.1:{port}
        SSLEngine on
        SSLCertificateFile {at}/chain.pem
        SSLCertificateKeyFile {at}/key.pem
        SSLSessionCache none
        Protocols h2
        DocumentRoot {at}/docs
        "
    )
}
