//! Who is asked.

use std::io;
use std::sync::Arc;

use crate::config::{Answer, Config, Families, Resolve, Resolver};
use crate::net::dns::gave_up;
use crate::net::dns::lookup::Dns;
use crate::policy::names::Finding;

/// What [`Resolver`] comes to.
#[derive(Debug)]
pub(super) struct Source {
    kind: Kind,
    families: Families,
}

#[derive(Debug)]
enum Kind {
    Dns(Box<Dns>),
    GetAddrInfo,
    Custom(Arc<dyn Resolve>),
    Nobody,
}

impl Kind {
    fn of(dns: Dns) -> Self {
        Self::Dns(Box::new(dns))
    }
}

impl Source {
    /// Reads the system's files if need be.
    pub(super) fn new(config: &Config) -> Self {
        let kind = match &config.resolver {
            Resolver::System => Dns::of_system(config).map_or(Kind::GetAddrInfo, Kind::of),
            // Where these cannot be asked, nobody else is.
            Resolver::Servers(servers) => {
                Dns::of_servers(config, servers).map_or(Kind::Nobody, Kind::of)
            }
            Resolver::GetAddrInfo => Kind::GetAddrInfo,
            Resolver::Custom(custom) => Kind::Custom(Arc::clone(custom)),
        };
        let families = config.families;
        Self { kind, families }
    }

    pub(super) async fn find(&self, name: &str) -> Finding {
        match &self.kind {
            Kind::Dns(dns) => dns.find(name).await,
            Kind::GetAddrInfo => Finding::of(of_system(name).await, self.families),
            Kind::Nobody => gave_up(),
            Kind::Custom(custom) => Finding::of(custom.resolve(name).await, self.families),
        }
    }
}

async fn of_system(name: &str) -> io::Result<Answer> {
    let found = tokio::net::lookup_host((name, 0)).await?;
    Ok(Answer {
        addresses: found.map(|address| address.ip()).collect(),
        ttl: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_systems_function_knows_this_machine() {
        let config = Config {
            resolver: Resolver::GetAddrInfo,
            ..Config::default()
        };
        let finding = Source::new(&config).find("localhost").await;
        assert!(matches!(finding, Finding::Found { .. }), "{finding:?}");
    }
}
