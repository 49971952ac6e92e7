//! Both directions at once, each under its own bounds.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use hostpool::{Bound, CancelToken, Error, ErrorKind, Phase};

use super::kind;
use super::peers::{KINDS, Peer};
use super::support::{GIVE_UP, without_hanging};

/// UP3, and the reader that waits for the whole time: the peer says nothing before it has everything.
#[test]
fn a_blocked_reader_delays_no_writer() {
    for &below in KINDS {
        let peer = Peer::switching(below, |stream| {
            let mut all = Vec::new();
            stream.read_to_end(&mut all)?;
            write!(stream, "{} bytes", all.len())?;
            stream.finish()
        });
        let text = without_hanging(move || {
            let upgraded = peer.upgraded();
            let begins = Barrier::new(2);
            thread::scope(|scope| {
                let reader = scope.spawn(|| {
                    begins.wait();
                    io::read_to_string(&upgraded)
                });
                begins.wait();
                for _ in 0..10_000 {
                    (&upgraded).write_all(b"a small message").unwrap();
                }
                upgraded.shutdown(Shutdown::Write).unwrap();
                let late = (&upgraded).write(b"more").unwrap_err();
                assert_eq!(kind(&late), ErrorKind::Disconnected, "{below:?}");
                reader.join().unwrap().unwrap()
            })
        });
        assert_eq!(text, "150000 bytes", "{below:?}");
    }
}

/// Both sides write all the time, more than all buffers hold.
#[test]
fn both_directions_are_full_at_once() {
    const EACH: usize = 8 * 1024 * 1024;
    for &below in KINDS {
        // Each side writes a part, and reads a part only after that, so that a side that cannot do both locks up.
        let peer = Peer::switching(below, |stream| {
            let mut echo = vec![0; 64 * 1024];
            loop {
                match stream.read(&mut echo)? {
                    0 => return stream.finish(),
                    len => stream.write_all(&echo[..len])?,
                }
            }
        });
        without_hanging(move || {
            let (mut reader, mut writer) = peer.upgraded().into_split();
            let writing = thread::spawn(move || {
                let piece: Vec<u8> = (0..=250).cycle().take(100_003).collect();
                let mut left = EACH;
                while left > 0 {
                    let len = piece.len().min(left);
                    writer.write_all(&piece[..len]).unwrap();
                    left -= len;
                }
            });
            let (mut buf, mut sum, mut received) = (vec![0; 64 * 1024], 0_u64, 0);
            loop {
                match reader.read(&mut buf).unwrap() {
                    0 => break,
                    len => {
                        sum += buf[..len].iter().map(|&byte| u64::from(byte)).sum::<u64>();
                        received += len;
                    }
                }
            }
            writing.join().unwrap();
            let piece: Vec<u8> = (0..=250).cycle().take(100_003).collect();
            let of = |len: usize| piece[..len].iter().map(|&byte| u64::from(byte)).sum::<u64>();
            assert_eq!((received, sum), (EACH, of(piece.len()) * (EACH / piece.len()) as u64 + of(EACH % piece.len())));
        });
    }
}

/// UP5: a read that timed out has taken nothing.
#[test]
fn a_read_that_times_out_loses_nothing() {
    for &below in KINDS {
        let (go, goes) = mpsc::channel::<()>();
        let goes = std::sync::Mutex::new(goes);
        let peer = Peer::switching(below, move |stream| {
            for byte in b"slow" {
                goes.lock().unwrap().recv().map_err(io::Error::other)?;
                stream.write_all(&[*byte])?;
            }
            stream.finish()
        });
        let mut upgraded = peer.upgraded();
        assert_eq!((upgraded.read_timeout(), upgraded.write_timeout()), (None, None));
        let mut read = Vec::new();
        for _ in 0..4 {
            upgraded.set_read_timeout(Duration::from_millis(20));
            let error = upgraded.read(&mut [0; 8]).unwrap_err();
            assert_eq!((error.kind(), kind(&error)), (io::ErrorKind::TimedOut, ErrorKind::Timeout(Bound::Read)));
            assert_eq!(Error::from_io(&error).unwrap().phase(), Phase::Upgraded);
            go.send(()).unwrap();
            upgraded.set_read_timeout(GIVE_UP);
            let mut byte = [0; 8];
            assert_eq!(upgraded.read(&mut byte).unwrap(), 1, "{below:?}");
            read.push(byte[0]);
        }
        assert_eq!(read, b"slow", "{below:?}");
        upgraded.set_read_timeout(None);
        assert_eq!(upgraded.read(&mut [0; 8]).unwrap(), 0, "{below:?}");
    }
}

/// What a write has accepted arrives, once, and nothing else does.
#[test]
fn a_write_that_times_out_has_sent_nothing() {
    for &below in KINDS {
        let (go, goes) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let goes = std::sync::Mutex::new(goes);
        let peer = Peer::switching(below, move |stream| {
            goes.lock().unwrap().recv().map_err(io::Error::other)?;
            let mut all = Vec::new();
            stream.read_to_end(&mut all)?;
            tell.send(all).map_err(io::Error::other)?;
            stream.finish()
        });
        let mut upgraded = peer.upgraded();
        upgraded.set_write_timeout(Duration::from_millis(50));
        let (mut sent, mut next) = (Vec::new(), 0_u8);
        let error = loop {
            let piece = vec![next; 100_000];
            match upgraded.write(&piece) {
                Ok(len) => sent.extend_from_slice(&piece[..len]),
                Err(error) => break error,
            }
            next = next.wrapping_add(1);
        };
        assert_eq!((error.kind(), kind(&error)), (io::ErrorKind::TimedOut, ErrorKind::Timeout(Bound::Write)));
        go.send(()).unwrap();
        upgraded.set_write_timeout(GIVE_UP);
        upgraded.write_all(b"and on").unwrap();
        sent.extend_from_slice(b"and on");
        upgraded.shutdown(Shutdown::Write).unwrap();
        let arrived = told.recv_timeout(GIVE_UP).unwrap();
        assert!(arrived == sent, "{below:?}: {} of {} bytes", arrived.len(), sent.len());
    }
}

