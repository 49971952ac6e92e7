//! The WebSocket over real sockets, with a scripted server.

use std::io::{self, Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::super::settings::Settings;
use super::super::{Message, WebSocket};
use super::peer::{Peer, compressing, frame, pair};
use crate::cancel::CancelToken;
use crate::error::{Bound, ErrorKind, Limit};

fn both() -> (WebSocket, Peer) {
    pair(Settings::default())
}

fn text(text: &str) -> Message {
    Message::Text(text.into())
}

fn close(code: u16, reason: &str) -> Message {
    Message::Close(super::super::CloseFrame { code, reason: reason.into() })
}

/// B 235, 237, 239: messages both ways, a ping, and a close of this side.
#[test]
fn messages_both_ways() {
    let (socket, mut peer) = both();
    socket.send_str("hello").unwrap();
    socket.send_bytes([1, 2, 3]).unwrap();
    socket.send_str("").unwrap();
    socket.ping("p").unwrap();
    socket.pong([]).unwrap();
    for (first, payload) in [(0x81, &b"hello"[..]), (0x82, &[1, 2, 3]), (0x81, b""), (0x89, b"p"), (0x8A, b"")] {
        peer.expect(first, payload);
    }
    peer.send(0x89, b"are you there");
    peer.send(0x81, "h\u{e9}llo".as_bytes());
    peer.send(0x82, &[0; 70_000]);
    assert_eq!(socket.receive().unwrap(), text("h\u{e9}llo"));
    assert_eq!(socket.receive().unwrap(), Message::Binary(vec![0; 70_000]));
    peer.expect(0x8A, b"are you there");
    assert!(!socket.is_closed() && socket.close_code().is_none() && socket.exception().is_none());
    let server = thread::spawn(move || {
        peer.expect_close(1000);
        peer.send_close(1000, "bye");
        peer.expect_end();
    });
    assert!(socket.close().unwrap());
    assert_eq!((socket.close_code(), socket.is_closed()), (Some(1000), true));
    assert!(!socket.close().unwrap(), "B 239: the second call returns false");
    assert_eq!(socket.receive().unwrap(), close(1000, "bye"));
    assert_eq!(socket.receive().unwrap(), Message::Closed);
    assert_eq!(socket.receive().unwrap(), Message::Closed);
    assert_eq!(socket.send_str("late").unwrap_err().kind(), &ErrorKind::Closed, "B 241");
    server.join().unwrap();
}

/// B 237: the server closes, and gets its code back.
#[test]
fn the_server_closes() {
    for (payload, expected, reply) in [
        (&b"\x03\xE9going"[..], close(1001, "going"), &b"\x03\xE9"[..]),
        (b"", close(1005, ""), b""),
        (b"\x0F\xA0", close(4000, ""), b"\x0F\xA0"),
    ] {
        let (socket, mut peer) = both();
        peer.send(0x82, b"x");
        peer.send(0x88, payload);
        let server = thread::spawn(move || {
            let got = peer.get().unwrap();
            assert_eq!(got.first, 0x88);
            peer.expect_end();
            got.payload
        });
        let all: Vec<_> = socket.iter().map(Result::unwrap).collect();
        assert_eq!(all, [Message::Binary(b"x".to_vec())], "the iteration ends with the close");
        assert_eq!(server.join().unwrap(), reply);
        let Message::Close(frame) = expected else { unreachable!() };
        assert_eq!(socket.close_code(), Some(frame.code));
        assert!(socket.is_closed() && socket.exception().is_none());
        assert_eq!(socket.receive().unwrap(), Message::Closed);
    }
}

/// B 238: without autoclose the caller answers.
#[test]
fn without_autoclose() {
    let (socket, mut peer) = pair(Settings { autoclose: false, ..Settings::default() });
    peer.send_close(1001, "");
    assert_eq!(socket.receive().unwrap(), close(1001, ""));
    assert!(!socket.is_closed());
    socket.send_str("one more").unwrap();
    peer.expect(0x81, b"one more");
    let server = thread::spawn(move || {
        peer.expect_close(3000);
        peer.expect_end();
    });
    assert!(socket.close_with(3000, "").unwrap());
    server.join().unwrap();
    assert!(socket.is_closed());
    assert_eq!(socket.close_code(), Some(1001), "that of the server");
}

/// B 236: without autoping they are shown, and nothing is answered.
#[test]
fn without_autoping() {
    let (socket, mut peer) = pair(Settings { autoping: false, ..Settings::default() });
    peer.send(0x89, b"a");
    peer.send(0x8A, b"b");
    assert_eq!(socket.receive().unwrap(), Message::Ping(b"a".to_vec()));
    assert_eq!(socket.receive().unwrap(), Message::Pong(b"b".to_vec()));
    socket.pong("mine").unwrap();
    peer.expect(0x8A, b"mine");
}

/// Each broken rule ends the connection with its code, and is told once (B 233, 245, 247).
#[test]
fn broken_rules_end_the_connection() {
    let settings = Settings { max_message: Some(100), max_frame: Some(50), ..Settings::default() };
    let table = [
        (frame(0x91, b""), ErrorKind::web_socket(1002), 1002),
        (vec![0x81, 0x80], ErrorKind::web_socket(1002), 1002),
        (frame(0x81, b"\xFF"), ErrorKind::web_socket(1007), 1007),
        (frame(0x82, &[0; 51]), ErrorKind::LimitExceeded(Limit::Frame), 1009),
        (
            [frame(0x02, &[0; 50]), frame(0x00, &[0; 50]), frame(0x80, &[0])].concat(),
            ErrorKind::LimitExceeded(Limit::Message),
            1009,
        ),
    ];
    for (bytes, kind, code) in table {
        let (socket, mut peer) = pair(settings.clone());
        peer.send(0x81, b"before");
        peer.0.write_all(&bytes).unwrap();
        let server = thread::spawn(move || {
            peer.expect_close(code);
            peer.expect_end();
        });
        assert_eq!(socket.receive().unwrap(), text("before"));
        let error = socket.receive().unwrap_err();
        assert_eq!((error.kind(), error.url().map(|url| url.path())), (&kind, Some("/")));
        server.join().unwrap();
        assert_eq!(socket.close_code(), Some(code));
        assert_eq!(socket.exception().unwrap().kind(), &kind);
        assert_eq!(socket.receive().unwrap(), Message::Closed, "told once");
        assert_eq!(socket.send_str("x").unwrap_err().kind(), &kind);
    }
}

/// WC3, C81: a connection that ends without a close frame is an error, at each byte of a frame.
#[test]
fn connections_that_are_lost() {
    let bytes = [frame(0x81, b"hello"), frame(0x02, &[7; 130]), frame(0x80, b"end")].concat();
    for cut in 0..bytes.len() {
        let (socket, mut peer) = both();
        peer.0.write_all(&bytes[..cut]).unwrap();
        drop(peer);
        let mut all: Vec<_> = socket.iter().collect();
        let error = all.pop().unwrap().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::web_socket(1006), "{cut}");
        let expected = if cut >= 7 { vec![text("hello")] } else { vec![] };
        assert_eq!(all.into_iter().map(Result::unwrap).collect::<Vec<_>>(), expected, "{cut}");
        assert_eq!((socket.close_code(), socket.receive().unwrap()), (Some(1006), Message::Closed));
    }
}

