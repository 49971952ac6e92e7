//! How an upgraded connection ends, and what becomes of its place in the pool.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::mpsc;
use std::thread;

use hostpool::{CloseReason, ErrorKind, PoolManager};

use super::kind;
use super::peers::{KINDS, Kind, Peer, SWITCH};
use super::support::{GIVE_UP, read_head, without_hanging};

/// A server that reads until the client has ended its direction, and tells so.
fn listening(below: Kind) -> (Peer, mpsc::Receiver<Result<usize, io::ErrorKind>>) {
    let (tell, told) = mpsc::channel();
    let peer = Peer::switching(below, move |stream| {
        let mut all = Vec::new();
        let end = stream.read_to_end(&mut all).map(|_| all.len()).map_err(|error| error.kind());
        tell.send(end).map_err(io::Error::other)
    });
    (peer, told)
}

fn in_use(pools: &PoolManager) -> usize {
    pools.stats().in_use
}

/// The place is kept until the connection is closed, from any thread, and free then although the value lives on.
#[test]
fn a_close_wakes_everybody_and_frees_the_place() {
    for &below in KINDS {
        let (peer, told) = listening(below);
        let pools = peer.pools().limit(1).build().unwrap();
        let upgraded = pools.get(&peer.url).upgrade_to("test").send().unwrap().upgrade().unwrap();
        assert_eq!((in_use(&pools), upgraded.is_closed()), (1, false), "{below:?}");
        without_hanging({
            let pools = pools.clone();
            move || {
                thread::scope(|scope| {
                    let reader = scope.spawn(|| (&upgraded).read(&mut [0; 8]).unwrap_err());
                    upgraded.close();
                    assert_eq!(kind(&reader.join().unwrap()), ErrorKind::Closed, "{below:?}");
                });
                assert_eq!((in_use(&pools), upgraded.is_closed()), (0, true), "{below:?}");
                for error in [(&upgraded).read(&mut [0; 8]).unwrap_err(), (&upgraded).write(b"x").unwrap_err()] {
                    assert_eq!((error.kind(), kind(&error)), (io::ErrorKind::NotConnected, ErrorKind::Closed));
                }
            }
        });
        // An orderly end, for TLS with a close_notify.
        assert_eq!(told.recv_timeout(GIVE_UP).unwrap(), Ok(0), "{below:?}");
        assert_eq!(pools.stats().closed(CloseReason::Upgraded), 1, "{below:?}");
    }
}

/// A caller that waits for the only place gets it when the connection is dropped.
#[test]
fn a_waiter_gets_the_place() {
    for &below in KINDS {
        let (peer, told) = listening(below);
        let pools = peer.pools().limit(1).build().unwrap();
        let first = pools.get(&peer.url).upgrade_to("test").send().unwrap().upgrade().unwrap();
        let waiting = thread::spawn({
            let request = pools.get(&peer.url).upgrade_to("test");
            move || request.send().unwrap().upgrade().unwrap()
        });
        super::support::eventually("the other caller waits", || pools.stats().waiting == 1);
        drop(first);
        let second = without_hanging(move || waiting.join().unwrap());
        assert_eq!(in_use(&pools), 1, "{below:?}");
        drop(second);
        assert_eq!(in_use(&pools), 0, "{below:?}");
        for _ in 0..2 {
            assert_eq!(told.recv_timeout(GIVE_UP).unwrap(), Ok(0), "{below:?}");
        }
    }
}

/// The halves: the writer's end is seen by the peer, the reader reads on, and the last of them frees the place.
#[test]
fn the_halves_end_one_after_the_other() {
    for &below in KINDS {
        let peer = Peer::switching(below, |stream| {
            let mut all = Vec::new();
            stream.read_to_end(&mut all)?;
            stream.write_all(&all)?;
            stream.finish()?;
            stream.read_to_end(&mut Vec::new()).map(drop)
        });
        let pools = peer.pools().build().unwrap();
        let upgraded = || pools.get(&peer.url).upgrade_to("test").send().unwrap().upgrade().unwrap();
        let (mut reader, mut writer) = upgraded().into_split();
        writer.write_all(b"hello").unwrap();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!((&*text, in_use(&pools)), ("hello", 1), "{below:?}");
        drop(reader);
        assert_eq!(in_use(&pools), 0, "{below:?}");

        // Put together again, they are one connection that goes on.
        let ((reader, writer), (_, stranger)) = (upgraded().into_split(), upgraded().into_split());
        let (reader, _) = reader.reunite(stranger).expect_err("of two connections");
        let mut whole = reader.reunite(writer).unwrap();
        whole.write_all(b"again").unwrap();
        whole.shutdown(Shutdown::Write).unwrap();
        assert_eq!(io::read_to_string(whole).unwrap(), "again", "{below:?}");
    }
}

