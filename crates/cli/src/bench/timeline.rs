//! What came when, in a bounded number of slots of time.

use serde::Serialize;

/// More are merged two by two.
const SLOTS: usize = 240;
/// Of a slot, at first.
const WIDTH: f64 = 0.1;

/// What came in one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Slot {
    pub(crate) responses: u64,
    /// Those of them with a status of 400 or more, and what failed.
    pub(crate) errors: u64,
    pub(crate) bytes: u64,
}

/// Slots of equal width, from the start on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Timeline {
    /// Of each slot, in seconds.
    pub(crate) width: f64,
    pub(crate) slots: Vec<Slot>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            width: WIDTH,
            slots: Vec::new(),
        }
    }
}

impl Timeline {
    /// The slot of this time after the start, in seconds.
    pub(crate) fn at(&mut self, seconds: f64) -> &mut Slot {
        while seconds >= self.width * SLOTS as f64 {
            self.halve();
        }
        let index = ((seconds.max(0.0) / self.width) as usize).min(SLOTS - 1);
        if self.slots.len() <= index {
            self.slots.resize(index + 1, Slot::default());
        }
        &mut self.slots[index]
    }

    fn halve(&mut self) {
        self.width *= 2.0;
        let merged = self.slots.chunks(2).map(|pair| {
            pair.iter().fold(Slot::default(), |sum, slot| Slot {
                responses: sum.responses + slot.responses,
                errors: sum.errors + slot.errors,
                bytes: sum.bytes + slot.bytes,
            })
        });
        self.slots = merged.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_however_long_it_takes() {
        let mut timeline = Timeline::default();
        for second in 0..10_000 {
            timeline.at(f64::from(second)).responses += 1;
            assert!(timeline.slots.len() <= SLOTS);
        }
        let sum: u64 = timeline.slots.iter().map(|slot| slot.responses).sum();
        assert_eq!(sum, 10_000);
        // 0.1 s doubled until 240 of them are enough; each full one has what its time allows.
        assert_eq!(timeline.width, 51.2);
        let of_first = timeline.slots[0].responses as i64;
        assert!((51..=52).contains(&of_first), "{of_first}");
    }
}
