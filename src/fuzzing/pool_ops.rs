//! The pool's core against its naive model, as the property test drives them.

use super::input::Input;
use crate::pool::core::model::{Op, Rules, World};

pub fn pool_ops(data: &[u8]) {
    let mut input = Input::new(data);
    let mut world = World::new(rules(&mut input));
    for _ in 0..512 {
        if input.is_empty() {
            break;
        }
        world.step(op(&mut input));
    }
    world.wind_down();
}

fn rules(input: &mut Input<'_>) -> Rules {
    Rules {
        open: input.option(2).map(|limit| limit + 1),
        idle: input.option(2),
        total: input.option(3).map(|limit| limit + 1),
        idle_timeout: input.option(6).map(|seconds| seconds as u64 + 2),
        max_age: input.option(7).map(|seconds| seconds as u64 + 4),
        max_idle: input.option(3),
    }
}

fn op(input: &mut Input<'_>) -> Op {
    let op = input.byte();
    let who = usize::from(input.byte());
    match op % 32 {
        0..=6 => Op::Checkout((who % 18) as u8),
        7..=12 => Op::Opened(who),
        13 if who >= 0x80 => Op::NotDialed(who),
        13 => Op::DialFailed(who),
        14..=18 => Op::Checkin { who: who % 16, keep: None, late: who >= 128 },
        19 => Op::Checkin { who: who % 16, keep: Some(who as u64 >> 4 & 7), late: who >= 128 },
        20 => Op::Discard(who),
        21 => Op::Renew(who),
        22 => Op::ReplaceDead(who),
        23..=25 => Op::Turn(who),
        26 => Op::Cancel(who),
        27 if who >= 0x80 => Op::Touch(who),
        27 => Op::Interrupt(who),
        28 | 29 => Op::Settle(who),
        30 if who == 0xFF => Op::Close,
        30 => Op::Clock(1 + who as u64 % 3),
        _ if who >= 0xF8 => Op::NoDescriptors,
        _ if who >= 0xF0 => Op::Expire,
        _ if who >= 0xE0 => Op::HangUp(who),
        _ => match who % 4 {
            0 => Op::Retire,
            1 => Op::RetireKey((who / 4 % 6) as u8),
            2 => Op::CloseKey((who / 4 % 6) as u8),
            _ if who < 128 => Op::Unpin(who / 4),
            _ => Op::Pin((who / 4 % 6) as u8),
        },
    }
}
