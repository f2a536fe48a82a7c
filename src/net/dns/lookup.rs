//! Questions to DNS servers, through hickory-resolver.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use hickory_resolver::config::{ConnectionConfig, NameServerConfig};
use hickory_resolver::config::{ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Hosts, TokioResolver};
use tokio::time::timeout;

use crate::config::{Answer, Config, Families};
use crate::policy::names::search::candidates;
use crate::policy::names::{Finding, Lack};

/// How much longer the family is waited for that has not answered yet, once the other has an
/// address (RFC 8305 §3): one question sent again. There are servers that never answer for AAAA.
const PATIENCE: Duration = Duration::from_millis(500);
/// What the system's configuration can say at least.
const SHORTEST: Duration = Duration::from_secs(1);
/// Questions at once to one server; we hold ourselves to fewer.
const PER_SERVER: usize = 1_024;

#[derive(Debug)]
pub(super) struct Dns {
    resolver: TokioResolver,
    hosts: Hosts,
    search: Vec<String>,
    ndots: usize,
    families: Families,
    patience: Duration,
}

impl Dns {
    /// With the servers and rules of the system's configuration.
    pub(super) fn of_system(config: &Config) -> Result<Self, NetError> {
        let (rules, options) = read_system_conf()?;
        Self::new(config, rules, options)
    }

    pub(super) fn of_servers(config: &Config, servers: &[SocketAddr]) -> Result<Self, NetError> {
        let servers = servers.iter().map(|server| {
            let mut ways = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            for way in &mut ways {
                way.port = server.port();
            }
            NameServerConfig::new(server.ip(), true, ways)
        });
        let rules = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        Self::new(config, rules, ResolverOpts::default())
    }

    fn new(
        config: &Config,
        rules: ResolverConfig,
        mut options: ResolverOpts,
    ) -> Result<Self, NetError> {
        let domains = match rules.search() {
            [] => rules.domain().into_iter().collect(),
            search => search.iter().collect::<Vec<_>>(),
        };
        let search = domains.into_iter().map(Name::to_ascii).collect();
        let ndots = options.ndots;
        // What is kept, and for how long, is decided elsewhere.
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        // Nothing could be answered within the 0 s that resolv.conf can hold.
        options.timeout = options.timeout.max(SHORTEST).min(config.dns_timeout);
        options.max_active_requests = PER_SERVER;
        // So that an answer shows by which names it came.
        options.preserve_intermediates = true;
        let provider = TokioRuntimeProvider::default();
        let resolver = TokioResolver::builder_with_config(rules, provider).with_options(options);
        Ok(Self {
            resolver: resolver.build()?,
            // One that cannot be read says nothing.
            hosts: Hosts::from_system().unwrap_or_default(),
            search,
            ndots,
            families: config.families,
            patience: PATIENCE.min(config.dns_timeout / 4),
        })
    }

    pub(super) async fn find(&self, name: &str) -> Finding {
        if let Some(answer) = self.in_hosts(name) {
            return Finding::of(Ok(answer), self.families);
        }
        let mut finding = None::<Finding>;
        for candidate in candidates(name, self.ndots, &self.search) {
            let Ok(complete) = Name::from_ascii(&candidate) else {
                // Too long, as a whole or between two dots: it can be no name (RFC 1035 §2.3.4).
                continue;
            };
            let next = self.ask(complete).await;
            let so_far = match finding.take() {
                Some(before) => before.or(next),
                None => next,
            };
            if let Finding::Found { .. } = so_far {
                return so_far;
            }
            finding = Some(so_far);
        }
        finding.unwrap_or_else(|| Finding::lack(Lack::Name, None))
    }

    /// What the hosts file says of a name, for both families.
    fn in_hosts(&self, name: &str) -> Option<Answer> {
        let name = Name::from_ascii(name).ok()?;
        let of = |kind| {
            let query = Query::query(name.clone(), kind);
            self.hosts.lookup_static_host(&query)
        };
        let found: Vec<_> = [RecordType::AAAA, RecordType::A]
            .into_iter()
            .filter_map(of)
            .collect();
        let records = found.iter().flat_map(Lookup::answers);
        let addresses: Vec<_> = records.filter_map(|record| address(&record.data)).collect();
        let answer = Answer {
            addresses,
            ttl: None,
        };
        (!answer.addresses.is_empty()).then_some(answer)
    }

