//! Messages through the client's own connections: plain, TLS, Unix sockets, compressed, and from many threads.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use hostpool::{Bound, CancelToken, ErrorKind, Message, PerMessageDeflate, Session, WebSocket};

use super::frames::{Frame, Frames, serve};
use super::streams::each;
use super::support::without_hanging;

fn text(text: &str) -> Message {
    Message::Text(text.into())
}

#[test]
fn a_conversation() {
    each(
        |frames| frames.echo(1),
        |row, socket| {
            for len in [0, 1, 125, 126, 65_535, 65_536, 400_000] {
                let bytes: Vec<u8> = (0..len).map(|at| at as u8).collect();
                socket.send_bytes(&bytes).unwrap();
                let Message::Binary(echo) = socket.receive().unwrap() else { panic!("{row}") };
                assert!(echo == bytes, "{row} {len}");
            }
            socket.send_str("h\u{e9}llo").unwrap();
            assert_eq!(socket.receive_str().unwrap(), "h\u{e9}llo", "{row}");
            assert!(socket.close_with(4001, "enough").unwrap(), "{row}");
            assert_eq!(socket.close_code(), Some(4001), "{row}");
            assert!(socket.exception().is_none(), "{row}: {:?}", socket.exception());
        },
    );
}

/// A thread is blocked in `receive` for the whole test, and the server says nothing while 10,000 messages are sent.
#[test]
fn a_blocked_receiver_delays_no_send() {
    const COUNT: u32 = 10_000;
    each(
        |frames| {
            for at in 0..COUNT {
                let Some(Frame { first: 0x81, payload }) = frames.get()? else { panic!("a message") };
                assert_eq!(payload, at.to_string().as_bytes());
            }
            frames.send(0x81, b"all")
        },
        |row, socket| {
            thread::scope(|scope| {
                let reader = scope.spawn(|| socket.receive().unwrap());
                (0..COUNT).for_each(|at| socket.send_str(&at.to_string()).unwrap());
                assert_eq!(reader.join().unwrap(), text("all"), "{row}");
            });
        },
    );
}

/// One receives, three send, pings cross: none is lost or reordered per sender. Then a fourth thread closes.
///
/// `HOSTPOOL_WEBSOCKET_MESSAGES` is the number of each sender, for long runs.
#[test]
fn many_threads() {
    fn count() -> u32 {
        std::env::var("HOSTPOOL_WEBSOCKET_MESSAGES").map_or(3000, |count| count.parse().unwrap())
    }
    each(
        |frames| frames.echo(16),
        |row, socket| {
            let each = count();
            let (all, done) = mpsc::channel();
            thread::scope(|scope| {
                let socket = &socket;
                for sender in 0..3 {
                    scope.spawn(move || (0..each).for_each(|at| socket.send_str(&format!("{sender} {at}")).unwrap()));
                }
                let reader = scope.spawn(move || {
                    let mut next = [0u32; 3];
                    while next != [each; 3] {
                        let text = socket.receive_str().unwrap();
                        let (sender, at) = text.split_once(' ').unwrap();
                        let next = &mut next[sender.parse::<usize>().unwrap()];
                        assert_eq!(at, next.to_string(), "{row}");
                        *next += 1;
                    }
                    all.send(()).unwrap();
                    [0; 2].map(|_| socket.receive().unwrap())
                });
                scope.spawn(move || {
                    done.recv().unwrap();
                    assert!(socket.close().unwrap());
                });
                let [close, closed] = reader.join().unwrap();
                assert!(matches!(&close, Message::Close(frame) if frame.code == 1000), "{row}: {close:?}");
                assert_eq!(closed, Message::Closed, "{row}");
            });
            assert!(socket.exception().is_none(), "{row}");
        },
    );
}

/// Both sides send more than all buffers hold before they receive.
#[test]
fn both_buffers_full() {
    const LEN: usize = 16 << 20;
    each(
        |frames| {
            for _ in 0..LEN / (1 << 20) {
                frames.send(0x82, &[1; 1 << 20])?;
            }
            let mut received = 0;
            while received < LEN {
                received += frames.get()?.map_or(0, |frame| frame.payload.len());
            }
            frames.send(0x81, b"all")
        },
        |row, socket| {
            without_hanging(move || {
                let message = vec![2; LEN];
                thread::scope(|scope| {
                    let sender = scope.spawn(|| socket.send_bytes(&message).unwrap());
                    for _ in 0..LEN / (1 << 20) {
                        assert_eq!(socket.receive_bytes().unwrap().len(), 1 << 20, "{row}");
                    }
                    sender.join().unwrap();
                });
                assert_eq!(socket.receive().unwrap(), text("all"), "{row}");
            });
        },
    );
}

