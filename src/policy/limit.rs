//! How large a response body may grow.

use crate::error::Error;

/// Body bytes still allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    limit: u64,
    taken: u64,
}

impl Allowance {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, taken: 0 }
    }

    /// Refuses at once what the server announces to be too large.
    pub(crate) fn announce(self, content_length: u64) -> Result<(), Error> {
        if content_length > self.limit {
            return Err(Error::TooLarge { limit: self.limit });
        }
        Ok(())
    }

    /// Takes `bytes` from the allowance.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), Error> {
        let taken = self.taken.saturating_add(bytes as u64);
        if taken > self.limit {
            return Err(Error::TooLarge { limit: self.limit });
        }
        self.taken = taken;
        Ok(())
    }

    pub(crate) fn taken(self) -> u64 {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_limit_itself_is_allowed_and_one_byte_more_is_not() {
        let mut allowance = Allowance::new(10);
        assert!(allowance.announce(10).is_ok() && allowance.announce(11).is_err());
        assert!(allowance.take(10).is_ok() && allowance.take(0).is_ok());
        assert!(allowance.take(1).is_err());
        assert_eq!(allowance.taken(), 10);
    }

    proptest! {
        #[test]
        fn the_sum_never_passes_the_limit(limit in 0u64..1000, chunks in prop::collection::vec(0usize..300, 0..20)) {
            let mut allowance = Allowance::new(limit);
            let mut sum = 0;
            for chunk in chunks {
                let fits = sum + chunk as u64 <= limit;
                prop_assert_eq!(allowance.take(chunk).is_ok(), fits);
                sum += if fits { chunk as u64 } else { 0 };
                prop_assert_eq!(allowance.taken(), sum);
            }
        }
    }
}
