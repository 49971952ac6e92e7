//! How late calls end: at their deadline, and when a token fires. The figures stand in docs/reliability.md.
//!
//!     cargo run --release --manifest-path benches/hostpool/Cargo.toml --bin ends -- [--calls N] [--million N]
//!
//! The server stalls where the path says. Nothing here is asserted but what must hold on any machine: kinds, slots,
//! threads and descriptors.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use hostpool::{CancelToken, Error, PoolManager, RequestBuilder, Retry, Timeout};

const THREADS: usize = 64;
const TOTAL: Duration = Duration::from_millis(200);

/// Where the server stalls.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Pool,
    Connect,
    Tls,
    Continue,
    Upload,
    Head,
    HalfHead,
    Body,
    Drip,
    Backoff,
}

use Stage::{Backoff, Body, Connect, Continue, Drip, HalfHead, Head, Pool, Tls, Upload};

const STAGES: [Stage; 10] = [Pool, Connect, Tls, Continue, Upload, Head, HalfHead, Body, Drip, Backoff];

/// A sequence that repeats: xorshift.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

struct World {
    pools: PoolManager,
    /// One connection, which somebody holds.
    full: PoolManager,
    server: SocketAddr,
    /// Answers no SYN.
    deaf: SocketAddr,
    upload: Vec<u8>,
}

impl World {
    fn request(&self, stage: Stage) -> RequestBuilder {
        let url = |scheme: &str, at: SocketAddr| format!("{scheme}://{at}/{stage:?}");
        let (plain, client) = (url("http", self.server), &self.pools);
        match stage {
            Pool => self.full.get(plain),
            Connect => client.get(url("http", self.deaf)),
            Tls => client.get(url("https", self.server)),
            Continue => client.put(plain).data("x").expect100(true),
            Upload => client.put(plain).data(self.upload.clone()),
            Backoff => client.get(plain).retries(Retry::new(1).status_forcelist([503])),
            Head | HalfHead | Body | Drip => client.get(plain),
        }
    }
}

fn main() {
    let (mut calls, mut million) = (10_000, 1_000_000);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok()).expect("a number");
        match &*name {
            "--calls" => calls = value,
            "--million" => million = value,
            _ => panic!("--calls N or --million N"),
        }
    }
    let (_deaf, deaf) = deaf();
    let server = serve();
    let client = |limit| {
        let builder = PoolManager::builder().retries(Retry::off()).timeout(Timeout::new().expect(TOTAL * 100));
        if limit > 0 { builder.limit(limit).build() } else { builder.build() }
    };
    let (pools, full) = (client(0).expect("the options agree"), client(1).expect("the options agree"));
    let held = full.get(format!("http://{server}/Body")).send().expect("the server answers");
    let world = Arc::new(World { pools, full, server, deaf, upload: vec![0; 8 << 20] });
    let before = left();
    deadlines(&world, calls);
    tokens(&world, calls);
    flat(&world, million);
    for client in [&world.pools, &world.full] {
        let stats = client.stats();
        let held = usize::from(std::ptr::eq(client, &world.full));
        assert_eq!((stats.in_use, stats.waiting, stats.dialing), (held, 0, 0), "{stats:?}");
    }
    drop(held);
    world.pools.clear();
    println!("threads and descriptors of the client: {before:?} before, {:?} after", settled(before));
}

/// The calls of all threads under a total deadline.
fn deadlines(world: &Arc<World>, calls: usize) {
    let late = spread(calls, |n, dice| {
        let stage = STAGES[dice.roll(STAGES.len() as u64) as usize];
        let request = world.request(stage).timeout(Timeout::from(TOTAL).expect(TOTAL * 100));
        let started = Instant::now();
        let error = finish(request).expect_err("the server stalls");
        let late = started.elapsed().saturating_sub(TOTAL);
        assert!(stage == Backoff || error.is_timeout(), "{n}: {stage:?}: {error}");
        // A sleep that would pass the deadline is not begun.
        (stage, late)
    });
    report(&format!("{calls} calls, {THREADS} threads, total deadline of {TOTAL:?}: later than that by"), late);
}

/// A token fires at a random moment of each call.
fn tokens(world: &Arc<World>, calls: usize) {
    let late = spread(calls, |n, dice| {
        let stage = STAGES[dice.roll(STAGES.len() as u64) as usize];
        let (token, after) = (CancelToken::new(), Duration::from_micros(dice.roll(10_000)));
        let request = world.request(stage).cancel_with(&token);
        let begin = Arc::new(Barrier::new(2));
        let firing = {
            let begin = begin.clone();
            thread::spawn(move || {
                begin.wait();
                thread::sleep(after);
                let fired = Instant::now();
                token.cancel();
                fired
            })
        };
        begin.wait();
        let error = finish(request).expect_err("the server stalls");
        let ended = Instant::now();
        let fired = firing.join().expect("no thread panics");
        assert!(error.is_cancelled(), "{n}: {stage:?}: {error}");
        if n % 16 == 0 {
            let next = world.pools.get(format!("http://{}/fine", world.server)).send().and_then(|next| next.text());
            assert_eq!(next.expect("the pool goes on"), "fine");
        }
        (stage, ended.saturating_duration_since(fired))
    });
    report(&format!("{calls} calls, {THREADS} threads, a token at a random moment: later than the fire by"), late);
}

