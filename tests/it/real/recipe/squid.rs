//! Squid as a forward proxy that keeps nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::real::recipe::{Recipe, installed};

/// What may differ between one squid and the next.
#[derive(Clone, Copy, Default)]
pub(crate) struct Squid {
    /// Whether TLS is spoken with it.
    pub(crate) is_secure: bool,
    /// Whether it lets in only `user` with the password `secret`.
    pub(crate) wants_password: bool,
}

/// `user` with the password `secret`, as Apache's `htpasswd` writes it.
const PASSWORDS: &str = "user:$apr1$gannet12$n9Oob6t9jjZHOtuVbNMsD0\n";

pub(crate) fn squid(options: Squid) -> Option<Recipe> {
    let arguments = move |folder: &Path, port: u16| {
        // Started by root, it becomes the user `proxy`, who writes the logs.
        let all = fs::Permissions::from_mode(0o777);
        fs::set_permissions(folder, all).expect("a folder of our own");
        fs::write(folder.join("passwords"), PASSWORDS).expect("room on the disk");
        let path = folder.join("squid.conf");
        fs::write(&path, config(options, folder, port)).expect("a config");
        let path = path.display().to_string();
        ["-N", "-f", &path].map(str::to_owned).to_vec()
    };
    Some(Recipe {
        program: installed("squid")?,
        is_secure: options.is_secure,
        arguments: Box::new(arguments),
        sign: None,
        goodbye: "TERM",
    })
}

fn config(options: Squid, folder: &Path, port: u16) -> String {
    let at = folder.display();
    let listen = match options.is_secure {
        true => format!("https_port 127.0.0.1:{port} tls-cert={at}/chain.pem tls-key={at}/key.pem"),
        false => format!("http_port 127.0.0.1:{port}"),
    };
    let access = match options.wants_password {
        true => format!(
            "auth_param basic program /usr/lib/squid/basic_ncsa_auth {at}/passwords
auth_param basic children 1
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all"
        ),
        false => "http_access allow all".to_owned(),
    };
    format!(
        "{listen}
{access}
logformat books %rm %>Hs %ru
access_log stdio:{at}/access.log logformat=books
cache_log {at}/error.log
pid_filename {at}/pid
coredump_dir {at}
cache deny all
netdb_filename none
pinger_enable off
visible_hostname localhost
shutdown_lifetime 1 seconds
"
    )
}