/// C83: a peer that never answers a close, with and without a thread that receives.
#[test]
fn a_close_that_nobody_answers() {
    let settings = Settings { close_timeout: Duration::from_millis(50), ..Settings::default() };
    for reads in [false, true] {
        let (socket, mut peer) = pair(settings.clone());
        thread::scope(|scope| {
            let reader = reads.then(|| scope.spawn(|| socket.receive()));
            assert!(socket.close().unwrap());
            if let Some(reader) = reader {
                let error = reader.join().unwrap().unwrap_err();
                assert_eq!(error.kind(), &ErrorKind::Timeout(Bound::Close));
            }
        });
        assert_eq!(socket.close_code(), Some(1006));
        assert_eq!(socket.exception().unwrap().kind(), &ErrorKind::Timeout(Bound::Close));
        peer.expect_close(1000);
        assert!(matches!(peer.0.read(&mut [0]), Ok(0) | Err(_)));
    }
}

/// The same while the peer sends a byte at a time, or without end.
#[test]
fn a_close_against_a_trickle() {
    let settings = Settings { close_timeout: Duration::from_millis(50), ..Settings::default() };
    for bytes in [vec![0x89, 0x00], [frame(0x82, &[1; 3000])].concat()] {
        let (socket, mut peer) = pair(settings.clone());
        let server = thread::spawn(move || while peer.0.write_all(&bytes).is_ok() {});
        assert!(socket.close().unwrap());
        assert_eq!(socket.close_code(), Some(1006));
        server.join().unwrap();
    }
}

