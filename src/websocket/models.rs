//! The hand-over of the turn to send, and the race of a close with a receive and a send, under shuttle.
//!
//! ```text
//! RUSTFLAGS="--cfg hostpool_shuttle" cargo test --lib --release websocket::models
//! ```
//!
//! What runs is the code that ships, over a connection that is two queues. The queue to the server has little room, so
//! that frames leave in parts. Shuttle reports a deadlock if a thread is never woken: a frame that stays behind while
//! the receiver sleeps is one.

#[path = "../../tests/support/frames.rs"]
#[allow(dead_code, reason = "the models write their frames by hand")]
mod frames;

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use shuttle::thread;

use super::core::Core;
use super::frame::Kind;
use super::message::Message;
use super::settings::Settings;
use super::stream::Stream;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::sync::{Condvar, Mutex};
use crate::time::Until;

/// The bytes that fit into the queue to the server.
const ROOM: usize = 4;

#[derive(Default)]
struct Ends {
    to_server: VecDeque<u8>,
    to_client: VecDeque<u8>,
    /// The client has ended its direction, and the server its own.
    ended: [bool; 2],
    closed: bool,
    woken: bool,
}

#[derive(Clone)]
struct Pipe(Arc<(Mutex<Ends>, Condvar)>);

fn closed() -> Error {
    Error::new(ErrorKind::Closed, Phase::Upgraded)
}

impl Pipe {
    fn new() -> Pipe {
        Pipe(Arc::new((Mutex::new(Ends::default()), Condvar::new())))
    }

    /// Waits until `found` returns something.
    fn wait<T>(&self, mut found: impl FnMut(&mut Ends) -> Option<T>) -> T {
        let (ends, changed) = &*self.0;
        let mut ends = ends.lock();
        loop {
            if let Some(found) = found(&mut ends) {
                changed.notify_all();
                return found;
            }
            changed.wait(&mut ends);
        }
    }

    fn now<T>(&self, act: impl FnOnce(&mut Ends) -> T) -> T {
        let mut act = Some(act);
        // It is there the first time, which is the last.
        self.wait(|ends| act.take().map(|act| act(ends)))
    }

    /// The server reads one frame, or `None` at the end.
    fn server_reads(&self) -> Option<(u8, Vec<u8>)> {
        let frame = frames::read_frame(&mut Reads(self)).ok().flatten()?;
        Some((frame.first, frame.payload))
    }

    fn server_sends(&self, bytes: &[u8]) {
        self.now(|ends| ends.to_client.extend(bytes));
    }

    fn server_ends(&self) {
        self.now(|ends| ends.ended[1] = true);
    }
}

/// The server's side of the queue from the client.
struct Reads<'a>(&'a Pipe);

impl Read for Reads<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.0.wait(|ends| {
            let len = ends.to_server.len().min(buf.len());
            buf.iter_mut().zip(ends.to_server.drain(..len)).for_each(|(to, from)| *to = from);
            (len > 0 || ends.ended[0] || ends.closed).then_some(len)
        }))
    }
}

fn put(ends: &mut Ends, bytes: &[u8]) -> usize {
    let len = bytes.len().min(ROOM - ends.to_server.len().min(ROOM));
    ends.to_server.extend(&bytes[..len]);
    len
}

impl Stream for Pipe {
    fn receive(&self, buf: &mut [u8], _: Until<'_>) -> Result<Option<usize>> {
        self.wait(|ends| {
            if std::mem::take(&mut ends.woken) {
                return Some(Ok(None));
            }
            if ends.closed {
                return Some(Err(closed()));
            }
            if ends.to_client.is_empty() {
                return ends.ended[1].then_some(Ok(Some(0)));
            }
            let len = ends.to_client.len().min(buf.len());
            buf.iter_mut().zip(ends.to_client.drain(..len)).for_each(|(to, from)| *to = from);
            Some(Ok(Some(len)))
        })
    }

    fn send(&self, bytes: &[u8], _: Until<'_>) -> Result<usize> {
        self.wait(|ends| match ends.closed {
            true => Some(Err(closed())),
            false => Some(put(ends, bytes)).filter(|len| *len > 0).map(Ok),
        })
    }