/// The client ends it, too.
#[test]
fn a_close_of_the_client() {
    for &below in KINDS {
        for all in [false, true] {
            let (peer, _told) = listening(below);
            let pools = peer.pools().build().unwrap();
            let upgraded = pools.get(&peer.url).upgrade_to("test").send().unwrap().upgrade().unwrap();
            let error = without_hanging(move || {
                thread::scope(|scope| {
                    let reader = scope.spawn(|| (&upgraded).read(&mut [0; 8]).unwrap_err());
                    match all {
                        true => pools.cancel_all(),
                        false => pools.close(),
                    }
                    reader.join().unwrap()
                })
            });
            let expected = if all { ErrorKind::Cancelled } else { ErrorKind::Closed };
            assert_eq!(kind(&error), expected, "{below:?}");
        }
    }
}

/// Data before a cut arrives. A cut of TLS is not an end; over a plain socket the two look alike.
#[test]
fn a_cut_is_not_an_end() {
    for &below in KINDS {
        let peer = Peer::switching(below, |stream| {
            stream.write_all(b"before")?;
            stream.cut();
            Ok(())
        });
        let mut upgraded = peer.upgraded();
        let mut text = Vec::new();
        let end = upgraded.read_to_end(&mut text);
        assert_eq!(text, b"before", "{below:?}");
        match end {
            #[cfg(feature = "rustls")]
            Err(error) if below == Kind::Tls => assert_eq!(kind(&error), ErrorKind::Disconnected),
            end => assert_eq!(end.unwrap(), 6, "{below:?}"),
        }
    }
}

/// The response keeps the connection, whatever is asked of its body. Dropped, it closes it.
#[test]
fn a_response_that_is_not_upgraded() {
    for &below in KINDS {
        let (peer, told) = listening(below);
        let pools = peer.pools().build().unwrap();
        let mut response = pools.get(&peer.url).upgrade_to("test").send().unwrap();
        assert_eq!((response.status().as_u16(), in_use(&pools)), (101, 1));
        assert_eq!(response.read(&mut [0; 8]).unwrap(), 0);
        response.load().unwrap();
        assert!(response.connection().is_some());
        drop(response);
        assert_eq!(in_use(&pools), 0, "{below:?}");
        assert_eq!(told.recv_timeout(GIVE_UP).unwrap(), Ok(0), "{below:?}");
    }
}

#[test]
fn what_arrived_with_the_head_comes_first() {
    for &below in KINDS {
        for len in [0, 1, 10, SWITCH.len() - 1] {
            let peer = Peer::new(below, move |stream| {
                read_head(&mut &mut *stream)?;
                let (start, rest) = SWITCH.split_at(len);
                stream.write_all(start)?;
                stream.flush()?;
                stream.write_all(&[rest, b"first "].concat())?;
                stream.write_all(b"second")?;
                stream.finish()
            });
            let mut upgraded = peer.upgraded();
            let mut start = [0; 3];
            upgraded.read_exact(&mut start).unwrap();
            assert_eq!((&start, &*io::read_to_string(upgraded).unwrap()), (b"fir", "st second"), "{below:?}, {len}");
        }
    }
}

/// A writer that is dropped while the connection is full: the reader sends what is left of it, and the end.
#[test]
fn a_reader_ends_the_direction_of_a_dropped_writer() {
    for &below in KINDS {
        let (tell, told) = mpsc::channel();
        let (go, may_go) = mpsc::channel();
        let may_go = std::sync::Mutex::new(may_go);
        let peer = Peer::switching(below, move |stream| {
            stream.write_all(b"x")?;
            may_go.lock().unwrap().recv().map_err(io::Error::other)?;
            let mut all = Vec::new();
            let end = stream.read_to_end(&mut all).map(|_| all.len()).map_err(|error| error.kind());
            tell.send(end).map_err(io::Error::other)
        });
        let upgraded = peer.upgraded();
        upgraded.set_write_timeout(std::time::Duration::from_millis(20));
        let (mut reader, mut writer) = upgraded.into_split();
        let (begin, begun) = mpsc::channel();
        let reading = thread::spawn(move || {
            reader.read_exact(&mut [0; 1]).unwrap();
            begin.send(()).unwrap();
            reader.read(&mut [0; 1])
        });
        begun.recv_timeout(GIVE_UP).unwrap();
        let mut written = 0;
        let full = loop {
            match writer.write(&[7; 64 * 1024]) {
                Ok(len) => written += len,
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::TimedOut, "{below:?}");
        drop(writer);
        go.send(()).unwrap();
        assert_eq!(told.recv_timeout(GIVE_UP).unwrap(), Ok(written), "{below:?}");
        let _ = without_hanging(move || reading.join().unwrap());
    }
}