/// WT5: a thread waits in `receive` while another closes: data, then `Close`, then `Closed`.
#[test]
fn a_close_wakes_the_receiver() {
    let (socket, mut peer) = both();
    let server = thread::spawn(move || {
        peer.expect_close(1000);
        peer.send(0x81, b"last words");
        peer.send_close(1000, "");
        peer.expect_end();
    });
    thread::scope(|scope| {
        let reader = scope.spawn(|| [0; 3].map(|_| socket.receive().unwrap()));
        assert!(socket.close().unwrap());
        assert_eq!(reader.join().unwrap(), [text("last words"), close(1000, ""), Message::Closed]);
    });
    server.join().unwrap();
}

/// WT7: 100 messages and a close that nobody has read yet.
#[test]
fn messages_before_a_close_are_kept() {
    let (socket, mut peer) = both();
    let server = thread::spawn(move || {
        for at in 0..100 {
            peer.send(0x81, format!("{at}").as_bytes());
        }
        peer.send_close(1000, "done");
        peer.expect_close(1000);
        peer.expect_end();
    });
    assert!(socket.close().unwrap(), "this side begins, whatever lies unread");
    server.join().unwrap();
    for at in 0..100 {
        assert_eq!(socket.receive().unwrap(), text(&at.to_string()));
    }
    assert_eq!(socket.receive().unwrap(), close(1000, "done"));
    assert_eq!(socket.receive().unwrap(), Message::Closed);
}

/// B 250: a receive that timed out in any byte of a message has lost nothing.
#[test]
fn timeouts_at_each_byte() {
    let (socket, mut peer) = both();
    let bytes = [frame(0x01, "h\u{e9}".as_bytes()), frame(0x89, b"p"), frame(0x80, b"!")].concat();
    for (at, byte) in bytes.iter().enumerate() {
        let error = socket.receive_timeout(Duration::from_millis(1)).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Timeout(Bound::Receive), "{at}");
        peer.0.write_all(&[*byte]).unwrap();
    }
    assert_eq!(socket.receive().unwrap(), text("h\u{e9}!"));
    peer.expect(0x8A, b"p");
    assert!(socket.receive_timeout(Duration::ZERO).unwrap_err().is_timeout());
    assert!(socket.exception().is_none());
}

/// B 248, WT1: a lone reader answers each ping without another inbound byte.
#[test]
fn a_lone_reader_answers_pings() {
    let (socket, mut peer) = both();
    thread::scope(|scope| {
        let reader = scope.spawn(|| socket.receive().unwrap());
        for at in 0..20u8 {
            peer.send(0x89, &[at]);
            peer.expect(0x8A, &[at]);
        }
        peer.send(0x81, b"end");
        assert_eq!(reader.join().unwrap(), text("end"));
    });
}

/// The second receiver waits for its turn, and gives up by its own bound.
#[test]
fn two_receivers() {
    let (socket, mut peer) = both();
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let socket = &socket;
        let first = scope.spawn(move || {
            tell.send(()).unwrap();
            socket.receive().unwrap()
        });
        told.recv().unwrap();
        let _ = socket.receive_timeout(Duration::from_millis(20)).unwrap_err();
        let token = CancelToken::with_timeout(Duration::from_millis(20));
        assert!(socket.receive_with(&token).is_err());
        let second = scope.spawn(|| socket.receive().unwrap());
        peer.send(0x81, b"a");
        peer.send(0x81, b"b");
        let mut both = [first.join().unwrap(), second.join().unwrap()];
        both.sort_by_key(|message| message.as_text().unwrap().to_owned());
        assert_eq!(both, [text("a"), text("b")]);
    });
}

