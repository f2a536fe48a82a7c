//! Certificates that must not be accepted.

use gannet::config::Trust;
use gannet::error::TlsFault;
use rcgen::{
    BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    NameConstraints, date_time_ymd,
};

use super::authority::{Shown, root, root_with, self_signed};
use super::server::{Server, trust};
use super::{HOST, fault_of, fetch, refused, refused_as};

#[tokio::test]
async fn a_certificate_that_has_expired() {
    let root = root();
    let shown = root.server(&[HOST], |c| c.not_after = date_time_ymd(2020, 1, 1));
    assert_eq!(refused(&shown, &root).await, TlsFault::Expired);
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_yet() {
    let root = root();
    let shown = root.server(&[HOST], |c| c.not_before = date_time_ymd(4000, 1, 1));
    assert_eq!(refused(&shown, &root).await, TlsFault::NotYetValid);
}

#[tokio::test]
async fn a_certificate_that_ends_before_it_begins() {
    let root = root();
    let shown = root.server(&[HOST], |c| {
        (c.not_before, c.not_after) = (date_time_ymd(2025, 1, 1), date_time_ymd(2024, 1, 1));
    });
    assert_eq!(refused(&shown, &root).await, TlsFault::Expired);
}

#[tokio::test]
async fn an_intermediate_that_has_expired() {
    let root = root();
    let middle = root.authority("middle", |c| c.not_after = date_time_ymd(2020, 1, 1));
    let shown = middle.server(&[HOST], |_| {}).with(&[&middle]);
    assert_eq!(refused(&shown, &root).await, TlsFault::Expired);
}

/// A trust anchor is a name and a key (RFC 5280 §6.1.1): its dates are no part of it, and whoever
/// trusts it by hand goes on doing so.
#[tokio::test]
async fn an_expired_root_that_is_trusted_is_still_trusted() {
    let root = root_with(|c| c.not_after = date_time_ymd(2020, 1, 1));
    let server = Server::showing(&root.server(&[HOST], |_| {})).await;
    let answer = fetch(server.config(trust(&[&root])), server.url(HOST)).await;
    assert!(answer.is_ok(), "{answer:?}");
}

#[tokio::test]
async fn an_expired_root_that_nobody_trusts() {
    let root = root();
    let old = root_with(|c| c.not_after = date_time_ymd(2020, 1, 1));
    let shown = old.server(&[HOST], |_| {}).with(&[&old]);
    assert_eq!(refused(&shown, &root).await, TlsFault::Expired);
}

#[tokio::test]
async fn a_self_signed_certificate() {
    let shown = self_signed(HOST, |_| {});
    assert_eq!(refused(&shown, &root()).await, TlsFault::UnknownIssuer);
}

/// As `openssl req -x509` makes them.
#[tokio::test]
async fn a_self_signed_certificate_that_calls_itself_an_authority() {
    let shown = self_signed(HOST, |c| {
        c.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)
    });
    assert_eq!(refused(&shown, &root()).await, TlsFault::BadChain);
}

#[tokio::test]
async fn a_root_that_nobody_trusts() {
    let shown = root().server(&[HOST], |_| {});
    let other = root_with(|c| {
        let name = rcgen::DnType::CommonName;
        c.distinguished_name.push(name, "another root");
    });
    assert_eq!(refused(&shown, &other).await, TlsFault::UnknownIssuer);
}

#[tokio::test]
async fn a_root_that_nobody_trusts_of_the_name_of_one_that_is() {
    let shown = root().server(&[HOST], |_| {});
    assert_eq!(refused(&shown, &root()).await, TlsFault::BadSignature);
}

#[tokio::test]
async fn an_intermediate_left_out() {
    let root = root();
    let middle = root.authority("middle", |_| {});
    let shown = middle.server(&[HOST], |_| {});
    assert_eq!(refused(&shown, &root).await, TlsFault::UnknownIssuer);
}

