//! Panics in the middle of things, with others waiting at the limit: rows A7.5, A19.3, C71. The unit comes back, the
//! waiters get their turn, nothing is poisoned.

use std::io::{self, IoSlice, Read};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hostpool::{DialContext, Dialer, PoolManager, Probe, Target, TcpDialer, Transport, TransportInfo, Wait};

use crate::invariants::{exclusive, settled};
use crate::rows::{Host, Over, clean};
use crate::support::{GIVE_UP, Gate, Step, answer, answers, eventually, ok};

/// Where the first connection panics, or who holds it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Dial,
    Send,
    /// Receiving the head.
    Head,
    /// Receiving the body.
    Body,
    /// Looking at an idle connection.
    Probe,
    /// Closing it.
    Drop,
    /// The thread that holds a half-read response.
    Holder,
}

/// Panics once, at its place, when the gate is opened.
#[derive(Clone, Debug)]
struct Trap {
    at: At,
    gate: Gate,
    sprung: Arc<AtomicBool>,
}

impl Trap {
    fn step_on(&self, at: At) {
        if self.at == at && !self.sprung.swap(true, Ordering::SeqCst) {
            eventually("the gate", || self.gate.try_pass());
            // Without the message of a panic that nobody expected.
            resume_unwind(Box::new("on purpose"));
        }
    }
}

#[derive(Debug)]
struct Trapped<T> {
    inner: T,
    trap: Trap,
}

impl<D: Dialer> Dialer for Trapped<D> {
    fn dial(&self, target: &Target<'_>, context: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
        let inner = self.inner.dial(target, context)?;
        self.trap.step_on(At::Dial);
        Ok(Box::new(TrappedStream(Some(inner), self.trap.clone(), AtomicBool::new(false))))
    }
}

/// The stream, its trap, and whether a head has been received.
#[derive(Debug)]
struct TrappedStream(Option<Box<dyn Transport>>, Trap, AtomicBool);

impl TrappedStream {
    fn inner(&self) -> &dyn Transport {
        self.0.as_deref().expect("it is there until it is dropped")
    }
}

impl Transport for TrappedStream {
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        let body = self.2.swap(true, Ordering::SeqCst);
        self.1.step_on(if body { At::Body } else { At::Head });
        self.inner().recv(buf, wait)
    }

    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        self.1.step_on(At::Send);
        self.inner().send(bufs, wait)
    }

    fn probe(&self) -> Probe {
        self.1.step_on(At::Probe);
        self.inner().probe()
    }

    fn abort(&self) {
        self.inner().abort();
    }

    fn info(&self) -> TransportInfo {
        self.inner().info()
    }
}

impl Drop for TrappedStream {
    fn drop(&mut self) {
        drop(self.0.take());
        if !thread::panicking() {
            self.1.step_on(At::Drop);
        }
    }
}

/// What the thread does that panics.
fn victim(at: At, client: &PoolManager, url: &str, gate: &Gate) {
    let mut response = client.get(url).send().unwrap();
    match at {
        At::Holder => {
            response.read_exact(&mut [0; 4]).unwrap();
            eventually("the gate", || gate.try_pass());
            let _held = response;
            resume_unwind(Box::new("on purpose"));
        }
        _ => drop(response.bytes()),
    }
}

fn row(at: At, over: Over) {
    let id = &format!("C71 {at:?} ({over:?})");
    let first = match at {
        At::Probe => [answer(ok("warm")), vec![Step::UntilClosed]].concat(),
        At::Drop => answer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\ngood"),
        _ => vec![
            Step::Request,
            Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n".to_vec()),
            Step::Send(b"half".to_vec()),
            Step::UntilClosed,
        ],
    };
    let host = Host::new(over, vec![first, answers(ok("good"))]);
    let trap = Trap { at, gate: Gate::default(), sprung: Arc::default() };
    let gate = trap.gate.clone();
    let builder = host.client().probe_after(Duration::ZERO).timeout(GIVE_UP);
    let client = match &host {
        Host::Sockets(_) => builder.dialer(Trapped { inner: TcpDialer::new(), trap }),
        Host::Memory(memory) => builder.dialer(Trapped { inner: memory.clone(), trap }),
    };
    let client = client.build().unwrap();
    if at == At::Probe {
        assert_eq!(client.get(host.url("/")).send().unwrap().text().unwrap(), "warm");
    }
    let url = host.url("/");
    let spawn = |work: Box<dyn FnOnce() + Send>| thread::spawn(work);
    let panicking = spawn(Box::new({
        let (client, url, gate) = (client.clone(), url.clone(), gate.clone());
        move || victim(at, &client, &url, &gate)
    }));
    eventually("the first", || client.stats().in_use + client.stats().dialing == 1);
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let (client, url) = (client.clone(), url.clone());
            spawn(Box::new(move || assert_eq!(client.get(url).send().unwrap().text().unwrap(), "good")))
        })
        .collect();
    eventually("the waiters", || client.stats().waiting == 3);
    gate.open();
    assert!(panicking.join().is_err(), "{id}: the panic goes on to the caller");
    waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    settled(id, client.stats());
    assert_eq!(client.stats().timeouts, 0, "{id}");
    clean(id, &client, &host, "good");
    assert_eq!(client.stats().open, 1, "{id}");
}

#[test]
fn with_waiters_at_the_limit() {
    let exclusive = exclusive();
    for at in [At::Dial, At::Send, At::Head, At::Body, At::Probe, At::Drop, At::Holder] {
        for over in [Over::Sockets, Over::Memory] {
            exclusive.row(&format!("C71 {at:?} ({over:?})"), move || row(at, over));
        }
    }
}