/// A fired token ends the wait. The connection goes on under another one.
#[test]
fn a_cancelled_read_and_write_leave_the_connection_usable() {
    for &below in KINDS {
        let (go, goes) = mpsc::channel::<()>();
        let goes = std::sync::Mutex::new(goes);
        let peer = Peer::switching(below, move |stream| {
            goes.lock().unwrap().recv().map_err(io::Error::other)?;
            let mut all = Vec::new();
            stream.read_to_end(&mut all)?;
            write!(stream, "{}", all.len())?;
            stream.finish()
        });
        let upgraded = Arc::new(peer.upgraded());
        let token = CancelToken::new();
        upgraded.set_cancel_token(&token);
        let reader = thread::spawn({
            let upgraded = upgraded.clone();
            move || (&*upgraded).read(&mut [0; 8]).unwrap_err()
        });
        // The writer fills every buffer, and waits then.
        let (progress, seen) = mpsc::channel();
        let writer = thread::spawn({
            let upgraded = upgraded.clone();
            move || {
                let mut sent = 0;
                loop {
                    match (&*upgraded).write(&[7; 64 * 1024]) {
                        Ok(len) => sent += len,
                        Err(error) => return (sent, error),
                    }
                    let _ = progress.send(());
                }
            }
        });
        while seen.recv_timeout(Duration::from_millis(200)).is_ok() {}
        token.cancel();
        let (sent, late) = without_hanging(move || writer.join().unwrap());
        for error in [without_hanging(move || reader.join().unwrap()), late] {
            assert_eq!(kind(&error), ErrorKind::Cancelled, "{below:?}");
        }
        // The token stays fired, also for operations that begin later.
        assert_eq!(kind(&(&*upgraded).write(b"x").unwrap_err()), ErrorKind::Cancelled, "{below:?}");
        assert_eq!(kind(&(&*upgraded).read(&mut [0; 8]).unwrap_err()), ErrorKind::Cancelled, "{below:?}");
        upgraded.set_cancel_token(None);
        go.send(()).unwrap();
        upgraded.shutdown(Shutdown::Write).unwrap();
        let text = without_hanging(move || io::read_to_string(&*upgraded).unwrap());
        assert_eq!(text, sent.to_string(), "{below:?}");
    }
}

/// The token of the request goes on to the connection, with its deadline.
#[test]
fn the_token_of_the_request() {
    let peer = Peer::switching(KINDS[0], |stream| stream.read_to_end(&mut Vec::new()).map(drop));
    let pools = peer.pools().build().unwrap();
    let token = CancelToken::new();
    let upgraded = pools.get(&peer.url).upgrade_to("test").cancel_with(&token).send().unwrap().upgrade().unwrap();
    let error = without_hanging(move || {
        thread::scope(|scope| {
            let reader = scope.spawn(|| (&upgraded).read(&mut [0; 8]).unwrap_err());
            token.cancel();
            reader.join().unwrap()
        })
    });
    assert_eq!(kind(&error), ErrorKind::Cancelled);

    let token = CancelToken::new();
    let ends = token.child_with_timeout(Duration::from_millis(200));
    let mut upgraded = peer.upgraded();
    upgraded.set_cancel_token(&ends);
    let error = without_hanging(move || upgraded.read(&mut [0; 8]).unwrap_err());
    assert_eq!(kind(&error), ErrorKind::Timeout(Bound::Token));
}

/// A second reader waits its turn, under its own timeout and token.
#[test]
fn two_readers() {
    let (go, goes) = mpsc::channel::<()>();
    let goes = std::sync::Mutex::new(goes);
    let peer = Peer::switching(KINDS[0], move |stream| {
        goes.lock().unwrap().recv().map_err(io::Error::other)?;
        stream.write_all(b"ab")?;
        stream.finish()
    });
    let upgraded = peer.upgraded();
    without_hanging(move || {
        thread::scope(|scope| {
            let readers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        let mut byte = [0; 1];
                        (&upgraded).read_exact(&mut byte).unwrap();
                        byte[0]
                    })
                })
                .collect();
            go.send(()).unwrap();
            let mut read: Vec<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
            read.sort_unstable();
            assert_eq!(read, b"ab");
        });
    });
}

/// The total timeout of the request ends with the head.
#[test]
fn the_timeouts_of_the_request_end_with_the_head() {
    const TOTAL: Duration = Duration::from_secs(2);
    let (go, goes) = mpsc::channel::<()>();
    let goes = std::sync::Mutex::new(goes);
    let peer = Peer::switching(KINDS[0], move |stream| {
        goes.lock().unwrap().recv().map_err(io::Error::other)?;
        stream.write_all(b"late")?;
        stream.finish()
    });
    let pools = peer.pools().build().unwrap();
    let request = pools.get(&peer.url).upgrade_to("test").timeout(hostpool::Timeout::from(TOTAL).read(TOTAL / 100));
    let upgraded = request.send().unwrap().upgrade().unwrap();
    thread::sleep(TOTAL);
    let reader = thread::spawn(move || io::read_to_string(upgraded).unwrap());
    go.send(()).unwrap();
    assert_eq!(without_hanging(move || reader.join().unwrap()), "late");
}
