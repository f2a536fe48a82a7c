//! How large a response body may grow.

use crate::error::Error;
use crate::request::OnTooLarge;

/// Body bytes still allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    limit: u64,
    beyond: OnTooLarge,
    taken: u64,
    /// The size worth a warning, until one was given.
    warns_at: Option<u64>,
}

/// What becomes of a piece.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Take {
    All,
    /// So many bytes of it, and no more of the body.
    Last(usize),
}

impl Allowance {
    pub(crate) fn new(limit: u64, beyond: OnTooLarge, warns_at: Option<u64>) -> Self {
        Self {
            limit,
            beyond,
            taken: 0,
            warns_at,
        }
    }

    /// Refuses at once what the server announces to be too large.
    pub(crate) fn announce(self, content_length: u64) -> Result<(), Error> {
        match self.beyond {
            OnTooLarge::Fail if content_length > self.limit => Err(self.too_large()),
            _ => Ok(()),
        }
    }

    /// Takes `bytes` from the allowance.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<Take, Error> {
        let left = self.limit - self.taken;
        let more = bytes as u64;
        if more <= left {
            self.taken += more;
            return Ok(Take::All);
        }
        match self.beyond {
            OnTooLarge::Fail => Err(self.too_large()),
            OnTooLarge::Truncate => {
                self.taken = self.limit;
                // Less than `bytes`.
                Ok(Take::Last(usize::try_from(left).unwrap_or(bytes)))
            }
        }
    }

    /// The size to warn of, once, of a body that has grown so large or is announced to.
    pub(crate) fn warning(&mut self, announced: u64) -> Option<u64> {
        let size = self.taken.max(announced);
        let is_due = self.warns_at.is_some_and(|at| size >= at);
        if is_due {
            self.warns_at = None;
        }
        is_due.then_some(size)
    }

    pub(crate) fn taken(self) -> u64 {
        self.taken
    }

    fn too_large(self) -> Error {
        Error::TooLarge { limit: self.limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_limit_itself_is_allowed_and_one_byte_more_is_not() {
        let mut allowance = Allowance::new(10, OnTooLarge::Fail, None);
        assert!(allowance.announce(10).is_ok() && allowance.announce(11).is_err());
        assert!(allowance.take(10).is_ok() && allowance.take(0).is_ok());
        assert!(allowance.take(1).is_err());
        assert_eq!(allowance.taken(), 10);
    }

    #[test]
    fn what_is_allowed_of_a_body_that_is_cut_is_taken_to_the_last_byte() {
        let mut allowance = Allowance::new(10, OnTooLarge::Truncate, None);
        assert!(allowance.announce(11).is_ok());
        assert_eq!(allowance.take(8).expect("cut"), Take::All);
        assert_eq!(allowance.take(2).expect("cut"), Take::All);
        assert_eq!(allowance.take(1).expect("cut"), Take::Last(0));
        let mut allowance = Allowance::new(10, OnTooLarge::Truncate, None);
        assert_eq!(allowance.take(11).expect("cut"), Take::Last(10));
        assert_eq!(allowance.taken(), 10);
    }

    #[test]
    fn it_warns_once() {
        let mut allowance = Allowance::new(100, OnTooLarge::Fail, Some(10));
        assert!(allowance.take(9).is_ok());
        assert_eq!(allowance.warning(0), None);
        assert!(allowance.take(1).is_ok());
        assert_eq!(
            (allowance.warning(0), allowance.warning(0)),
            (Some(10), None)
        );
        let mut announced = Allowance::new(100, OnTooLarge::Fail, Some(10));
        assert_eq!(
            (announced.warning(50), announced.warning(50)),
            (Some(50), None)
        );
    }

    proptest! {
        #[test]
        fn the_sum_never_passes_the_limit(
            limit in 0u64..1000,
            chunks in prop::collection::vec(0usize..300, 0..20),
            cuts in any::<bool>(),
        ) {
            let beyond = if cuts { OnTooLarge::Truncate } else { OnTooLarge::Fail };
            let mut allowance = Allowance::new(limit, beyond, None);
            let mut sum = 0;
            for chunk in chunks {
                let fits = sum + chunk as u64 <= limit;
                match allowance.take(chunk) {
                    Ok(Take::All) => {
                        prop_assert!(fits);
                        sum += chunk as u64;
                    }
                    Ok(Take::Last(part)) => {
                        prop_assert!(cuts && !fits && part < chunk);
                        sum += part as u64;
                        prop_assert_eq!(sum, limit);
                    }
                    Err(_) => prop_assert!(!cuts && !fits),
                }
                prop_assert_eq!(allowance.taken(), sum);
            }
        }
    }
}
