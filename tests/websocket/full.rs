//! Sockets without room: what waits to be sent leaves once there is room, although its sender has gone.

use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use hostpool::{Message, WebSocket};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use socket2::SockRef;

use super::frames::Frame;
use super::streams::each;
use super::support::{GIVE_UP, without_hanging};

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

/// Fills the socket below all protocols, and returns how many bytes that took.
fn fill(shared: &OwnedFd) -> u64 {
    const DONTWAIT: i32 = 0x40;
    let (socket, mut sent) = (SockRef::from(shared), 0);
    for len in [64 * 1024, 1] {
        while let Ok(more) = socket.send_with_flags(&vec![0; len], DONTWAIT) {
            sent += more as u64;
        }
    }
    sent
}

/// The socket is full, and the receiver sleeps. A half that goes leaves its close, and the receiver its pong.
#[test]
fn control_frames_behind_a_full_socket() {
    for pings in [false, true] {
        let (tell, told) = mpsc::channel();
        let told = Mutex::new(told);
        let script = move |frames: &mut super::streams::Server| {
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