/// A blocked sender: pings are answered once it goes on, and both full buffers do not lock up.
#[test]
fn full_buffers() {
    let (socket, mut peer) = both();
    let message = vec![1; 32 << 20];
    thread::scope(|scope| {
        let sender = scope.spawn(|| socket.send_bytes(&message));
        let reader = scope.spawn(|| socket.receive().unwrap());
        // The peer sends first, more than the buffers hold, and reads nothing meanwhile.
        peer.send(0x82, &message[..16 << 20]);
        assert_eq!(reader.join().unwrap(), Message::Binary(vec![1; 16 << 20]));
        let reader = scope.spawn(|| socket.receive().unwrap());
        peer.send(0x89, b"ping");
        peer.send(0x81, b"end");
        assert_eq!(reader.join().unwrap(), text("end"));
        let (mut received, mut pong, mut frames) = (0, false, 0);
        while received < message.len() || !pong {
            let got = peer.get().unwrap();
            match got.first {
                0x8A => pong = true,
                first => {
                    assert_eq!(
                        first,
                        if frames == 0 {
                            0x02
                        } else if received + got.payload.len() == message.len() {
                            0x80
                        } else {
                            0
                        }
                    );
                    received += got.payload.len();
                    frames += 1;
                    assert!(got.payload.len() <= 128 * 1024 && got.payload.iter().all(|byte| *byte == 1));
                }
            }
        }
        assert!(received < message.len() || frames == 256);
        sender.join().unwrap().unwrap();
    });
}

/// WC9, C84: a send that is stuck inside a frame. Nothing is put into it, and a close frees it.
#[test]
fn a_stuck_send_is_freed_by_a_close() {
    let settings = Settings { close_timeout: Duration::from_millis(100), ..Settings::default() };
    let (socket, mut peer) = pair(settings);
    let message = vec![1; 64 << 20];
    thread::scope(|scope| {
        let sender = scope.spawn(|| socket.send_bytes(&message));
        // It has begun.
        let mut first = [0; 2];
        peer.0.read_exact(&mut first).unwrap();
        assert_eq!(first[0], 0x02);
        assert!(socket.close().unwrap());
        let error = sender.join().unwrap().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Timeout(Bound::Close) | ErrorKind::Closed), "{error:?}");
    });
    assert_eq!(socket.close_code(), Some(1006));
}

/// A send that timed out before its first byte leaves the socket as it is, and one inside a frame does not.
#[test]
fn sends_that_time_out() {
    let settings = Settings { send_timeout: Some(Duration::from_millis(50)), ..Settings::default() };
    let (socket, mut peer) = pair(settings);
    let piece = vec![1; 100 * 1024];
    let error = loop {
        if let Err(error) = socket.send_bytes(&piece) {
            break error;
        }
    };
    assert_eq!(error.kind(), &ErrorKind::Timeout(Bound::Write));
    let inside = socket.is_closed();
    // Whole frames alone have left, unless the connection is closed.
    let mut bytes = Vec::new();
    if inside {
        assert_eq!(socket.close_code(), Some(1006));
        let _ = peer.0.read_to_end(&mut bytes);
        assert_ne!(bytes.len() % (piece.len() + 14), 0);
    }
}

/// WC1: a drop without a close: one close frame, FIN, and no wait.
#[test]
fn drops() {
    let (socket, mut peer) = both();
    drop(socket);
    peer.expect_close(1001);
    peer.expect_end();
    // What has arrived unread does not make it a reset.
    let (socket, mut peer) = both();
    for _ in 0..10 {
        peer.send(0x82, &[0; 1000]);
    }
    peer.send(0x81, b"x");
    let _ = socket.receive().unwrap();
    drop(socket);
    peer.expect_close(1001);
    peer.expect_end();
    // A closed one sends nothing more.
    let (socket, mut peer) = both();
    let server = thread::spawn(move || {
        peer.expect_close(1000);
        peer.send_close(1000, "");
        peer.expect_end();
    });
    socket.close().unwrap();
    drop(socket);
    server.join().unwrap();
}

