//! What counts as life with a heartbeat, and what a sender leaves.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::super::Message;
use super::super::core::Core;
use super::super::frame::Kind;
use super::super::sending::FRAGMENT;
use super::super::settings::Settings;
use super::super::state::Board;
use super::super::stream::Stream;
use super::peer::{of_the_caller, waking};
use crate::error::{Bound, ErrorKind, Phase, Result};
use crate::time::Until;

type Send = dyn Fn(&[u8], Until<'_>) -> Result<usize> + std::marker::Send + Sync;
type Flush = dyn Fn(Until<'_>) -> Result<bool> + std::marker::Send + Sync;

/// A connection that sends and flushes as it is told. Nothing can be received, and no receiver can be woken.
struct Scripted {
    send: Box<Send>,
    flush: Box<Flush>,
}

impl Stream for Scripted {
    fn receive(&self, _: &mut [u8], _: Until<'_>) -> Result<Option<usize>> {
        unreachable!("nobody receives")
    }

    fn send(&self, bytes: &[u8], until: Until<'_>) -> Result<usize> {
        (self.send)(bytes, until)
    }

    fn send_now(&self, _: &[u8]) -> Result<usize> {
        Ok(0)
    }

    fn send_or_input(&self, _: &[u8], _: Until<'_>) -> Result<usize> {
        unreachable!("nobody receives")
    }

    fn flush(&self, until: Until<'_>) -> Result<bool> {
        (self.flush)(until)
    }

    fn shutdown_write(&self, _: Until<'_>) -> Result<()> {
        Ok(())
    }

    fn has_input(&self) -> bool {
        false
    }

    fn wake(&self) {}

    fn can_wake(&self) -> bool {
        false
    }

    fn close(&self) {}

    fn is_closed(&self) -> bool {
        false
    }

    fn is_inherited(&self) -> bool {
        false
    }
}

/// WT3: while one large write goes on, its progress counts as life, also where the whole of it takes many intervals.
#[test]
fn progress_of_one_write() {
    let board: Arc<OnceLock<Arc<Board>>> = Arc::default();
    // For each flush: what it finds about the ping that waits for its pong.
    let pinged: Arc<Mutex<Vec<bool>>> = Arc::default();
    // It takes all bytes at once and sends them slowly, as TLS does.
    let send = |bytes: &[u8], until: Until<'_>| {
        assert_eq!(until.bound(), Bound::Heartbeat);
        Ok(bytes.len())
    };
    let (its_board, its_pinged) = (board.clone(), pinged.clone());
    let flush = move |until: Until<'_>| {
        assert_eq!(until.bound(), Bound::Heartbeat, "a flush without an end shows no progress");
        thread::sleep(until.remaining(Instant::now()).unwrap());
        let mut state = its_board.get().unwrap().lock();
        let mut pinged = its_pinged.lock().unwrap();
        pinged.push(state.pinged.is_some());
        state.pinged = Some(Instant::now());
        match pinged.len() {
            // A part has left.
            1 => Ok(false),
            // Nothing has.
            2 => Err(until.timed_out(Phase::Upgraded)),
            _ => Ok(true),
        }
    };
    let settings = Settings { heartbeat: Some(Duration::from_millis(40)), ..Settings::default() };
    let core = Core::new(Scripted { send: Box::new(send), flush: Box::new(flush) }, settings, None, None);
    assert!(board.set(core.board.clone()).is_ok());
    core.board.lock().pinged = Some(Instant::now());
    core.send(Kind::Binary, &[0; 100_000]).unwrap();
    // The first flush finds the ping. The second one does not, because the first has made progress. It makes none.
    assert_eq!(*pinged.lock().unwrap(), [true, false, true]);
    assert_eq!(core.board.lock().pinged, None, "the last bytes have left");
}

/// A close whose frame does not fit within its bound does not wait for room once more.
#[test]
fn a_close_that_does_not_fit() {
    let waits = Arc::new(AtomicUsize::new(0));
    let count = waits.clone();
    let send = move |_: &[u8], until: Until<'_>| {
        count.fetch_add(1, Ordering::SeqCst);
        Err(until.timed_out(Phase::Upgraded))
    };
    let core =
        Core::new(Scripted { send: Box::new(send), flush: Box::new(|_| Ok(true)) }, Settings::default(), None, None);
    assert!(core.close(1000, "").unwrap());
    assert_eq!(waits.load(Ordering::SeqCst), 1);
    assert_eq!(core.board.lock().failed().unwrap().error().kind(), &ErrorKind::Timeout(Bound::Close));
}

/// A server that is gone takes small messages for long, because the system does. They are no sign of life.
#[test]
fn small_messages_to_a_server_that_is_gone() {
    let interval = Duration::from_millis(40);
    let (socket, _peer) = waking(Settings { heartbeat: Some(interval), ..Settings::default() }, |_| {});
    thread::scope(|scope| {
        let reader = scope.spawn(|| socket.receive().unwrap_err());
        // Ten seconds, and less than the system takes.
        let failed = (0..2000).any(|_| {
            thread::sleep(Duration::from_millis(5));
            socket.send_str("x").is_err()
        });
        assert!(failed, "nobody has noticed it");
        assert_eq!(reader.join().unwrap().kind(), &ErrorKind::Timeout(Bound::Heartbeat));
    });
}

/// A pong that does not fit after a message, over a transport whose receiver cannot be woken: the sender waits for room.
#[test]
fn a_pong_that_does_not_fit() {
    for round in 0..8 {
        let (socket, mut peer) = of_the_caller(Settings::default());
        // One frame, and more than the buffers hold.
        let len = FRAGMENT - round * 1000;
        let socket = &socket;
        thread::scope(move |scope| {
            let sender = scope.spawn(move || socket.send_bytes(vec![7; len]));
            // The frame has begun, and does not end before it is read.
            let mut head = [0; 1];
            peer.0.read_exact(&mut head).unwrap();
            peer.send(0x89, b"p");
            peer.send(0x81, b"first");
            assert_eq!(socket.receive().unwrap(), Message::Text("first".into()));
            let reader = scope.spawn(move || socket.receive());
            let (mut piece, mut left) = ([0; 1024], len + 13);
            while left > 0 {
                left -= peer.0.read(&mut piece[..left.min(1024)]).unwrap();
            }
            peer.expect(0x8A, b"p");
            sender.join().unwrap().unwrap();
            peer.send(0x81, b"second");
            assert_eq!(reader.join().unwrap().unwrap(), Message::Text("second".into()));
        });
    }
}