/// One token and very many calls.
fn flat(world: &Arc<World>, calls: usize) {
    let token = CancelToken::new();
    let url = format!("http://{}/fine", world.server);
    let call = |count: usize| {
        for _ in 0..count {
            world.pools.get(&url).cancel_with(&token).send().expect("the server answers").bytes().expect("a body");
        }
    };
    call(1000);
    let (before, started) = (resident(), Instant::now());
    call(calls);
    println!("{calls} calls with one token: {before} KiB before, {} KiB after, {:?}", resident(), started.elapsed());
}

fn finish(request: RequestBuilder) -> Result<(), Error> {
    request.send()?.bytes().map(drop)
}

/// Runs this many calls in all threads, and returns how late each was.
fn spread(calls: usize, call: impl Fn(usize, &mut Dice) -> (Stage, Duration) + Sync) -> Vec<(Stage, Duration)> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS as u64)
            .map(|seed| {
                let (next, call) = (&next, &call);
                scope.spawn(move || {
                    let (mut dice, mut late) = (Dice(seed * 7919 + 1), Vec::new());
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        if n >= calls {
                            return late;
                        }
                        late.push(call(n, &mut dice));
                    }
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no thread panics")).collect()
    })
}

fn report(what: &str, late: Vec<(Stage, Duration)>) {
    println!("{what}");
    let line = |name: &str, mut late: Vec<Duration>| {
        late.sort();
        let at = |share: usize| late.get(late.len().saturating_sub(1) * share / 1000).copied().unwrap_or_default();
        let [half, most, rare, worst] = [500, 990, 999, 1000].map(|share| at(share).as_secs_f64() * 1e3);
        println!("{name:>10} {:>6} calls: median {half:.2} ms, p99 {most:.2}, p99.9 {rare:.2}, worst {worst:.2}", late.len());
    };
    for stage in STAGES {
        let of_stage = late.iter().filter(|one| one.0 == stage).map(|one| one.1).collect();
        line(&format!("{stage:?}"), of_stage);
    }
    line("all", late.into_iter().map(|one| one.1).collect());
}

/// Serves each connection in a thread of its own.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::Builder::new()
        .name("server".into())
        .spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = thread::Builder::new().name("server".into()).stack_size(64 << 10);
                server.spawn(move || drop(answer(stream))).expect("a thread");
            }
        })
        .expect("a thread");
    address
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buf = [0; 4096];
    loop {
        let len = stream.read(&mut buf)?;
        if len == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&buf[..len]).into_owned();
        let path = text.split(' ').nth(1).unwrap_or_default();
        match path {
            "/fine" => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")?,
            "/Backoff" => {
                stream.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 60\r\n\r\n")?;
            }
            _ => break stall(stream, path),
        }
    }
}

fn stall(mut stream: TcpStream, path: &str) -> std::io::Result<()> {
    match path {
        "/HalfHead" => stream.write_all(b"HTTP/1.1 200 OK\r\nA: b\r\n")?,
        "/Body" | "/Pool" => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")?,
        "/Drip" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")?;
            stream.set_read_timeout(Some(Duration::from_millis(10)))?;
            loop {
                stream.write_all(b"x")?;
                if matches!(stream.read(&mut [0; 16]), Ok(0)) {
                    return Ok(());
                }
            }
        }
        // Reads nothing more, so that the upload gets stuck. By then its call has ended.
        "/Upload" => {
            thread::sleep(2 * TOTAL);
            return Ok(());
        }
        _ => {}
    }
    while stream.read(&mut [0; 4096])? > 0 {}
    Ok(())
}

/// A listener whose backlog is full: it answers no SYN while it is kept.
fn deaf() -> (Vec<socket2::Socket>, SocketAddr) {
    use socket2::{Domain, Socket, Type};
    let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let listener = socket();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port");
    listener.listen(0).expect("a listener");
    let address = listener.local_addr().ok().and_then(|address| address.as_socket()).expect("an address");
    let mut kept = vec![listener];
    for _ in 0..4 {
        let filling = socket();
        let _ = filling.connect_timeout(&address.into(), Duration::from_millis(100));
        kept.push(filling);
    }
    (kept, address)
}

/// The threads and descriptors of this process, without the threads of the server, which runs in it.
fn left() -> (usize, usize) {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let is_client = |path: std::path::PathBuf| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() != "server")
    };
    let threads = tasks.filter(|task| is_client(task.path())).count();
    (threads, std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count))
}

/// Waits until the server has noticed the closed connections, or ten seconds.
fn settled(before: (usize, usize)) -> (usize, usize) {
    for _ in 0..1000 {
        if left() == before {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    left()
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse().unwrap_or_default()
}
