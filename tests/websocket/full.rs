//! Sockets without room: what waits to be sent leaves once there is room, although its sender has gone.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use hostpool::{Message, Session, WebSocket};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use socket2::SockRef;

use super::frames::Frame;
use super::peers::{Peer, switch};
use super::streams::{Server, each};
use super::support::{GIVE_UP, eventually, header, without_hanging};

/// Returns a second descriptor of the client's socket, or `None` if the system does not allow that.
fn shared(socket: &WebSocket) -> Option<OwnedFd> {
    let local = socket.connection().unwrap().local;
    let process = pidfd_open(getpid(), PidfdFlags::empty()).ok()?;
    let numbers = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(|number| pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).ok()).find(|found| {
        let found = SockRef::from(found);
        let Ok(at) = found.local_addr() else { return false };
        match local {
            Some(local) => at.as_socket() == Some(local) && found.peer_addr().is_ok(),
            // A Unix socket: the client's end is the one without a name.
            None => at.is_unnamed() && found.peer_addr().is_ok_and(|peer| peer.as_pathname().is_some()),
        }
    })
}

/// `MSG_DONTWAIT`.
const DONTWAIT: i32 = 0x40;

/// Fills the socket below all protocols, and returns how many bytes that took. The buffer has a fixed size, as the system
/// would make it longer with the next bytes that come.
fn fill(shared: &OwnedFd) -> u64 {
    let (socket, mut sent, mut quiet) = (SockRef::from(shared), 0, 0);
    socket.set_send_buffer_size(64 * 1024).unwrap();
    // The peer's side takes some bytes over after there was no room, and Linux says so up to 40 ms later.
    while quiet < 2 {
        quiet += 1;
        for len in [64 * 1024, 1] {
            while let Ok(more) = socket.send_with_flags(&vec![0; len], DONTWAIT) {
                sent += more as u64;
                quiet = 0;
            }
        }
        thread::sleep(Duration::from_millis(60));
    }
    sent
}

/// The socket is full, and the receiver sleeps. A half that goes leaves its close, and the receiver its pong.
#[test]
fn control_frames_behind_a_full_socket() {
    for pings in [false, true] {
        let (tell, told) = mpsc::channel();
        let told = Mutex::new(told);
        let script = move |frames: &mut Server| {
            if pings {
                frames.send(0x89, b"p")?;
                frames.send(0x81, b"the ping was read")?;
            }
            // It reads nothing before everything waits.
            frames.0.skip(told.lock().unwrap().recv().unwrap())?;
            let mut controls = Vec::new();
            while let Some(Frame { first, payload }) = frames.get()? {
                controls.push((first, payload));
                if first == 0x88 {
                    break;
                }
            }
            controls.sort();
            let pong = (0x8A, b"p".to_vec());
            let expected = [vec![(0x88, b"\x03\xE9".to_vec())], if pings { vec![pong] } else { vec![] }];
            assert_eq!(controls, expected.concat());
            frames.send(0x88, b"\x03\xE9")
        };
        let tell = Arc::new(tell);
        each(script, move |row, socket| {
            let Some(shared) = shared(&socket) else { return eprintln!("skipped: no second descriptor") };
            let tell = tell.clone();
            without_hanging(move || {
                let filled = fill(&shared);
                drop(shared);
                let (receiver, sender) = socket.split();
                let (first, begins) = mpsc::channel();
                let reader = thread::spawn(move || {
                    if pings {
                        first.send(receiver.receive_str().unwrap()).unwrap();
                    }
                    receiver.receive().unwrap()
                });
                if pings {
                    assert_eq!(begins.recv_timeout(GIVE_UP).unwrap(), "the ping was read", "{row}");
                }
                // Most often the reader sleeps by now. The test holds either way.
                thread::sleep(Duration::from_millis(20));
                drop(sender);
                tell.send(filled).unwrap();
                let close = reader.join().unwrap();
                assert!(matches!(&close, Message::Close(frame) if frame.code == 1001), "{row}: {close:?}");
            });
        });
    }
}

/// What a test tells its server.
fn told() -> (Sender<u64>, Arc<Mutex<Receiver<u64>>>) {
    let (tell, told) = mpsc::channel();
    (tell, Arc::new(Mutex::new(told)))
}

