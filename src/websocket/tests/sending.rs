//! What a sender leaves, over a stream that has room when the test says so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::super::core::Core;
use super::super::frame::Kind;
use super::super::message::Payload;
use super::super::sending::FRAGMENT;
use super::super::settings::Settings;
use super::super::state::By;
use super::super::stream::Stream;
use crate::error::{Bound, ErrorKind, Phase, Result};
use crate::sync::Mutex;
use crate::time::Until;

/// A stream that takes everything or nothing, and notes by when each send had to end.
#[derive(Default)]
struct Noting {
    is_full: AtomicBool,
    ends: Mutex<Vec<Option<Instant>>>,
}

impl Stream for Noting {
    fn receive(&self, _: &mut [u8], _: Until<'_>) -> Result<Option<usize>> {
        Ok(Some(0))
    }

    fn send(&self, bytes: &[u8], until: Until<'_>) -> Result<usize> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(until.timed_out(Phase::Upgraded));
        }
        self.ends.lock().push(until.at());
        // Two moments differ.
        let begun = Instant::now();
        while Instant::now() == begun {}
        Ok(bytes.len())
    }

    fn send_now(&self, bytes: &[u8]) -> Result<usize> {
        Ok(if self.is_full.load(Ordering::Relaxed) { 0 } else { bytes.len() })
    }

    fn send_or_input(&self, bytes: &[u8], _: Until<'_>) -> Result<usize> {
        self.send_now(bytes)
    }

    fn flush(&self, _: Until<'_>) -> Result<bool> {
        Ok(true)
    }

    fn shutdown_write(&self, _: Until<'_>) -> Result<()> {
        Ok(())
    }

    fn has_input(&self) -> bool {
        true
    }

    fn wake(&self) {}

    fn can_wake(&self) -> bool {
        true
    }

    fn close(&self) {}

    fn is_closed(&self) -> bool {
        false
    }

    fn is_inherited(&self) -> bool {
        false
    }
}

fn core() -> Core<Noting> {
    let settings = Settings { send_timeout: Some(Duration::from_secs(20)), ..Settings::default() };
    Core::new(Noting::default(), settings, None, None)
}

/// The bound of a send is for each write: it does not end a long message that goes on.
#[test]
fn each_write_of_a_long_message_has_the_whole_bound() {
    let core = core();
    core.send(Kind::Binary, &vec![7; 4 * FRAGMENT]).unwrap();
    core.send_from(Kind::Binary, &mut &vec![7; 4 * FRAGMENT][..]).unwrap();
    let ends = core.stream.ends.lock();
    assert_eq!(ends.len(), 8);
    assert!(ends.iter().all(Option::is_some) && ends.is_sorted_by(|one, next| one < next), "{ends:?}");
}

/// Sends that time out, with a pong that waits each time: the out-buffer does not grow.
#[test]
fn pongs_behind_a_rest_do_not_pile_up() {
    let core = core();
    core.stream.is_full.store(true, Ordering::Relaxed);
    for _ in 0..100 {
        core.queue(By::Receiver, |state| state.pong = Payload::new(&[1; 125]));
        let error = core.send(Kind::Binary, b"a message").unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Timeout(Bound::Write));
    }
    assert!(core.wire.lock().rest().len() < 2 * 131 && core.board.lock().waits());
    core.stream.is_full.store(false, Ordering::Relaxed);
    core.send(Kind::Binary, b"a message").unwrap();
    assert!(core.wire.lock().rest().is_empty() && !core.board.lock().waits());
}
