//! What wakes whoever is to move a session on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use futures::task::AtomicWaker;

/// Wakes the exchange that waits for something of the session, and otherwise its driver: one of both
/// polls the session, never both.
#[derive(Debug, Default)]
pub(super) struct Bell {
    exchange: AtomicWaker,
    driver: AtomicWaker,
    /// Whether an exchange will poll the session before it waits for anything.
    is_hushed: AtomicBool,
}

impl Bell {
    /// From here on the exchange hears it, once.
    pub(super) fn heed(&self, exchange: &Waker) {
        self.exchange.register(exchange);
        self.sound();
    }

    /// From here on nobody is woken.
    pub(super) fn hush(&self) {
        self.is_hushed.store(true, Ordering::Relaxed);
    }

    /// No longer hushed.
    pub(super) fn sound(&self) {
        self.is_hushed.store(false, Ordering::Relaxed);
    }

    /// The exchange is over. Whether the bell has rung since it listened last.
    pub(super) fn leave(&self) -> bool {
        self.sound();
        self.exchange.take().is_none()
    }

    /// The driver hears it when no exchange does.
    pub(super) fn attend(&self, driver: &Waker) {
        self.driver.register(driver);
    }

    pub(super) fn call_driver(&self) {
        self.driver.wake();
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_hushed.load(Ordering::Relaxed) {
            return;
        }
        match self.exchange.take() {
            Some(exchange) => exchange.wake(),
            None => self.driver.wake(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_exchange_hears_it_once_and_then_the_driver() {
        let (bell, exchange, driver) = (
            Arc::new(Bell::default()),
            Arc::new(Count::default()),
            Arc::new(Count::default()),
        );
        let rung = |count: &Count| count.0.load(Ordering::Relaxed);
        bell.attend(&driver.clone().into());
        bell.heed(&exchange.clone().into());
        bell.wake_by_ref();
        assert_eq!((rung(&exchange), rung(&driver)), (1, 0));
        assert!(bell.leave(), "it has rung");
        bell.wake_by_ref();
        assert_eq!((rung(&exchange), rung(&driver)), (1, 1));
        bell.attend(&driver.clone().into());
        bell.heed(&exchange.clone().into());
        bell.hush();
        bell.wake_by_ref();
        assert_eq!((rung(&exchange), rung(&driver)), (1, 1));
        bell.sound();
        bell.wake_by_ref();
        assert_eq!((rung(&exchange), rung(&driver)), (2, 1));
        bell.heed(&exchange.clone().into());
        assert!(!bell.leave());
    }
}