/// A half that is dropped begins the close, and the other half sees its end.
#[test]
fn halves() {
    let (socket, mut peer) = both();
    let (receiver, sender) = socket.split();
    sender.send_str("x").unwrap();
    drop(sender);
    peer.expect(0x81, b"x");
    peer.expect_close(1001);
    peer.send(0x81, b"still");
    peer.send_close(1001, "");
    assert_eq!(receiver.receive().unwrap(), text("still"));
    assert_eq!(receiver.receive().unwrap(), close(1001, ""));
    assert_eq!(receiver.receive().unwrap(), Message::Closed);
    drop(receiver);
    peer.expect_end();

    let (socket, mut peer) = both();
    let (receiver, sender) = socket.split();
    drop(receiver);
    peer.expect_close(1001);
    assert_eq!(sender.send_str("x").unwrap_err().kind(), &ErrorKind::Closed);
    drop(sender);
    peer.expect_end();
}

/// A large message from a reader leaves in fragments, and a ping is answered between them.
#[test]
fn messages_from_readers() {
    let (socket, mut peer) = both();
    for len in [0, 1, 128 * 1024, 128 * 1024 + 1, 300_000] {
        assert_eq!(socket.send_bytes_from(io::repeat(7).take(len)).unwrap(), len);
        let mut received = 0;
        loop {
            let got = peer.get().unwrap();
            assert_eq!(got.first & 0x0F, if received == 0 { 2 } else { 0 }, "{len}");
            received += got.payload.len() as u64;
            if got.first & 0x80 != 0 {
                break;
            }
        }
        assert_eq!(received, len);
    }
    let error = socket.send_str_from(&b"abc\xFF"[..]).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidRequest);
    assert!(!socket.is_closed(), "nothing had left");
    assert_eq!(socket.send_str_from("h\u{e9}".as_bytes()).unwrap(), 3);
    peer.expect(0x81, "h\u{e9}".as_bytes());

    struct Fails(u64);
    impl Read for Fails {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::Error::other("the disk is gone"));
            }
            let len = buf.len().min(self.0 as usize);
            self.0 -= len as u64;
            Ok(len)
        }
    }
    let error = socket.send_bytes_from(Fails(10)).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::BodyRead);
    assert!(!socket.is_closed(), "nothing had left");
    let error = socket.send_bytes_from(Fails(300 * 1024)).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::BodyRead);
    assert!(socket.is_closed() && socket.close_code() == Some(1006));
}

/// B 251: a ping when it is quiet, life by any byte, and an error when nothing comes.
#[test]
fn heartbeats() {
    let interval = Duration::from_millis(40);
    let (socket, mut peer) = pair(Settings { heartbeat: Some(interval), ..Settings::default() });
    thread::scope(|scope| {
        let reader = scope.spawn(|| (socket.receive(), socket.receive()));
        for _ in 0..3 {
            peer.expect(0x89, b"");
            peer.send(0x8A, b"");
        }
        peer.expect(0x89, b"");
        peer.send(0x81, b"life");
        peer.expect(0x89, b"");
        let (first, second) = reader.join().unwrap();
        assert_eq!(first.unwrap(), text("life"));
        assert_eq!(second.unwrap_err().kind(), &ErrorKind::Timeout(Bound::Heartbeat));
    });
    assert_eq!(socket.close_code(), Some(1006));
    assert_eq!(socket.receive().unwrap(), Message::Closed);
}

/// Compressed both ways, in fragments and with plain ones between.
#[test]
fn compressed_messages() {
    let (socket, mut peer) = compressing(Settings::default(), true);
    let (echo, mut server) = compressing(Settings::default(), true);
    // What one client sends is what a server would send, but for the mask.
    let long = "words and words ".repeat(40_000);
    for sent in ["", "hello", "hello", &long, ""] {
        socket.send_str(sent).unwrap();
        let mut first = 0xC1;
        loop {
            let got = peer.get().unwrap();
            assert_eq!(got.first & 0x7F, first & 0x7F);
            server.0.write_all(&frame(got.first, &got.payload)).unwrap();
            server.send(0x89, b"");
            if got.first & 0x80 != 0 {
                break;
            }
            first = 0x80;
        }
        assert_eq!(echo.receive().unwrap(), text(sent));
        server.send(0x81, b"plain");
        assert_eq!(echo.receive().unwrap(), text("plain"));
    }
}

