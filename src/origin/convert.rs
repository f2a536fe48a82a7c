//! What a [`Target`] and an [`Origin`] can be made of.

use std::str::FromStr;

use url::Url;

use crate::error::Error;
use crate::origin::{Origin, Target};

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

/// The origin of any URL in it.
impl FromStr for Origin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(Target::parse(text)?.origin)
    }
}

impl TryFrom<&str> for Target {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl TryFrom<&String> for Target {
    type Error = Error;

    fn try_from(text: &String) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Target {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl TryFrom<Url> for Target {
    type Error = Error;

    fn try_from(url: Url) -> Result<Self, Error> {
        Self::try_from(&url)
    }
}