#[tokio::test]
async fn another_host() {
    let root = root();
    let shown = root.server(&["other.gannet.test"], |_| {});
    assert_eq!(refused(&shown, &root).await, TlsFault::WrongName);
}

/// Common names are not names (RFC 9110 §4.3.4).
#[tokio::test]
async fn a_common_name_only() {
    let root = root();
    let shown = root.server(&[], |c| {
        let name = rcgen::DnType::CommonName;
        c.distinguished_name.push(name, HOST);
    });
    assert_eq!(refused(&shown, &root).await, TlsFault::WrongName);
}

#[tokio::test]
async fn a_wildcard_one_level_too_deep() {
    let root = root();
    let shown = root.server(&["*.gannet.test"], |_| {});
    let fault = refused_as("a.site.gannet.test", &shown, &root).await;
    assert_eq!(fault, TlsFault::WrongName);
}

#[tokio::test]
async fn a_wildcard_for_the_name_above_it() {
    let root = root();
    let shown = root.server(&["*.gannet.test"], |_| {});
    let fault = refused_as("gannet.test", &shown, &root).await;
    assert_eq!(fault, TlsFault::WrongName);
}

#[tokio::test]
async fn a_wildcard_over_a_public_label() {
    let root = root();
    let shown = root.server(&["*.test"], |_| {});
    let fault = refused_as("gannet.test", &shown, &root).await;
    assert_eq!(fault, TlsFault::WrongName);
}

#[tokio::test]
async fn a_wildcard_within_a_label() {
    let root = root();
    let shown = root.server(&["si*.gannet.test"], |_| {});
    assert_eq!(refused(&shown, &root).await, TlsFault::WrongName);
}

#[tokio::test]
async fn an_address_that_the_certificate_does_not_have() {
    let root = root();
    let shown = root.server(&["127.0.0.2", HOST], |_| {});
    let fault = refused_as("127.0.0.1", &shown, &root).await;
    assert_eq!(fault, TlsFault::WrongName);
}

#[tokio::test]
async fn an_address_as_a_name() {
    let root = root();
    let shown = root.server(&[], |c| {
        let name = "127.0.0.1".try_into().expect("ASCII");
        c.subject_alt_names.push(rcgen::SanType::DnsName(name));
    });
    let fault = refused_as("127.0.0.1", &shown, &root).await;
    assert_eq!(fault, TlsFault::WrongName);
}

fn for_clients(shown: &mut rcgen::CertificateParams) {
    shown.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
}

#[tokio::test]
async fn a_certificate_for_clients() {
    let root = root();
    let shown = root.server(&[HOST], for_clients);
    assert_eq!(refused(&shown, &root).await, TlsFault::WrongUsage);
}

/// The system's verifier says it in another way.
#[tokio::test]
async fn a_certificate_for_clients_beside_the_systems_roots() {
    let root = root();
    let server = Server::showing(&root.server(&[HOST], for_clients)).await;
    let config = server.config(Trust::SystemAnd(vec![root.der.clone()]));
    assert_eq!(fault_of(&server, config, HOST).await, TlsFault::WrongUsage);
}

#[tokio::test]
async fn a_leaf_that_signs() {
    let root = root();
    let leaf = root.authority("leaf", |c| c.is_ca = IsCa::NoCa);
    let shown = leaf.server(&[HOST], |_| {}).with(&[&leaf]);
    assert_eq!(refused(&shown, &root).await, TlsFault::BadChain);
}

#[tokio::test]
async fn an_intermediate_that_says_it_is_none() {
    let root = root();
    let middle = root.authority("middle", |c| c.is_ca = IsCa::ExplicitNoCa);
    let shown = middle.server(&[HOST], |_| {}).with(&[&middle]);
    assert_eq!(refused(&shown, &root).await, TlsFault::BadChain);
}

