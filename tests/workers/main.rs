//! Requests on threads of a client: submitted ones, and batches of them.

#[path = "../support/mod.rs"]
mod support;

mod batch;
mod leaving;
mod nested;
mod pending;

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use support::{GIVE_UP, eventually, ok, read_request};

/// A server that answers each request with its path. `/cut` ends the connection, `/hold` waits until the test lets one
/// request go, and `/hold/NAME` until it lets NAME go.
struct Echo {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The paths of the requests, in the order in which they came.
    paths: Mutex<Vec<String>>,
    released: Mutex<Vec<String>>,
    changed: Condvar,
    ending: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
    /// The held requests whose clients went away.
    gone: AtomicUsize,
}

impl Echo {
    fn new() -> Echo {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (addr, shared) = (listener.local_addr().unwrap(), Arc::<Shared>::default());
        let of_server = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if of_server.ending.load(Ordering::SeqCst) {
                    return;
                }
                of_server.streams.lock().unwrap().push(stream.try_clone().unwrap());
                let shared = of_server.clone();
                thread::spawn(move || {
                    serve(&stream, &shared);
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        Echo { addr, shared }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    fn paths(&self) -> Vec<String> {
        self.shared.paths.lock().unwrap().clone()
    }

    /// Waits until so many requests have come.
    fn has(&self, requests: usize) {
        eventually("the requests", || self.shared.paths.lock().unwrap().len() >= requests);
    }

    /// Lets one held request of this path go, now or later.
    fn release(&self, path: &str) {
        self.shared.released.lock().unwrap().push(path.to_owned());
        self.shared.changed.notify_all();
    }

    /// Waits until the clients of so many held requests have gone away.
    fn lost(&self, requests: usize) {
        eventually("the ends of the connections", || self.shared.gone.load(Ordering::SeqCst) == requests);
    }
}

fn serve(stream: &TcpStream, shared: &Arc<Shared>) {
    let mut from = stream;
    while let Ok(request) = read_request(&mut from) {
        let text = String::from_utf8_lossy(&request).into_owned();
        let path = text.split(' ').nth(1).unwrap().to_owned();
        shared.paths.lock().unwrap().push(path.clone());
        if path.starts_with("/cut") || path.starts_with("/hold") && !shared.pass(&path, stream) {
            return;
        }
        if (&mut &*stream).write_all(&ok(&path)).is_err() {
            return;
        }
    }
}

impl Shared {
    /// Waits until the path is released. Returns false if the client goes away before.
    fn pass(self: &Arc<Shared>, path: &str, stream: &TcpStream) -> bool {
        let gone = Arc::new(AtomicBool::new(false));
        let (watch, is_gone, shared) = (stream.try_clone().unwrap(), gone.clone(), self.clone());
        // The client sends nothing before it has its response, so what comes is the end.
        thread::spawn(move || {
            if matches!(watch.peek(&mut [0]), Ok(0) | Err(_)) {
                is_gone.store(true, Ordering::SeqCst);
                drop(shared.released.lock().unwrap());
                shared.changed.notify_all();
            }
        });
        let mut released = self.released.lock().unwrap();
        loop {
            if let Some(at) = released.iter().position(|one| one == path) {
                released.remove(at);
                return true;
            }
            if gone.load(Ordering::SeqCst) {
                self.gone.fetch_add(1, Ordering::SeqCst);
                return false;
            }
            released = self.changed.wait_timeout(released, GIVE_UP).unwrap().0;
        }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.addr);
        for stream in self.shared.streams.lock().unwrap().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
