//! What `Content-Encoding` says.

use std::fmt;

/// What to ask servers for (`Accept-Encoding`, RFC 9110 §12.5.3).
pub const ACCEPT_ENCODING: &str = "gzip, deflate, br, zstd";

/// Codings in a chain, at most: nobody has use for more, and each multiplies what a bomb can do.
const MOST: usize = 2;

/// A content coding.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, or 1951 as many servers have it.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878, with a window of at most 8 MiB (RFC 9659).
    Zstd,
}

/// What a body went through.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Chain {
    /// These, in this order.
    Known(Vec<Coding>),
    /// One that is not known, or more than two.
    Unknown,
}

impl Chain {
    /// Reads the values of all `Content-Encoding` fields, in order; `None` if they name no coding.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let names = values.into_iter().flat_map(|value| value.split(','));
        let mut codings = Vec::new();
        for name in names.map(|name| name.trim_matches([' ', '\t'])) {
            if name.is_empty() || name.eq_ignore_ascii_case("identity") {
                continue;
            }
            match Coding::named(name) {
                Some(coding) if codings.len() < MOST => codings.push(coding),
                _ => return Some(Self::Unknown),
            }
        }
        (!codings.is_empty()).then_some(Self::Known(codings))
    }
}

impl Coding {
    fn named(name: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("gzip") || is("x-gzip") {
            Some(Self::Gzip)
        } else if is("deflate") {
            Some(Self::Deflate)
        } else if is("br") {
            Some(Self::Brotli)
        } else if is("zstd") {
            Some(Self::Zstd)
        } else {
            None
        }
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_read_from_one_field_or_more() {
        let known = |codings: &[Coding]| Some(Chain::Known(codings.to_vec()));
        assert_eq!(Chain::parse([]), None);
        assert_eq!(Chain::parse(["identity", " , "]), None);
        assert_eq!(Chain::parse(["GZip"]), known(&[Coding::Gzip]));
        assert_eq!(
            Chain::parse(["x-gzip,\tbr"]),
            known(&[Coding::Gzip, Coding::Brotli])
        );
        assert_eq!(
            Chain::parse(["deflate", "zstd"]),
            known(&[Coding::Deflate, Coding::Zstd])
        );
        assert_eq!(Chain::parse(["gzip, gzip, gzip"]), Some(Chain::Unknown));
        assert_eq!(Chain::parse(["gzip, compress"]), Some(Chain::Unknown));
    }

    #[test]
    fn what_is_asked_for_is_what_is_known() {
        let asked = Chain::parse(ACCEPT_ENCODING.split(", ").take(2));
        assert_eq!(
            asked,
            Some(Chain::Known(vec![Coding::Gzip, Coding::Deflate]))
        );
        assert!(
            ACCEPT_ENCODING
                .split(", ")
                .all(|name| Coding::named(name).is_some())
        );
    }
}