#[tokio::test]
async fn an_authority_that_stands_for_a_server() {
    let root = root();
    let middle = root.authority("middle", |c| {
        let name = HOST.try_into().expect("ASCII");
        c.subject_alt_names.push(rcgen::SanType::DnsName(name));
    });
    assert_eq!(
        refused(&middle.as_server(), &root).await,
        TlsFault::BadChain
    );
}

#[tokio::test]
async fn a_path_that_is_longer_than_allowed() {
    let root = root();
    let shortest = IsCa::Ca(BasicConstraints::Constrained(0));
    let upper = root.authority("upper", |c| c.is_ca = shortest);
    let lower = upper.authority("lower", |_| {});
    let shown = lower.server(&[HOST], |_| {}).with(&[&lower, &upper]);
    assert_eq!(refused(&shown, &root).await, TlsFault::BadChain);
}

#[tokio::test]
async fn a_path_that_is_too_long_for_anyone() {
    let root = root();
    let mut path = vec![root.authority("0", |_| {})];
    for depth in 1..12 {
        path.push(path[depth - 1].authority(&depth.to_string(), |_| {}));
    }
    let above: Vec<_> = path.iter().rev().collect();
    let shown = above[0].server(&[HOST], |_| {}).with(&above);
    assert_eq!(refused(&shown, &root).await, TlsFault::BadChain);
}

fn names(permitted: &[&str], excluded: &[&str]) -> Option<NameConstraints> {
    let subtrees = |names: &[&str]| {
        let names = names.iter().map(|n| GeneralSubtree::DnsName((*n).into()));
        names.collect()
    };
    Some(NameConstraints {
        permitted_subtrees: subtrees(permitted),
        excluded_subtrees: subtrees(excluded),
    })
}

#[tokio::test]
async fn a_name_outside_of_what_the_intermediate_may_sign() {
    let root = root();
    let middle = root.authority("middle", |c| {
        c.name_constraints = names(&["example.test"], &[]);
    });
    let shown = middle.server(&[HOST], |_| {}).with(&[&middle]);
    assert_eq!(refused(&shown, &root).await, TlsFault::BadChain);
}

#[tokio::test]
async fn a_name_that_the_intermediate_may_not_sign() {
    let root = root();
    let middle = root.authority("middle", |c| {
        c.name_constraints = names(&[], &["gannet.test"]);
    });
    let shown = middle.server(&[HOST], |_| {}).with(&[&middle]);
    assert_eq!(refused(&shown, &root).await, TlsFault::BadChain);
}

#[tokio::test]
async fn a_critical_extension_that_nobody_knows() {
    let root = root();
    let shown = root.server(&[HOST], |c| {
        let mut odd = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999], vec![5, 0]);
        odd.set_criticality(true);
        c.custom_extensions.push(odd);
    });
    assert_eq!(refused(&shown, &root).await, TlsFault::BadCertificate);
}

#[tokio::test]
async fn a_certificate_that_is_none() {
    let root = root();
    let mut shown = root.server(&[HOST], |_| {});
    shown.chain = vec![b"no certificate".to_vec().into()];
    assert_eq!(refused(&shown, &root).await, TlsFault::BadCertificate);
}

#[tokio::test]
async fn a_certificate_that_was_changed() {
    let root = root();
    let mut shown = root.server(&[HOST], |_| {});
    let mut bytes = shown.chain[0].to_vec();
    // The last byte is the signature's.
    *bytes.last_mut().expect("not empty") ^= 1;
    shown.chain = vec![bytes.into()];
    assert_eq!(refused(&shown, &root).await, TlsFault::BadSignature);
}

#[tokio::test]
async fn a_server_without_the_key_of_its_certificate() {
    let root = root();
    let shown = Shown {
        chain: root.server(&[HOST], |_| {}).chain,
        ..root.server(&[HOST], |_| {})
    };
    assert_eq!(refused(&shown, &root).await, TlsFault::BadSignature);
    // Not even those who accept any certificate accept that.
    let server = Server::showing(&shown).await;
    assert_eq!(super::broken(&server).await, TlsFault::BadSignature);
}
