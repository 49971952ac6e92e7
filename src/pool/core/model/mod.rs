//! The core against a naive model of the same rules: one thread, plain vectors, every question answered by a scan.
//!
//! Random operations run on both. After each the answers, who was woken in which order, what is closed and why, and all
//! counts must agree, the core must pass its audit, and no more sockets may be open than the limits allow. A socket
//! counts from its dial until its connection is settled, which happens late and in any order.

mod naive;
mod world;

pub(crate) use naive::Rules;
pub(crate) use world::{Op, World};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn op() -> impl Strategy<Value = Op> {
        let who = || 0..64usize;
        prop_oneof![
            14 => (0..18u8).prop_map(Op::Checkout),
            12 => who().prop_map(Op::Opened),
            2 => who().prop_map(Op::DialFailed),
            1 => who().prop_map(Op::NotDialed),
            12 => (who(), proptest::option::weighted(0.2, 0..8u64), any::<bool>())
                .prop_map(|(who, keep, late)| Op::Checkin { who, keep, late }),
            2 => who().prop_map(Op::Discard),
            2 => who().prop_map(Op::Renew),
            2 => who().prop_map(Op::ReplaceDead),
            8 => who().prop_map(Op::Turn),
            2 => who().prop_map(Op::Cancel),
            1 => who().prop_map(Op::Interrupt),
            3 => who().prop_map(Op::Touch),
            8 => who().prop_map(Op::Settle),
            3 => (1..4u64).prop_map(Op::Clock),
            1 => Just(Op::Retire),
            1 => (0..6u8).prop_map(Op::RetireKey),
            1 => (0..6u8).prop_map(Op::CloseKey),
            1 => (0..6u8).prop_map(Op::Pin),
            1 => who().prop_map(Op::Unpin),
            1 => Just(Op::Expire),
            1 => Just(Op::NoDescriptors),
            1 => who().prop_map(Op::HangUp),
        ]
    }

    fn rules() -> impl Strategy<Value = Rules> {
        let some = |range: std::ops::Range<usize>| proptest::option::weighted(0.75, range);
        let times = (proptest::option::of(2..9u64), proptest::option::of(4..12u64));
        let idle = (proptest::option::of(0..3usize), proptest::option::of(0..4usize));
        (some(1..4), idle, some(1..5), times).prop_map(|(open, (idle, max_idle), total, times)| {
            let (idle_timeout, max_age) = times;
            Rules { open, idle, total, idle_timeout, max_age, max_idle }
        })
    }

    /// Enough to be worth it in every run; `PROPTEST_CASES` asks for more.
    fn cases() -> u32 {
        std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1500)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_core_does_what_the_model_says(rules in rules(), ops in proptest::collection::vec(op(), 1..160)) {
            let mut world = World::new(rules);
            for op in ops {
                world.step(op);
            }
            world.wind_down();
        }
    }
}
