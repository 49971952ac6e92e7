//! How connections end: closes, losses, halves that are gone, and a full socket.

use std::io::Write;
use std::thread;
use std::time::Duration;

use super::super::settings::Settings;
use super::super::{CloseFrame, Message};
use super::peer::{frame, waking};
use crate::error::{Bound, ErrorKind};

fn both(settings: Settings) -> (super::super::WebSocket, super::peer::Peer) {
    waking(settings, |_| {})
}

fn close(code: u16) -> Message {
    Message::Close(CloseFrame { code, reason: "".into() })
}

/// The server sends messages and a close, and resets the connection. A send or a close that fails by it takes nothing
/// away from the receiver.
#[test]
fn what_came_before_a_loss_is_received() {
    for by_close in [false, true] {
        let (socket, mut peer) = both(Settings::default());
        socket.send_str("never read, so that the end is a reset").unwrap();
        let bytes = [frame(0x81, b"a"), frame(0x89, b"p"), frame(0x82, b"b"), frame(0x88, b"\x03\xF0")].concat();
        peer.0.write_all(&bytes).unwrap();
        drop(peer);
        if by_close {
            assert!(socket.close().unwrap());
        } else {
            let error = loop {
                if let Err(error) = socket.send_bytes([0; 1000]) {
                    break error;
                }
            };
            assert_eq!(error.kind(), &ErrorKind::web_socket(1006));
            assert!(socket.is_closed());
            assert_eq!(socket.send_str("x").unwrap_err().kind(), &ErrorKind::web_socket(1006));
        }
        assert_eq!(socket.receive().unwrap(), Message::Text("a".into()), "{by_close}");
        assert_eq!(socket.receive().unwrap(), Message::Binary(b"b".to_vec()));
        assert_eq!(socket.receive().unwrap(), close(1008));
        assert_eq!(socket.receive().unwrap(), Message::Closed);
        assert_eq!((socket.close_code(), socket.exception().is_none()), (Some(1008), true));
    }
}

/// A send that fails, and no close of the server: the receiver tells the loss once.
#[test]
fn a_loss_without_a_close() {
    let (socket, mut peer) = both(Settings::default());
    socket.send_str("never read").unwrap();
    peer.send(0x81, b"a");
    drop(peer);
    while socket.send_bytes([0; 1000]).is_ok() {}
    assert_eq!((socket.close_code(), socket.exception().is_some()), (Some(1006), true));
    assert_eq!(socket.receive().unwrap(), Message::Text("a".into()));
    assert_eq!(socket.receive().unwrap_err().kind(), &ErrorKind::web_socket(1006));
    assert_eq!(socket.receive().unwrap(), Message::Closed);
}

/// A sender that leaves while the socket is full: its close leaves once there is room, although the receiver sleeps.
#[test]
fn a_close_that_did_not_fit() {
    let settings = Settings { send_timeout: Some(Duration::from_millis(20)), ..Settings::default() };
    for pair in [both, super::peer::calling] {
        let (reader, sender, mut peer) = loop {
            let (socket, peer) = pair(settings.clone());
            let (receiver, sender) = socket.split();
            let reader = thread::spawn(move || [receiver.receive(), receiver.receive()]);
            while sender.send_bytes([7; 100]).is_ok() {}
            // A part of a frame may have left. Then it is over.
            if !sender.is_closed() {
                break (reader, sender, peer);
            }
        };
        drop(sender);
        loop {
            let got = peer.get().unwrap();
            if got.first == 0x88 {
                break assert_eq!(got.payload, 1001u16.to_be_bytes());
            }
            assert_eq!((got.first, got.payload), (0x82, vec![7; 100]));
        }
        peer.send_close(1001, "");
        assert_eq!(reader.join().unwrap().map(Result::unwrap), [close(1001), Message::Closed]);
    }
}

/// The server does not answer the close of a half: the other half does not wait for ever.
#[test]
fn a_half_that_is_gone_bounds_the_other() {
    let settings = Settings { close_timeout: Duration::from_millis(50), ..Settings::default() };
    let (socket, mut peer) = both(settings);
    let (receiver, sender) = socket.split();
    peer.send(0x89, b"p");
    let reader = thread::spawn(move || {
        let end = receiver.receive().unwrap_err();
        assert_eq!((receiver.close_code(), receiver.receive().unwrap()), (Some(1006), Message::Closed));
        end
    });
    peer.expect(0x8A, b"p");
    // Most often the reader sleeps by now. The test holds either way.
    thread::sleep(Duration::from_millis(20));
    drop(sender);
    peer.expect_close(1001);
    assert_eq!(reader.join().unwrap().kind(), &ErrorKind::Timeout(Bound::Close));
}

/// A close after a half has begun it waits for the end.
#[test]
fn a_close_after_a_half_is_gone() {
    let (socket, mut peer) = both(Settings::default());
    let (receiver, sender) = socket.split();
    drop(sender);
    let server = thread::spawn(move || {
        peer.expect_close(1001);
        peer.send_close(1001, "");
        peer.expect_end();
    });
    assert!(!receiver.close().unwrap(), "the half has begun it");
    assert_eq!(receiver.close_code(), Some(1001));
    server.join().unwrap();
    assert!(!receiver.close().unwrap());
    assert_eq!(receiver.receive().unwrap(), close(1001));
}

/// A server that needs several intervals to answer a close is no failure of the heartbeat.
#[test]
fn a_heartbeat_and_a_slow_close() {
    let interval = Duration::from_millis(10);
    let (socket, mut peer) = both(Settings { heartbeat: Some(interval), ..Settings::default() });
    let server = thread::spawn(move || {
        peer.expect_close(1000);
        thread::sleep(interval * 10);
        peer.send_close(1000, "");
        peer.expect_end();
    });
    assert!(socket.close().unwrap());
    assert_eq!((socket.close_code(), socket.exception().is_none()), (Some(1000), true));
    server.join().unwrap();
}

/// A child of a fork sends nothing: its parent uses the connection.
#[test]
fn a_fork() {
    for split in [false, true] {
        let (socket, mut peer) = waking(Settings::default(), |duplex| duplex.inherit());
        assert!(!socket.close().unwrap());
        match split {
            false => drop(socket),
            true => drop(socket.split()),
        }
        // The socket is closed here without a shutdown, which the peer sees as an end without a frame.
        peer.expect_end();
    }
}
