//! Sixty-four threads, one pool of eight connections.
//!
//! `cargo run --example quickstart` starts an http server of its own on loopback, which holds each request for five
//! milliseconds, sends requests from 64 threads through a pool that may open 8 connections, and shows what happened.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hostpool::ConnectionPool;

const THREADS: usize = 64;
const REQUESTS_PER_THREAD: usize = 25;
const LIMIT: usize = 8;
const HOLD: Duration = Duration::from_millis(5);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start()?;
    println!("A server at {} holds each request for {HOLD:?}.", server.url);
    println!("{THREADS} threads send {REQUESTS_PER_THREAD} requests each through a pool of {LIMIT} connections.\n");

    let pool = ConnectionPool::builder(&server.url).maxsize(LIMIT).block(true).build()?;
    let started = Instant::now();
    let finished = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn({
                    let pool = &pool;
                    move || requests(pool, thread)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("the thread does not panic")).sum::<Result<usize, _>>()
    })?;
    let elapsed = started.elapsed();

    let stats = pool.stats();
    println!("requests            {finished}");
    println!("connections opened  {}", stats.created);
    println!("server's peak open  {} (limit {LIMIT})", server.peak.load(Ordering::SeqCst));
    println!("longest wait        {:.1} ms", stats.waited_max.as_secs_f64() * 1000.0);
    println!("throughput          {:.0} requests a second", finished as f64 / elapsed.as_secs_f64());
    println!("the pool now        {pool:?}");
    Ok(())
}

/// Sends requests one after the other and checks that each answer belongs to its request.
fn requests(pool: &ConnectionPool, thread: usize) -> Result<usize, hostpool::Error> {
    for request in 0..REQUESTS_PER_THREAD {
        let path = format!("/thread/{thread}/request/{request}");
        let body = pool.get(&path).send()?.text()?;
        assert_eq!(body, path, "the server echoes the path");
    }
    Ok(REQUESTS_PER_THREAD)
}

/// A small http server: a thread a connection, and a count of how many were open at once.
struct Server {
    url: String,
    peak: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> io::Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let peak = Arc::new(AtomicUsize::new(0));
        let (open, seen) = (Arc::new(AtomicUsize::new(0)), peak.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (open, seen) = (open.clone(), seen.clone());
                seen.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::spawn(move || {
                    // An error is the end of the connection, which is all a connection's thread has to know.
                    let _ = serve(stream);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Ok(Server { url, peak })
    }
}

/// Answers each request with its own path.
fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
        }
        thread::sleep(HOLD);
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()).as_bytes())?;
    }
}