    fn send_now(&self, bytes: &[u8]) -> Result<usize> {
        self.now(|ends| if ends.closed { Err(closed()) } else { Ok(put(ends, bytes)) })
    }

    fn send_or_input(&self, bytes: &[u8], _: Until<'_>) -> Result<usize> {
        self.wait(|ends| {
            if ends.closed {
                return Some(Err(closed()));
            }
            match put(ends, bytes) {
                0 => (!ends.to_client.is_empty() || ends.ended[1]).then_some(Ok(0)),
                len => Some(Ok(len)),
            }
        })
    }

    fn flush(&self, _: Until<'_>) -> Result<bool> {
        Ok(true)
    }

    fn shutdown_write(&self, _: Until<'_>) -> Result<()> {
        self.now(|ends| ends.ended[0] = true);
        Ok(())
    }

    fn has_input(&self) -> bool {
        self.now(|ends| !ends.to_client.is_empty() || ends.ended[1])
    }

    fn wake(&self) {
        self.now(|ends| ends.woken = true);
    }

    fn can_wake(&self) -> bool {
        true
    }

    fn close(&self) {
        self.now(|ends| ends.closed = true);
    }

    fn is_closed(&self) -> bool {
        self.now(|ends| ends.closed)
    }

    fn is_inherited(&self) -> bool {
        false
    }
}

fn core() -> (Arc<Core<Pipe>>, Pipe) {
    let pipe = Pipe::new();
    (Arc::new(Core::new(pipe.clone(), Settings::default(), None, None)), pipe)
}

fn check(scenario: fn()) {
    shuttle::check_random(scenario, iterations(3000));
    shuttle::check_pct(scenario, iterations(3000), 3);
}

fn iterations(short: usize) -> usize {
    let long = std::env::var("HOSTPOOL_MODEL_ITERATIONS").ok();
    long.map_or(short, |text| text.parse().expect("HOSTPOOL_MODEL_ITERATIONS is a number"))
}

/// A pong that comes while another thread sends leaves, whoever has the turn, although the receiver sleeps.
#[test]
fn a_pong_and_a_sender() {
    check(|| {
        let (core, pipe) = core();
        let sender = thread::spawn({
            let core = core.clone();
            move || core.send(Kind::Text, b"abcdefgh").expect("it is sent")
        });
        let receiver = thread::spawn({
            let core = core.clone();
            move || core.receive(Until::NEVER).expect("a message")
        });
        pipe.server_sends(&[0x89, 1, b'p']);
        let mut frames: Vec<_> = (0..2).map(|_| pipe.server_reads().expect("a frame")).collect();
        frames.sort();
        // Nothing else wakes the receiver before both have come.
        assert_eq!(frames, [(0x81, b"abcdefgh".to_vec()), (0x8A, b"p".to_vec())]);
        pipe.server_sends(&[0x81, 1, b'm']);
        assert_eq!(receiver.join().expect("no panic"), Message::Text("m".into()));
        sender.join().expect("no panic");
    });
}

/// Two senders and a pong: frames are whole, and none is lost.
#[test]
fn two_senders_and_a_pong() {
    check(|| {
        let (core, pipe) = core();
        let senders = ["one", "two"].map(|text| {
            let core = core.clone();
            thread::spawn(move || core.send(Kind::Text, text.as_bytes()).expect("it is sent"))
        });
        let receiver = thread::spawn({
            let core = core.clone();
            move || core.receive(Until::NEVER).expect("a message")
        });
        pipe.server_sends(&[0x89, 0]);
        let mut frames: Vec<_> = (0..3).map(|_| pipe.server_reads().expect("a frame")).collect();
        frames.sort();
        assert_eq!(frames, [(0x81, b"one".to_vec()), (0x81, b"two".to_vec()), (0x8A, Vec::new())]);
        pipe.server_sends(&[0x82, 0]);
        receiver.join().expect("no panic");
        senders.into_iter().for_each(|sender| sender.join().expect("no panic"));
    });
}