/// A receive that was cancelled or timed out, in the middle of a message too, leaves the WebSocket as it is.
#[test]
fn receives_that_end_early() {
    each(
        |frames| {
            frames.send(0x01, b"a")?;
            while let Some(frame) = frames.get()? {
                match frame.first {
                    0x81 => frames.send(0x80, b"b")?,
                    _ => return frames.send(0x88, &frame.payload),
                }
            }
            Ok(())
        },
        |row, socket| {
            let error = socket.receive_timeout(Duration::from_millis(5)).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Timeout(Bound::Receive), "{row}");
            let token = CancelToken::new();
            thread::scope(|scope| {
                let reader = scope.spawn(|| socket.receive_with(&token).unwrap_err());
                let waiting = scope.spawn(|| socket.receive_with(&token).unwrap_err());
                token.cancel();
                for reader in [reader, waiting] {
                    assert_eq!(reader.join().unwrap().kind(), &ErrorKind::Cancelled, "{row}");
                }
            });
            let late = CancelToken::with_timeout(Duration::from_millis(5));
            let error = socket.receive_with(&late).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Timeout(Bound::Token), "{row}");
            socket.send_str("go on").unwrap();
            assert_eq!(socket.receive().unwrap(), text("ab"), "{row}");
            assert!(socket.close().unwrap() && socket.close_code() == Some(1000), "{row}");
        },
    );
}

/// Compressed messages come back as they were sent, whatever was agreed on about the window.
#[test]
fn compressed() {
    for parameters in ["", "; client_no_context_takeover; server_no_context_takeover", "; client_max_window_bits=9"] {
        let lines = format!("Sec-WebSocket-Extensions: permessage-deflate{parameters}\r\n");
        let addr = serve(move |stream| Frames::accept(stream, &lines)?.echo(0));
        let builder = Session::new().ws_connect(format!("ws://{addr}/")).compress(PerMessageDeflate::new());
        let socket = builder.connect().unwrap();
        for len in [0, 10, 10, 0, 0, 70_000, 1 << 20] {
            let words = "words that come again ".repeat(len / 20 + 1);
            socket.send_str(&words[..len]).unwrap();
            assert_eq!(socket.receive_str().unwrap(), &words[..len], "{parameters}");
        }
    }
    // A window of 256 bytes: what is sent is not compressed.
    let lines = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=8\r\n";
    let addr = serve(move |stream| {
        let mut frames = Frames::accept(stream, lines)?;
        let frame = frames.get()?.expect("a message");
        assert_eq!(frame.first, 0x81);
        frames.send(0x81, &frame.payload)
    });
    let builder = Session::new().ws_connect(format!("ws://{addr}/")).compress(PerMessageDeflate::new());
    let socket = builder.connect().unwrap();
    socket.send_str("plain").unwrap();
    assert_eq!(socket.receive_str().unwrap(), "plain");
}

/// The connection counts for the limit of its pool until the WebSocket is closed, in any way.
#[test]
fn the_slot_comes_back() {
    let addr = serve(|stream| Frames::accept(stream, "")?.echo(0));
    let session = Session::builder().limit(1).pool_timeout(Duration::from_secs(20)).build().unwrap();
    let ends: [fn(WebSocket); 5] = [
        |socket| drop(socket),
        |socket| assert!(socket.close().unwrap()),
        |socket| drop(socket.split().0),
        |socket| {
            socket.send_bytes([0; 10]).unwrap();
            drop(socket);
        },
        |socket| {
            // The server leaves.
            socket.send_str("x").unwrap();
            assert!(socket.receive().is_ok());
            drop(socket.into_iter());
        },
    ];
    for end in ends {
        end(session.ws_connect(format!("ws://{addr}/")).connect().unwrap());
    }
    let socket = session.ws_connect(format!("ws://{addr}/")).connect().unwrap();
    // A closed session ends it, and the thread that receives.
    thread::scope(|scope| {
        let reader = scope.spawn(|| socket.receive().unwrap_err());
        session.close();
        let error = reader.join().unwrap();
        assert!(error.is_closed(), "{error:?}");
    });
    assert_eq!(socket.receive().unwrap(), Message::Closed);
}