    async fn ask(&self, name: Name) -> Finding {
        match self.families {
            Families::Ipv4 => self.ask_for(name, RecordType::A).await,
            Families::Ipv6 => self.ask_for(name, RecordType::AAAA).await,
            Families::Both => self.ask_both(name).await,
        }
    }

    async fn ask_both(&self, name: Name) -> Finding {
        let v6 = Box::pin(self.ask_for(name.clone(), RecordType::AAAA));
        let v4 = Box::pin(self.ask_for(name, RecordType::A));
        let (first, second) = match select(v6, v4).await {
            Either::Left((first, second)) | Either::Right((first, second)) => (first, second),
        };
        if !matches!(first, Finding::Found { .. }) {
            return first.and(second.await);
        }
        let second = timeout(self.patience, second).await;
        first.and(second.unwrap_or_else(|_| super::timed_out()))
    }

    async fn ask_for(&self, name: Name, kind: RecordType) -> Finding {
        match self.resolver.lookup(name.clone(), kind).await {
            Ok(lookup) => Finding::of(Ok(answer(&name, &lookup)), self.families),
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
                let lack = match none.response_code {
                    ResponseCode::NXDomain => Lack::Name,
                    _ => Lack::Address,
                };
                let ttl = none.negative_ttl.map(u64::from).map(Duration::from_secs);
                Finding::lack(lack, ttl)
            }
            Err(error) => Finding::Unknown(Arc::new(into_io(error))),
        }
    }
}

/// The addresses of `name` and of the names it stands for, and no others: an answer can bring
/// along what nobody asked for.
fn answer(name: &Name, lookup: &Lookup) -> Answer {
    let (mut names, mut answer) = (vec![name], Answer::default());
    for record in lookup.answers() {
        if !names.contains(&&record.name) {
            continue;
        }
        match &record.data {
            RData::CNAME(other) => names.push(&other.0),
            data => answer.addresses.extend(address(data)),
        }
        let ttl = Duration::from_secs(record.ttl.into());
        answer.ttl = Some(answer.ttl.map_or(ttl, |other| other.min(ttl)));
    }
    answer
}

fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(v4) => Some(v4.0.into()),
        RData::AAAA(v6) => Some(v6.0.into()),
        _ => None,
    }
}

fn into_io(error: NetError) -> io::Error {
    let kind = match &error {
        NetError::Timeout => io::ErrorKind::TimedOut,
        NetError::Io(error) => error.kind(),
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_hosts_file_is_asked_first_and_answers_for_both_families() {
        let mut config = Config::default();
        let hosts = b"192.0.2.7 four.test both.test # one\n2001:db8::7 both.test";
        for (families, both) in [(Families::Both, 2), (Families::Ipv4, 1)] {
            config.families = families;
            // Nobody to ask: what is not in the file is not known.
            let mut dns = Dns::of_servers(&config, &[]).expect("no such server is refused");
            dns.hosts = Hosts::default();
            dns.hosts.read_hosts_conf(&hosts[..]).expect("readable");
            for (name, count) in [("four.test", 1), ("both.test.", both), ("none.test", 0)] {
                let found = match dns.find(name).await {
                    Finding::Found { addresses, .. } => addresses.len(),
                    _ => 0,
                };
                assert_eq!(found, count, "{name}");
            }
        }
    }

    #[tokio::test]
    async fn what_can_be_no_name_is_not_asked_for() {
        let dns = Dns::of_servers(&Config::default(), &[]).expect("no such server is refused");
        let too_long = "a".repeat(64) + ".test";
        let finding = dns.find(&too_long).await;
        assert!(matches!(finding, Finding::Lack { .. }), "{finding:?}");
    }
}
