//! Ten thousand hosts through a hundred connections: what a request costs does not depend on how many hosts there have
//! been.
//!
//! All of 127/8 is loopback, so one listener is any number of endpoints.
#![cfg(target_os = "linux")]

#[path = "support/alloc.rs"]
mod alloc;
mod support;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use alloc::counted;
use hostpool::{CloseReason, PoolManager, PoolManagerBuilder};
use support::{GIVE_UP, eventually, read_request};

const ENDPOINTS: usize = 10_000;
const LIMIT: usize = 100;
const THREADS: usize = 8;

/// Answers every request with the address it was sent to.
struct Hosts {
    port: u16,
    open: Arc<AtomicUsize>,
    /// More connections were open at once than may be.
    exceeded: Arc<AtomicBool>,
}

impl Hosts {
    fn start() -> Hosts {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (open, exceeded) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        thread::spawn({
            let (open, exceeded) = (open.clone(), exceeded.clone());
            move || {
                for stream in listener.incoming().flatten() {
                    if !exceeded.load(Ordering::SeqCst) && !comes_below(&open, LIMIT) {
                        exceeded.store(true, Ordering::SeqCst);
                    }
                    open.fetch_add(1, Ordering::SeqCst);
                    let open = open.clone();
                    thread::spawn(move || {
                        let _ = serve(stream);
                        open.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            }
        });
        Hosts { port, open, exceeded }
    }

    fn address(&self, endpoint: usize) -> SocketAddr {
        let [_, a, b, c] = (endpoint as u32).to_be_bytes();
        SocketAddr::from(([127, a + 1, b, c], self.port))
    }
}

/// The client closes a connection before it opens the one in its place: by the time that one is accepted the end of
/// the other has arrived, and only its thread has yet to see it.
fn comes_below(open: &AtomicUsize, limit: usize) -> bool {
    let started = Instant::now();
    while open.load(Ordering::SeqCst) >= limit {
        if started.elapsed() > GIVE_UP / 4 {
            return false;
        }
        thread::yield_now();
    }
    true
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    let address = stream.local_addr()?.to_string();
    loop {
        read_request(&mut stream)?;
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{address}", address.len())?;
    }
}

fn fetch(manager: &PoolManager, address: SocketAddr) {
    let text = manager.get(format!("http://{address}/")).timeout(GIVE_UP).send().unwrap().text().unwrap();
    assert_eq!(text, address.to_string(), "the answer of another host");
}

#[test]
fn cost_is_flat() {
    cost_is_flat_with(PoolManager::builder().total_limit(LIMIT).num_pools(None), CloseReason::EvictedForLimit);
    cost_is_flat_with(PoolManager::builder().num_pools(LIMIT), CloseReason::Retired);
}

fn cost_is_flat_with(manager: PoolManagerBuilder, reason: CloseReason) {
    let hosts = Hosts::start();
    let manager = manager.build().unwrap();
    let (mut live, mut calls) = (Vec::with_capacity(10), Vec::with_capacity(10));
    let begin = counted();
    for thousand in 0..ENDPOINTS / 1000 {
        let before = counted();
        (0..1000).for_each(|n| fetch(&manager, hosts.address(thousand * 1000 + n)));
        calls.push(counted().calls - before.calls);
        live.push(counted().live - begin.live);
        assert!(manager.stats().open <= LIMIT);
    }
    // What is known of hosts is kept for some thousand of them, and then forgotten: it goes up and down.
    let (least, most) = [1, 5, 9].map(|n| live[n]).iter().fold((isize::MAX, 0), |(a, b), n| (a.min(*n), b.max(*n)));
    assert!(most - least < 256 * 1024, "bytes on the heap after each thousand: {live:?}");
    assert!(live.iter().all(|live| *live < 2 << 20), "{live:?}");
    // Three a request, at most: the first hundred hosts find nothing to evict.
    assert!(calls[9].abs_diff(calls[0]) < 3 * 1000, "calls of the allocator for each thousand: {calls:?}");
    assert!(!hosts.exceeded.load(Ordering::SeqCst), "more than {LIMIT} connections at once");
    let stats = manager.stats();
    assert_eq!((stats.created, stats.open, stats.idle), (ENDPOINTS as u64, LIMIT, LIMIT), "{stats:?}");
    assert_eq!(stats.closed(reason), (ENDPOINTS - LIMIT) as u64, "{stats:?}");
    drop(manager);
    eventually("the closes", || hosts.open.load(Ordering::SeqCst) == 0);
}

/// The same from many threads: the limit holds against the server's own count.
#[test]
fn the_limit_holds() {
    let hosts = Hosts::start();
    let manager = PoolManager::builder().total_limit(LIMIT).num_pools(None).pool_timeout(GIVE_UP).build().unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (manager, hosts) = (&manager, &hosts);
            scope.spawn(move || {
                for endpoint in (thread..ENDPOINTS).step_by(THREADS) {
                    fetch(manager, hosts.address(endpoint));
                }
            });
        }
    });
    assert!(!hosts.exceeded.load(Ordering::SeqCst), "more than {LIMIT} connections at once");
    let stats = manager.stats();
    assert_eq!((stats.created, stats.open, stats.idle), (ENDPOINTS as u64, LIMIT, LIMIT), "{stats:?}");
    assert_eq!((stats.in_use, stats.waiting, stats.dialing), (0, 0, 0), "{stats:?}");
    drop(manager);
    eventually("the closes", || hosts.open.load(Ordering::SeqCst) == 0);
}
