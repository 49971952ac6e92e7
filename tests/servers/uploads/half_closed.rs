//! A server that ends the direction to it, and has not answered yet.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use hostpool::{Body, Bound, ErrorKind, Phase, Session, Timeout};

use crate::support::{GIVE_UP, read_head};

/// Gives a byte, and the rest once it is told so.
struct Told {
    begun: bool,
    by: Option<Arc<Mutex<mpsc::Receiver<()>>>>,
}

impl Read for Told {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.begun, true) {
            return io::repeat(b'x').read(&mut buf[..1]);
        }
        if let Some(told) = self.by.take() {
            told.lock().unwrap().recv().unwrap();
        }
        io::repeat(b'x').read(buf)
    }
}

/// A server may end the direction to it alone: then the rest of its response is waited for, within the bounds.
#[test]
fn a_server_that_reads_no_more_and_has_not_answered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("server.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (ended, told) = mpsc::channel();
    let (done, held) = mpsc::channel::<()>();
    thread::spawn(move || {
        for rest in [&b"rly"[..], b""] {
            let (mut peer, _) = listener.accept()?;
            read_head(&mut peer)?;
            peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nea")?;
            peer.shutdown(Shutdown::Read)?;
            let _ = ended.send(());
            peer.write_all(rest)?;
            let _ = held.recv();
        }
        io::Result::Ok(())
    });
    let session = Session::new();
    let url = format!("http+unix://{}/", path.to_str().unwrap().replace('/', "%2F"));
    let told = Arc::new(Mutex::new(told));
    // Nothing wakes a client that waits for room, so the server ends its direction while there is some.
    let body = || Body::sized(Told { begun: false, by: Some(told.clone()) }.take(10_000), 10_000);
    let response = session.post(&*url).data(body()).timeout(GIVE_UP).send().unwrap();
    assert!(!response.request_body_complete(), "RW-01");
    assert_eq!(response.text().unwrap(), "early", "RW-01");
    done.send(()).unwrap();
    let timeout = Timeout::new().read(Duration::from_millis(200));
    let error = session.post(&*url).data(body()).timeout(timeout).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(Bound::Read), Phase::Send), "RW-01");
    assert_eq!(error.head().map(|head| head.request_body_complete()), Some(false), "RW-01");
}
