//! The lowest speed of a body, as a value.

use std::time::{Duration, Instant};

use super::{Deadline, Until};
use crate::error::{Bound, Error, ErrorKind, Time};

/// The bytes that have to move while the client waits for the peer for this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rate {
    pub(crate) bytes: u64,
    pub(crate) per: Duration,
}

/// Measures the speed of a body in one direction. Only the time between `begin` and `end` counts: the waits for the
/// peer, and not what the caller does between them.
///
/// The time begins anew as soon as enough bytes have moved, so that a fast start does not make up for a stall.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    rate: Rate,
    /// The time waited for, and the bytes that have moved in it.
    waited: Duration,
    moved: u64,
    /// The start of the present wait.
    since: Option<Instant>,
}

impl Meter {
    /// Returns a meter, or `None` if no byte has to move.
    pub(crate) fn new(rate: Option<Rate>) -> Option<Meter> {
        let rate = rate.filter(|rate| rate.bytes > 0)?;
        Some(Meter { rate, waited: Duration::ZERO, moved: 0, since: None })
    }

    /// Begins a wait, and returns when it ends. Returns `None` if the body is too slow.
    pub(crate) fn begin<'t>(&mut self, now: Instant, until: Until<'t>) -> Option<Until<'t>> {
        let left = self.rate.per.checked_sub(self.waited).filter(|left| !left.is_zero())?;
        self.since = Some(now);
        Some(until.with_deadline(until.deadline().earlier(Deadline::after(now, Some(left), Bound::Rate))))
    }

    /// Ends a wait in which these bytes moved.
    pub(crate) fn end(&mut self, now: Instant, moved: u64) {
        let Some(since) = self.since.take() else { return };
        self.waited = self.waited.saturating_add(now.saturating_duration_since(since));
        self.add(moved);
    }

    /// Counts bytes that moved without a wait.
    pub(crate) fn add(&mut self, moved: u64) {
        self.moved = self.moved.saturating_add(moved);
        if self.moved >= self.rate.bytes {
            (self.waited, self.moved) = (Duration::ZERO, 0);
        }
    }

    /// Adds the lowest speed to the error of a body that was slower. Returns any other error as it is.
    #[cold]
    pub(crate) fn explain(&self, error: Error) -> Error {
        let slow = ErrorKind::Timeout(Bound::Rate);
        match *error.kind() == slow {
            true => error.with_kind(slow.because(format!("{} bytes in {}", self.rate.bytes, Time(self.rate.per)))),
            false => error,
        }
    }

    /// Ends a wait in which an unknown number of bytes moved.
    pub(crate) fn end_unmeasured(&mut self, now: Instant) {
        self.end(now, self.rate.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The waits of a body, each with the time before it, its own time and its bytes; and the wait that is refused.
    type Row<'a> = (&'a str, &'a [(u32, u32, u64)], Option<usize>);

    #[test]
    fn which_bodies_are_too_slow() {
        let table: [Row<'_>; 8] = [
            ("fast", &[(0, 1, 100), (0, 1, 100), (0, 1, 100)], None),
            ("just fast enough", &[(0, 9, 100), (0, 9, 100), (0, 9, 100)], None),
            ("a caller who takes his time", &[(0, 1, 10), (1000, 1, 10), (1000, 1, 10), (1000, 1, 10)], None),
            ("one byte a second", &[(0, 5, 5), (0, 5, 5), (0, 1, 1)], Some(2)),
            ("by many bytes, not quite", &[(0, 5, 50), (0, 5, 49), (0, 0, 0)], Some(2)),
            ("enough at the last moment", &[(0, 5, 50), (0, 5, 50), (0, 9, 1), (0, 0, 0)], None),
            ("a fast start, and then nothing", &[(0, 1, 1_000_000), (0, 10, 0), (0, 0, 0)], Some(2)),
            ("a stall that ends in time", &[(0, 9, 0), (0, 0, 100), (0, 9, 0), (0, 0, 100)], None),
        ];
        for (row, waits, refused) in table {
            let mut meter = Meter::new(Some(Rate { bytes: 100, per: 10 * SECOND })).unwrap();
            let mut now = Instant::now();
            let found = waits.iter().position(|&(before, wait, moved)| {
                now += before * SECOND;
                let Some(until) = meter.begin(now, Until::NEVER) else { return true };
                assert!(until.bound() == Bound::Rate && until.at().unwrap() <= now + 10 * SECOND, "{row}");
                now += wait * SECOND;
                meter.end(now, moved);
                false
            });
            assert_eq!(found, refused, "{row}");
        }
    }

    /// The end of a wait is the end of the time that is left, or that of another bound if it is earlier.
    #[test]
    fn ends_of_waits() {
        let (now, rate) = (Instant::now(), Rate { bytes: 100, per: 10 * SECOND });
        let mut meter = Meter::new(Some(rate)).unwrap();
        assert_eq!(meter.begin(now, Until::NEVER).unwrap().at(), Some(now + 10 * SECOND));
        meter.end(now + 4 * SECOND, 99);
        assert_eq!(meter.begin(now, Until::NEVER).unwrap().at(), Some(now + 6 * SECOND));
        let earlier = Until::from(Deadline::after(now, Some(SECOND), Bound::Read));
        assert_eq!(meter.begin(now, earlier).unwrap().bound(), Bound::Read);
        meter.end_unmeasured(now + SECOND);
        assert_eq!(meter.begin(now, Until::NEVER).unwrap().at(), Some(now + 10 * SECOND));
        let endless = Meter::new(Some(Rate { per: Duration::MAX, ..rate }));
        assert_eq!(endless.unwrap().begin(now, Until::NEVER).unwrap().at(), None);
        assert!(Meter::new(None).is_none() && Meter::new(Some(Rate { bytes: 0, ..rate })).is_none());
    }
}
