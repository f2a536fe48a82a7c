//! The flags that say how servers are reached, spelled as in curl.

use clap::Args;
use gannet::config::{AddressPolicy, PriorKnowledge};
use gannet::request::Redirects;
use gannet::{Config, Protocols};

/// How servers are reached, as far as flags say.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Connecting")]
pub(crate) struct Reach {
    /// Speak HTTP/1.1 and nothing else
    #[arg(long = "http1.1", conflicts_with_all = ["http2", "http2_prior_knowledge"])]
    http1_1: bool,
    /// Speak HTTP/2 and nothing else, to http URLs in cleartext [default: HTTP/2 where an https
    /// server can]
    #[arg(long)]
    http2: bool,
    /// Speak HTTP/2 in cleartext to http URLs, and either protocol to https URLs
    #[arg(long)]
    http2_prior_knowledge: bool,
    /// Connect from this address, or through the interface of this name
    #[arg(long, value_name = "ADDRESS|NAME")]
    interface: Option<String>,
    /// Connect to public addresses only, whatever names and redirects say
    #[arg(long)]
    public_only: bool,
    /// Follow redirects; credentials go along only within one scheme, host and port
    #[arg(short = 'L', long, help_heading = "Redirects")]
    location: bool,
    /// Most redirects of one URL
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10,
        help_heading = "Redirects"
    )]
    max_redirs: usize,
    /// Let a redirect lead from https to http
    #[arg(long, requires = "location", help_heading = "Redirects")]
    location_downgrade: bool,
}

impl Reach {
    /// Sets what flags were given for.
    pub(crate) fn apply(&self, config: &mut Config) {
        if self.http1_1 {
            config.accepted_protocols = Protocols::HTTP11;
        }
        if self.http2 {
            config.accepted_protocols = Protocols::HTTP2;
        }
        if self.http2_prior_knowledge {
            config.prior_knowledge = PriorKnowledge::All;
        }
        if let Some(interface) = &self.interface {
            match interface.parse() {
                Ok(address) => config.local_address = Some(address),
                Err(_) => config.interface = Some(interface.clone()),
            }
        }
        if self.public_only {
            config.address_policy = AddressPolicy::public_only();
        }
        if self.location {
            config.redirects = Redirects::at_most(self.max_redirs);
            config.redirects.allow_downgrade = self.location_downgrade;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        reach: Reach,
    }

    fn config(line: &str) -> Result<Config, clap::Error> {
        let line = Line::try_parse_from(format!("get {line}").split_whitespace())?;
        let mut config = Config::default();
        line.reach.apply(&mut config);
        Ok(config)
    }

    #[test]
    fn protocols_are_chosen_by_flags() {
        let chosen = |line| config(line).map(|c| c.accepted_protocols).ok();
        assert_eq!(chosen(""), Some(Protocols::ANY));
        assert_eq!(chosen("--http1.1"), Some(Protocols::HTTP11));
        assert_eq!(chosen("--http2"), Some(Protocols::HTTP2));
        assert_eq!(chosen("--http2 --http1.1"), None);
        let set = config("--http2-prior-knowledge").expect("known flags");
        assert_eq!(set.prior_knowledge, PriorKnowledge::All);
    }

    #[test]
    fn where_from_and_where_to_is_a_matter_of_flags() {
        let from = |line| config(line).map(|c| (c.local_address, c.interface)).ok();
        let address = Some("::1".parse().expect("an address"));
        assert_eq!(from("--interface ::1"), Some((address, None)));
        assert_eq!(from("--interface eth0"), Some((None, Some("eth0".into()))));
        let inside = [127, 0, 0, 1].into();
        let allows = |line| config(line).map(|c| c.address_policy.allows(inside)).ok();
        assert_eq!(
            (allows(""), allows("--public-only")),
            (Some(true), Some(false))
        );
    }

    #[test]
    fn redirects_are_followed_only_when_asked_for() {
        let followed = |line| config(line).map(|c| c.redirects).ok();
        assert_eq!(followed("--max-redirs 3"), Some(Redirects::NONE));
        assert_eq!(followed("-L"), Some(Redirects::at_most(10)));
        assert_eq!(followed("-L --max-redirs 3"), Some(Redirects::at_most(3)));
        let down = followed("-L --location-downgrade").expect("known flags");
        assert!(down.allow_downgrade);
        assert_eq!(followed("--location-downgrade"), None);
    }
}
