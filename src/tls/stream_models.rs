//! The hand-over between the thread that receives and the one that sends, under shuttle: everything that was sealed
//! leaves once and in order, and nobody hangs.
//!
//! ```text
//! RUSTFLAGS="--cfg hostpool_shuttle" cargo test --lib --release tls::stream_models
//! ```
//!
//! The stream is the one that ships. Its TLS library passes bytes on as they are, and answers each `K` by a `u` of its own,
//! as it does with a key update. Its transport has room when the model says so.

use std::io::{self, IoSlice};
use std::sync::{Arc, Weak};

use shuttle::thread;

use super::session::{Backend, Fed, Session};
use super::stream::TlsStream;
use crate::cancel::{Blocked, CancelToken};
use crate::error::{Result, TlsFailure};
use crate::net::tls_info::TlsInfo;
use crate::net::transport::{Probe, Transport, Wait};
use crate::sync::{Condvar, Mutex};
use crate::time::Until;
use crate::urls::Url;

#[derive(Debug, Default)]
struct Plain {
    received: Vec<u8>,
    sealed: Vec<u8>,
}

impl Session for Plain {
    fn feed(&mut self, input: &[u8]) -> Result<Fed, TlsFailure> {
        for &byte in input {
            match byte {
                b'K' => self.sealed.push(b'u'),
                byte => self.received.push(byte),
            }
        }
        Ok(Fed { taken: input.len(), closed: false })
    }

    fn end(&mut self) {}

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.received.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let len = buf.len().min(self.received.len());
        buf[..len].copy_from_slice(&self.received[..len]);
        self.received.drain(..len);
        Ok(len)
    }

    fn has_plaintext(&mut self) -> bool {
        !self.received.is_empty()
    }

    fn write(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        bufs.iter().for_each(|buf| self.sealed.extend_from_slice(buf));
        Ok(bufs.iter().map(|buf| buf.len()).sum())
    }

    fn wants_write(&self) -> bool {
        !self.sealed.is_empty()
    }

    fn pull(&mut self, outgoing: &mut Vec<u8>) {
        outgoing.append(&mut self.sealed);
    }

    fn close(&mut self) {
        self.sealed.push(b'.');
    }

    fn is_handshaking(&self) -> bool {
        false
    }

    fn explain_end(&self) -> Option<TlsFailure> {
        None
    }

    fn info(&self) -> TlsInfo {
        TlsInfo::default()
    }
}

struct Library;

impl Backend for Library {
    fn begin(&self, _: &crate::urls::Origin) -> Result<Box<dyn Session>, TlsFailure> {
        Ok(Box::new(Plain::default()))
    }
}

/// The transport and its peer.
#[derive(Default)]
struct Peer {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    input: Vec<u8>,
    sent: Vec<u8>,
    room: usize,
}

impl Peer {
    fn says(&self, bytes: &[u8]) {
        self.state.lock().input.extend_from_slice(bytes);
        self.changed.notify_all();
    }

    fn has_room_for(&self, bytes: usize) {
        self.state.lock().room += bytes;
        self.changed.notify_all();
    }

    fn sent(&self) -> Vec<u8> {
        self.state.lock().sent.clone()
    }

    /// Waits until `found` returns something. A fire of the token ends the wait, as the signal does.
    fn wait<T>(self: &Arc<Self>, wait: &Wait<'_>, mut found: impl FnMut(&mut State) -> Option<T>) -> io::Result<T> {
        let _registered = wait.until.register(|| {
            let peer: Weak<dyn Blocked> = Arc::<Peer>::downgrade(self);
            (peer, 0)
        });
        let mut state = self.state.lock();
        loop {
            if let Some(found) = found(&mut state) {
                return Ok(found);
            }
            if wait.until.is_fired() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            if wait.deadline().is_some() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.changed.wait(&mut state);
        }
    }
}

impl Blocked for Peer {
    fn cancel(&self, _: u64) {
        drop(self.state.lock());
        self.changed.notify_all();
    }
}

struct Wire(Arc<Peer>);