/// What is expected and what comes instead.
#[test]
fn typed_receives() {
    let (socket, mut peer) = both();
    peer.send(0x81, b"text");
    assert_eq!(socket.receive_str().unwrap(), "text");
    peer.send(0x82, b"bytes");
    assert_eq!(socket.receive_bytes().unwrap(), b"bytes");
    peer.send(0x82, b"bytes");
    let error = socket.receive_str().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::ContentType);
    assert!(error.to_string().contains("a binary message came in place of a text message"), "{error}");
    #[cfg(feature = "json")]
    {
        peer.send(0x81, b"[1, 2]");
        assert_eq!(socket.receive_json::<Vec<u32>>().unwrap(), [1, 2]);
        peer.send(0x81, b"[1, ");
        assert_eq!(socket.receive_json::<Vec<u32>>().unwrap_err().kind(), &ErrorKind::Decode);
        socket.send_json(&[1, 2]).unwrap();
        peer.expect(0x81, b"[1,2]");
    }
    peer.send_close(1000, "enough");
    let error = socket.receive_str().unwrap_err();
    assert!(error.is_closed() && error.to_string().contains("1000 (enough)"), "{error}");
}

/// WC7: nothing is sent for a code or a reason that cannot be.
#[test]
fn closes_that_are_refused() {
    let (socket, mut peer) = both();
    for code in [0, 999, 1004, 1005, 1006, 1015, 5000] {
        assert_eq!(socket.close_with(code, "").unwrap_err().kind(), &ErrorKind::InvalidRequest, "{code}");
    }
    assert!(socket.close_with(1000, &"x".repeat(124)).is_err());
    assert_eq!(socket.ping([0; 126]).unwrap_err().kind(), &ErrorKind::InvalidRequest);
    socket.send_str("open").unwrap();
    peer.expect(0x81, b"open");
}

/// One receives, three send, pings cross: nothing is lost or reordered per sender, and then a fourth thread closes.
#[test]
fn many_threads() {
    const EACH: u32 = 2000;
    let (socket, mut peer) = both();
    let server = thread::spawn(move || {
        let mut next = [0; 3];
        let mut echo = peer.0.try_clone().unwrap();
        loop {
            let got = peer.get().unwrap();
            match got.first {
                0x81 => {
                    let text = String::from_utf8(got.payload.clone()).unwrap();
                    let (sender, at) = text.split_once(' ').unwrap();
                    let sender: usize = sender.parse().unwrap();
                    assert_eq!(at.parse::<u32>().unwrap(), next[sender]);
                    next[sender] += 1;
                    let mut bytes = frame(0x81, &got.payload);
                    if next[sender] % 16 == 0 {
                        bytes.extend(frame(0x89, &got.payload));
                    }
                    echo.write_all(&bytes).unwrap();
                }
                0x8A => {}
                0x88 => {
                    echo.write_all(&frame(0x88, &got.payload)).unwrap();
                    // A ping that crossed the close may still be answered (RFC 6455, section 5.5.2).
                    while let Some(got) = peer.get() {
                        assert_eq!(got.first, 0x8A);
                    }
                    return next;
                }
                other => panic!("{other:x}"),
            }
        }
    });
    let (all, done) = mpsc::channel();
    thread::scope(|scope| {
        let socket = &socket;
        for sender in 0..3 {
            scope.spawn(move || (0..EACH).for_each(|at| socket.send_str(&format!("{sender} {at}")).unwrap()));
        }
        let reader = scope.spawn(move || {
            let mut next = [0u32; 3];
            loop {
                match socket.receive().unwrap() {
                    Message::Text(text) => {
                        let (sender, at) = text.split_once(' ').unwrap();
                        let sender: usize = sender.parse().unwrap();
                        assert_eq!(at.parse::<u32>().unwrap(), next[sender]);
                        next[sender] += 1;
                        if next == [EACH; 3] {
                            all.send(()).unwrap();
                        }
                    }
                    Message::Close(frame) => {
                        assert_eq!(frame.code, 1000);
                        return next;
                    }
                    other => panic!("{other:?}"),
                }
            }
        });
        scope.spawn(move || {
            done.recv().unwrap();
            assert!(socket.close().unwrap());
        });
        assert_eq!(reader.join().unwrap(), [EACH; 3]);
    });
    assert_eq!(server.join().unwrap(), [EACH; 3]);
}