/// A close of this side while one thread receives and another sends: one close frame, after whole frames, and every
/// thread returns.
#[test]
fn a_close_with_a_receiver_and_a_sender() {
    check(|| {
        let (core, pipe) = core();
        let sender = thread::spawn({
            let core = core.clone();
            move || core.send(Kind::Text, b"abcdefgh").is_ok()
        });
        let receiver = thread::spawn({
            let core = core.clone();
            move || [0; 2].map(|_| core.receive(Until::NEVER).expect("no failure"))
        });
        let closer = thread::spawn({
            let core = core.clone();
            move || core.close(1000, "").expect("a code that is sent")
        });
        let mut sent = false;
        loop {
            match pipe.server_reads().expect("a close comes first") {
                (0x81, text) => {
                    assert_eq!(text, b"abcdefgh");
                    sent = true;
                }
                (0x88, code) => {
                    assert_eq!(code, 1000u16.to_be_bytes());
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        pipe.server_sends(&[0x88, 2, 3, 0xE8]);
        pipe.server_ends();
        assert!(closer.join().expect("no panic"));
        assert_eq!(sender.join().expect("no panic"), sent);
        let [first, second] = receiver.join().expect("no panic");
        assert!(matches!(first, Message::Close(_)) && second == Message::Closed);
        assert_eq!(pipe.server_reads(), None, "nothing follows a close");
    });
}

/// Both sides close at once: the server's close is the reply to ours, and no second frame is sent.
#[test]
fn closes_that_cross() {
    check(|| {
        let (core, pipe) = core();
        pipe.server_sends(&[0x88, 2, 3, 0xE9]);
        let receiver = thread::spawn({
            let core = core.clone();
            move || core.receive(Until::NEVER).expect("no failure")
        });
        let closer = thread::spawn({
            let core = core.clone();
            move || core.close(1000, "").expect("a code that is sent")
        });
        let (first, code) = pipe.server_reads().expect("one close");
        assert_eq!(first, 0x88);
        pipe.server_ends();
        let ours = closer.join().expect("no panic");
        assert_eq!(code, if ours { 1000u16 } else { 1001 }.to_be_bytes());
        assert!(matches!(receiver.join().expect("no panic"), Message::Close(frame) if frame.code == 1001));
        assert_eq!(pipe.server_reads(), None);
        assert_eq!(core.close_code(), Some(1001));
    });
}

/// Nobody receives but the thread in `close`, and then another comes for its messages.
#[test]
fn a_close_reads_for_a_receiver_that_comes_later() {
    check(|| {
        let (core, pipe) = core();
        pipe.server_sends(&[0x81, 1, b'a', 0x81, 1, b'b']);
        let closer = thread::spawn({
            let core = core.clone();
            move || core.close(1000, "").expect("a code that is sent")
        });
        let receiver = thread::spawn({
            let core = core.clone();
            move || [0; 4].map(|_| core.receive(Until::NEVER).expect("no failure"))
        });
        assert_eq!(pipe.server_reads().expect("a close").0, 0x88);
        pipe.server_sends(&[0x88, 0]);
        pipe.server_ends();
        assert!(closer.join().expect("no panic"));
        let [a, b, close, closed] = receiver.join().expect("no panic");
        assert_eq!([a, b, closed], [Message::Text("a".into()), Message::Text("b".into()), Message::Closed]);
        assert!(close.is_close());
    });
}

/// A sender that leaves behind a frame that did not fit: its close leaves all the same, although the receiver sleeps.
#[test]
fn a_sender_that_leaves() {
    check(|| {
        let (core, pipe) = core();
        let sender = thread::spawn({
            let core = core.clone();
            move || {
                core.send(Kind::Text, b"abcdefgh").expect("it is sent");
                core.leave(1001);
            }
        });
        let receiver = thread::spawn({
            let core = core.clone();
            move || [0; 2].map(|_| core.receive(Until::NEVER).expect("no failure"))
        });
        assert_eq!(pipe.server_reads(), Some((0x81, b"abcdefgh".to_vec())));
        assert_eq!(pipe.server_reads(), Some((0x88, 1001u16.to_be_bytes().to_vec())));
        pipe.server_sends(&[0x88, 2, 3, 0xE9]);
        pipe.server_ends();
        let [first, second] = receiver.join().expect("no panic");
        assert!(matches!(first, Message::Close(_)) && second == Message::Closed);
        sender.join().expect("no panic");
    });
}