impl Transport for Wire {
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        self.0.wait(wait, |state| {
            let len = buf.len().min(state.input.len());
            buf[..len].copy_from_slice(&state.input[..len]);
            state.input.drain(..len);
            (len > 0).then_some(len)
        })
    }

    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        let sent = self.0.wait(wait, |state| {
            let len = bufs[0].len().min(state.room);
            state.room -= len;
            state.sent.extend_from_slice(&bufs[0][..len]);
            (len > 0 || wait.watch_input && !state.input.is_empty()).then_some(len)
        });
        self.0.changed.notify_all();
        sent
    }

    fn probe(&self) -> Probe {
        if self.0.state.lock().input.is_empty() { Probe::Quiet } else { Probe::Readable }
    }

    fn abort(&self) {}
}

/// A stream, and the other end of its transport.
fn world() -> (Arc<TlsStream>, Arc<Peer>) {
    let peer = Arc::new(Peer::default());
    let url = Url::parse("https://h/").expect("a URL");
    let stream = TlsStream::connect(&Library, Box::new(Wire(peer.clone())), url.origin(), &Wait::new());
    (Arc::new(stream.expect("there is no handshake")), peer)
}

fn waiting(until: Until<'_>) -> Wait<'_> {
    Wait { until, wakes: true, duplex: true, ..Wait::new() }
}

fn check(model: fn()) {
    shuttle::check_random(model, 5000);
    shuttle::check_pct(model, 5000, 3);
}

/// Receives one byte of plaintext in a thread of its own.
fn receiver(stream: &Arc<TlsStream>) -> thread::JoinHandle<u8> {
    let stream = stream.clone();
    thread::spawn(move || {
        let mut byte = [0];
        stream.recv(&mut byte, &waiting(Until::NEVER)).expect("a byte comes");
        byte[0]
    })
}

/// The receiver has something of TLS to say while another thread sends. All of it leaves, although the receiver waits for
/// more right after.
#[test]
fn both_send() {
    check(|| {
        let (stream, peer) = world();
        let reader = receiver(&stream);
        let talking = {
            let peer = peer.clone();
            thread::spawn(move || {
                peer.says(b"K");
                peer.has_room_for(2);
                peer.has_room_for(3);
            })
        };
        let mut sent = 0;
        while sent < 4 {
            sent += stream.send(&[IoSlice::new(&b"abcd"[sent..])], &waiting(Until::NEVER)).expect("there is room");
        }
        talking.join().expect("no thread panics");
        // The answer to the key update needs nothing else to leave.
        peer.wait(&Wait::new(), |state| (state.sent.len() == 5).then_some(())).expect("all is sent");
        peer.says(b"d");
        assert_eq!(reader.join().expect("no thread panics"), b'd');
        let all = peer.sent();
        let data: Vec<u8> = all.iter().copied().filter(|&byte| byte != b'u').collect();
        assert_eq!((data.as_slice(), all.len()), (&b"abcd"[..], 5));
    });
}

/// A thread that waits for its turn to send is ended by its token. The receiver, which has the turn, goes on, and what was
/// sealed leaves when there is room.
#[test]
fn a_fire_while_the_receiver_sends() {
    check(|| {
        let (stream, peer) = world();
        peer.says(b"K");
        let (reader, token) = (receiver(&stream), CancelToken::new());
        let writer = {
            let (stream, token) = (stream.clone(), token.clone());
            thread::spawn(move || stream.send(&[IoSlice::new(b"ab")], &waiting(Until::NEVER.with_token(&token))).ok())
        };
        token.cancel();
        let accepted = writer.join().expect("no thread panics");
        peer.has_room_for(3);
        peer.says(b"d");
        assert_eq!(reader.join().expect("no thread panics"), b'd');
        while !stream.flush(&waiting(Until::NEVER)).expect("there is room") {}
        let expected: usize = 1 + accepted.unwrap_or(0);
        let sent = peer.sent();
        assert_eq!(sent.len(), expected, "{sent:?}");
    });
}
