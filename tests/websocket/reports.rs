//! What users of other clients have reported.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use hostpool::{Bound, ErrorKind, Message, Session};

use super::frames::{Frames, frame, serve};
use super::streams::each;
use super::support::{read_head, without_hanging};

/// tokio-tungstenite 296 and others: a message, a close and the end come with the head of the handshake.
#[test]
fn everything_with_the_head() {
    let addr = serve(|mut stream| {
        let head = String::from_utf8(read_head(&mut stream)?).map_err(io::Error::other)?;
        let frames = [frame(0x81, b"hello"), frame(0x89, b"p"), frame(0x88, b"\x03\xE9bye")].concat();
        let all = [super::peers::switch(&head, "").as_bytes(), &frames].concat();
        stream.write_all(&all)?;
        let mut frames = Frames(stream);
        let answers = [frames.get()?.unwrap(), frames.get()?.unwrap()].map(|frame| (frame.first, frame.payload));
        assert_eq!(answers, [(0x8A, b"p".to_vec()), (0x88, b"\x03\xE9".to_vec())]);
        Ok(())
    });
    without_hanging(move || {
        let socket = Session::new().ws_connect(format!("ws://{addr}/")).connect().unwrap();
        assert_eq!(socket.receive_str().unwrap(), "hello");
        let Message::Close(close) = socket.receive().unwrap() else { panic!("a close") };
        assert_eq!((close.code, &*close.reason), (1001, "bye"));
        assert!(socket.exception().is_none());
    });
}

/// aiohttp pull request 12029: bytes of a frame that is not complete are life. The server answers no ping.
#[test]
fn a_slow_frame_and_a_heartbeat() {
    let addr = serve(|stream| {
        let mut frames = Frames::accept(stream, "")?;
        for byte in frame(0x81, b"slow") {
            assert_eq!(frames.get()?.expect("a ping").first, 0x89);
            frames.0.write_all(&[byte])?;
        }
        frames.get().map(drop)
    });
    let builder = Session::new().ws_connect(format!("ws://{addr}/")).heartbeat(Duration::from_millis(200));
    let socket = builder.connect().unwrap();
    assert_eq!(socket.receive_str().unwrap(), "slow");
}

/// aiohttp pull request 10544, websocket-client 327: the pong has come, but nobody has received for several intervals.
#[test]
fn a_pong_that_lies_unread() {
    const INTERVAL: Duration = Duration::from_millis(40);
    let (ended, ends) = mpsc::channel();
    let ends = Mutex::new(ends);
    let (answered, answers) = mpsc::channel();
    let addr = serve(move |stream| {
        let mut frames = Frames::accept(stream, "")?;
        assert_eq!(frames.get()?.expect("a ping").first, 0x89);
        ends.lock().unwrap().recv().map_err(io::Error::other)?;
        frames.send(0x8A, b"")?;
        answered.send(()).map_err(io::Error::other)?;
        while let Some(frame) = frames.get()? {
            if frame.first == 0x89 {
                frames.send(0x81, b"alive")?;
            }
        }
        Ok(())
    });
    let socket = Session::new().ws_connect(format!("ws://{addr}/")).heartbeat(INTERVAL).connect().unwrap();
    let error = socket.receive_timeout(INTERVAL * 3 / 2).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Timeout(Bound::Receive));
    ended.send(()).unwrap();
    answers.recv().unwrap();
    thread::sleep(INTERVAL * 4);
    assert_eq!(socket.receive_str().unwrap(), "alive");
}

/// websocket-client 92 and 591: pings of one thread while another sends a long message. Frames stay whole, and the pings
/// go between the fragments: the message does not go on before one has come.
#[test]
fn pings_between_the_fragments_of_another_thread() {
    const LEN: u64 = 8 << 20;
    let (open, gate) = mpsc::channel();
    let (open, gate) = (Mutex::new(open), Arc::new(Mutex::new(gate)));
    each(
        move |frames| {
            let (mut received, mut pings) = (0, 0u32);
            while received < LEN {
                let frame = frames.get()?.expect("a frame");
                match frame.first & 0x0F {
                    9 => {
                        assert_eq!(frame.payload, pings.to_be_bytes());
                        pings += 1;
                        if received > 0 {
                            open.lock().unwrap().send(()).map_err(io::Error::other)?;
                        }
                    }
                    opcode => {
                        assert_eq!(opcode == 0, received > 0);
                        received += frame.payload.len() as u64;
                    }
                }
            }
            frames.send(0x81, b"all")?;
            while frames.get()?.is_some() {}
            Ok(())
        },
        |row, socket| {
            let gate = gate.clone();
            without_hanging(move || {
                let has_sent = AtomicBool::new(false);
                thread::scope(|scope| {
                    scope.spawn(|| {
                        let gate = gate.lock().unwrap();
                        let second_half = Gated(&gate).chain(io::repeat(7).take(LEN / 2));
                        socket.send_bytes_from(io::repeat(7).take(LEN / 2).chain(second_half)).unwrap();
                        has_sent.store(true, Ordering::Relaxed);
                    });
                    scope.spawn(|| {
                        let mut at = 0u32;
                        while !has_sent.load(Ordering::Relaxed) {
                            socket.ping(at.to_be_bytes()).unwrap();
                            at += 1;
                        }
                    });
                    assert_eq!(socket.receive_str().unwrap(), "all", "{row}");
                });
                while gate.lock().unwrap().try_recv().is_ok() {}
            });
        },
    );
}

/// An empty reader that ends once the gate is open.
struct Gated<'a>(&'a mpsc::Receiver<()>);

impl Read for Gated<'_> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.recv().map(|()| 0).map_err(io::Error::other)
    }
}

/// The server changes its keys, and asks for new ones of the client, while messages go both ways.
#[test]
fn key_updates_of_the_server() {
    each(
        |frames| {
            // While the client only receives: nobody but its reader answers.
            for at in 0..20 {
                frames.0.change_keys()?;
                frames.send(0x81, format!("{at}").as_bytes())?;
            }
            // While the client sends, and while it does both.
            let mut received = 0;
            while received < 8 << 20 {
                frames.0.change_keys()?;
                let got = frames.get()?.expect("a fragment");
                assert!(got.payload.iter().all(|byte| *byte == 7));
                received += got.payload.len();
                frames.send(0x82, &[1; 3000])?;
            }
            frames.send(0x81, b"end")?;
            frames.echo(0)
        },
        |row, socket| {
            without_hanging(move || {
                for at in 0..20 {
                    assert_eq!(socket.receive_str().unwrap(), at.to_string(), "{row}");
                }
                thread::scope(|scope| {
                    let sender = scope.spawn(|| socket.send_bytes(vec![7; 8 << 20]).unwrap());
                    while let Message::Binary(bytes) = socket.receive().unwrap() {
                        assert!(bytes == [1; 3000], "{row}");
                    }
                    sender.join().unwrap();
                });
                socket.send_str("still here").unwrap();
                assert_eq!(socket.receive_str().unwrap(), "still here", "{row}");
                assert!(socket.close().unwrap() && socket.close_code() == Some(1000), "{row}");
            });
        },
    );
}