/// A pong has no room, and neither have new keys of TLS. Each message of the server is received at once all the same.
#[test]
fn a_full_socket_delays_no_receive() {
    const COUNT: usize = 400;
    for pings in [false, true] {
        let (tell, told) = told();
        let script = move |frames: &mut Server| {
            let next = || told.lock().unwrap().recv().map_err(io::Error::other);
            let filled = next()?;
            if pings {
                frames.send(0x89, b"p")?;
            } else {
                frames.0.change_keys()?;
            }
            for _ in 0..COUNT {
                frames.send(0x81, b"m")?;
                next()?;
            }
            frames.0.skip(filled)?;
            if pings {
                assert_eq!(frames.get()?, Some(Frame { first: 0x8A, payload: b"p".to_vec() }));
            }
            frames.send(0x81, b"end")?;
            frames.echo(0)
        };
        each(script, move |row, socket| {
            let Some(shared) = shared(&socket) else { return eprintln!("skipped: no second descriptor") };
            let tell = tell.clone();
            // A wait of a tenth of a second for each would take longer than this allows.
            without_hanging(move || {
                tell.send(fill(&shared)).unwrap();
                for _ in 0..COUNT {
                    assert_eq!(socket.receive_str().unwrap(), "m", "{row}");
                    tell.send(0).unwrap();
                }
                assert_eq!(socket.receive_str().unwrap(), "end", "{row}");
                socket.send_str("echo").unwrap();
                assert_eq!(socket.receive_str().unwrap(), "echo", "{row}");
            });
        });
    }
}

/// The close of the receiving half finds no room, and nobody receives. The other half sends it when it goes.
#[test]
fn a_close_that_is_tried_again() {
    let (tell, told) = told();
    let (skipped, skips) = mpsc::channel();
    let skipped = Mutex::new(skipped);
    let script = move |frames: &mut Server| {
        frames.0.skip(told.lock().unwrap().recv().map_err(io::Error::other)?)?;
        skipped.lock().unwrap().send(()).map_err(io::Error::other)?;
        assert_eq!(frames.get()?, Some(Frame { first: 0x88, payload: b"\x03\xE9".to_vec() }));
        skipped.lock().unwrap().send(()).map_err(io::Error::other)
    };
    let skips = Arc::new(Mutex::new(skips));
    each(script, move |_, socket| {
        let Some(shared) = shared(&socket) else { return eprintln!("skipped: no second descriptor") };
        let (tell, skips) = (tell.clone(), skips.clone());
        without_hanging(move || {
            let skips = skips.lock().unwrap();
            let filled = fill(&shared);
            let (receiver, sender) = socket.split();
            drop(receiver);
            assert!(sender.send_str("late").is_err());
            tell.send(filled).unwrap();
            skips.recv().unwrap();
            eventually("there is room", || has_room(&shared));
            drop(sender);
            skips.recv().unwrap();
        });
    });
}

fn has_room(shared: &OwnedFd) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let mut descriptors = [PollFd::new(shared, PollFlags::OUT)];
    poll(&mut descriptors, Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
}

/// WT9: small messages leave at once, whatever lies between: Nagle's algorithm is off.
#[test]
fn no_delay() {
    let check = |row: &str, socket: &WebSocket| {
        // The first message of a connection leaves at once in any case.
        socket.send_str("x").unwrap();
        let Some(shared) = shared(socket) else { return eprintln!("skipped: no second descriptor") };
        assert!(SockRef::from(&shared).tcp_nodelay().unwrap(), "{row}");
    };
    each(
        |frames| frames.echo(0),
        |row, socket| {
            if socket.connection().unwrap().local.is_some() {
                check(row, &socket);
            }
        },
    );
    let peer = Peer::new(|_, head| match header(head, "upgrade") {
        _ if head.starts_with("CONNECT ") => "HTTP/1.1 200 OK\r\n\r\n".into(),
        None => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into(),
        Some(_) => switch(head, ""),
    });
    let session = Session::new();
    let proxy = format!("http://{}", peer.addr);
    check("a proxy", &session.ws_connect("ws://chat.example/").proxy(&*proxy).connect().unwrap());
    session.get(format!("{proxy}/")).send().unwrap().bytes().unwrap();
    let reused = session.ws_connect(peer.url("/")).connect().unwrap();
    assert!(reused.connection().unwrap().reused);
    check("a connection of the pool", &reused);
}
