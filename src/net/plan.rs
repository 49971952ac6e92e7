//! The order and the times of connection attempts to the addresses of a host (RFC 8305). No sockets and no clock.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Sockets that connect at once. Fewer would let two addresses that do not answer hide a third one that does.
pub(super) const MOST: usize = 4;

/// Says which address is tried next, and when.
#[derive(Debug)]
pub(super) struct Plan {
    /// The addresses that were not tried.
    waiting: VecDeque<SocketAddr>,
    stagger: Duration,
    /// How many attempts have no result.
    connecting: usize,
    /// When the next attempt begins, at the latest.
    next: Option<Instant>,
    /// No attempt begins before another one ends: the process has no descriptor left.
    is_blocked: bool,
}

impl Plan {
    /// Plans attempts for addresses in the order of the resolver.
    pub(super) fn new(addresses: &[SocketAddr], stagger: Duration) -> Plan {
        Plan { waiting: alternating(addresses), stagger, connecting: 0, next: None, is_blocked: false }
    }

    /// Returns the address to try now, if it is time.
    pub(super) fn next(&mut self, now: Instant) -> Option<SocketAddr> {
        let is_time = self.next.is_none_or(|next| next <= now);
        match self.may_begin() && is_time {
            true => self.waiting.pop_front(),
            false => None,
        }
    }

    /// Returns how long the next attempt is away. `None` if none begins before another one ends.
    pub(super) fn until_next(&self, now: Instant) -> Option<Duration> {
        let may_begin = self.may_begin() && !self.waiting.is_empty();
        may_begin.then(|| self.next.map_or(Duration::ZERO, |next| next.saturating_duration_since(now)))
    }

    fn may_begin(&self) -> bool {
        self.connecting < MOST && !self.is_blocked
    }

    /// Notes that an attempt goes on which began at this time.
    pub(super) fn began(&mut self, at: Instant) {
        self.connecting += 1;
        // A time that the clock cannot represent never comes. Then the end of this attempt begins the next one.
        self.next = at.checked_add(self.stagger);
        self.is_blocked = self.next.is_none();
    }

    /// Notes that an attempt that went on has failed. The next one begins at once (RFC 8305, section 5).
    pub(super) fn failed(&mut self) {
        self.connecting -= 1;
        self.failed_at_once();
    }

    /// Notes that an attempt failed before it could go on.
    pub(super) fn failed_at_once(&mut self) {
        self.next = None;
        self.is_blocked = false;
    }

    /// Takes back an address for which there was no descriptor. It is tried when another attempt ends.
    pub(super) fn put_back(&mut self, address: SocketAddr) {
        self.waiting.push_front(address);
        self.is_blocked = true;
    }

    /// Returns the addresses that were not tried.
    pub(super) fn rest(self) -> Vec<SocketAddr> {
        self.waiting.into()
    }
}

/// Puts the families in turn, beginning with that of the first address. Within a family the order stays: the resolver
/// sorts by RFC 6724, which knows the routes.
fn alternating(addresses: &[SocketAddr]) -> VecDeque<SocketAddr> {
    let is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) =
        addresses.iter().copied().partition(|address| address.is_ipv6() == is_v6);
    let mut all = VecDeque::with_capacity(addresses.len());
    while let Some(address) = first.pop_front() {
        all.push_back(address);
        all.extend(second.pop_front());
    }
    all.extend(second);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGGER: Duration = Duration::from_millis(250);

    fn at(names: &str) -> Vec<SocketAddr> {
        // A digit is an address of IPv4, and a letter one of IPv6.
        let address = |name: char| match name.to_digit(10) {
            Some(n) => SocketAddr::from(([192, 0, 2, n as u8], 80)),
            None => SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, name as u16], 80)),
        };
        names.chars().map(address).collect()
    }

    #[test]
    fn orders() {
        for (given, expected) in [
            ("", ""),
            ("1", "1"),
            ("123", "123"),
            ("abc", "abc"),
            ("ab12", "a1b2"),
            ("12ab", "1a2b"),
            ("a123", "a123"),
            ("abc1", "a1bc"),
            ("1abc2", "1a2bc"),
        ] {
            assert_eq!(Vec::from(alternating(&at(given))), at(expected), "{given}");
        }
    }

    /// No attempt begins before its time, and at most four go on.
    #[test]
    fn a_stagger_apart() {
        let start = Instant::now();
        let mut plan = Plan::new(&at("123456"), STAGGER);
        let just = STAGGER - Duration::from_nanos(1);
        for n in 0..4 {
            let now = start + n * STAGGER;
            assert_eq!(plan.until_next(now), Some(Duration::ZERO));
            assert_eq!(plan.next(now).map(|address| vec![address]), Some(at(&(n + 1).to_string())));
            plan.began(now);
            assert_eq!(plan.next(now + just), None);
        }
        let later = start + 100 * STAGGER;
        assert_eq!((plan.next(later), plan.until_next(later)), (None, None));
        plan.failed();
        assert_eq!(plan.next(later), Some(at("5")[0]));
        plan.began(later);
        assert_eq!(plan.rest(), at("6"));
    }

    /// A failure begins the next attempt at once, and the stagger counts from there.
    #[test]
    fn after_a_failure() {
        let start = Instant::now();
        let mut plan = Plan::new(&at("1234"), STAGGER);
        assert!(plan.next(start).is_some());
        plan.failed_at_once();
        assert_eq!(plan.until_next(start), Some(Duration::ZERO));
        assert!(plan.next(start).is_some());
        plan.began(start);
        let soon = start + STAGGER / 5;
        assert_eq!(plan.until_next(soon), Some(STAGGER * 4 / 5));
        plan.failed();
        assert!(plan.next(soon).is_some());
        plan.began(soon);
        assert_eq!(plan.until_next(soon), Some(STAGGER));
    }

    /// Without a descriptor the address is tried when another attempt ends.
    #[test]
    fn without_a_descriptor() {
        let start = Instant::now();
        let mut plan = Plan::new(&at("123"), STAGGER);
        assert!(plan.next(start).is_some());
        plan.began(start);
        let later = start + STAGGER;
        let second = plan.next(later).unwrap();
        plan.put_back(second);
        assert_eq!((plan.next(later), plan.until_next(later + STAGGER)), (None, None));
        plan.failed();
        assert_eq!(plan.next(later), Some(second));
        // A stagger for ever is one attempt after the other.
        let mut plan = Plan::new(&at("12"), Duration::MAX);
        assert!(plan.next(start).is_some());
        plan.began(start);
        assert_eq!((plan.next(later), plan.until_next(later)), (None, None));
        plan.failed();
        assert!(plan.next(later).is_some());
    }
}
