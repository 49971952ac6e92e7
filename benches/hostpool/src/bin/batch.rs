//! `batch` against hand-written threads: the same small requests, on one session, with as many threads. By hand it is done
//! in two ways: the threads keep no results, or bring them to one thread in the order of the requests, as a batch does.
//!
//! `batch [--requests N] [--workers N] [--rounds N] [--way N]` starts a server of its own in another process. In each
//! round the ways take turns, and the order changes. It prints the wall time and the CPU of the client for each request,
//! and the median of the rounds' ratios to the threads that keep no results. `--way` measures one alone, for a tracer: 0 is
//! those, 1 a batch in order, 2 one as completed, 3 threads that bring their results in order.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use hostpool::Session;

const BODY: &str = "a small body";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "serve") {
        return serve();
    }
    let number = |name: &str, default: usize| {
        let at = arguments.iter().position(|argument| argument == name);
        at.map_or(default, |at| arguments[at + 1].parse().expect("a number"))
    };
    let (requests, workers) = (number("--requests", 10_000), number("--workers", 16));
    let rounds = number("--rounds", 11);

    let server = Server::start();
    type Way = fn(&Session, &str, usize, usize) -> usize;
    let mut ways: Vec<(&str, Way)> = vec![
        ("threads", by_hand),
        ("batch", in_order),
        ("batch, as completed", as_completed),
        ("threads, in order", by_hand_in_order),
    ];
    let one = number("--way", ways.len());
    if one < ways.len() {
        ways = vec![ways[one]];
    }
    let mut figures = vec![Vec::new(); ways.len()];
    for round in 0..=rounds {
        for turn in 0..ways.len() {
            let way = (turn + round) % ways.len();
            // Each way opens its own connections and starts its own threads.
            let session = Session::builder().workers(workers).build().expect("the options agree");
            let (started, cpu) = (Instant::now(), cpu());
            assert_eq!((ways[way].1)(&session, &server.url, requests, workers), requests * BODY.len());
            let figure = (started.elapsed().as_secs_f64(), (self::cpu() - cpu).as_secs_f64());
            // The first round warms up.
            if round > 0 {
                figures[way].push(figure);
            }
        }
    }
    println!("{requests} requests, {workers} threads, {rounds} rounds; ratios to hand-written threads");
    for ((name, _), figure) in ways.iter().zip(&figures) {
        let each = |time: fn(&(f64, f64)) -> f64| {
            let micros = median(figure.iter().map(|one| time(one) / requests as f64 * 1e6));
            (micros, median(figure.iter().zip(&figures[0]).map(|(one, by_hand)| time(one) / time(by_hand))))
        };
        let ((wall, wall_ratio), (cpu, cpu_ratio)) = (each(|figure| figure.0), each(|figure| figure.1));
        println!("{name:20} wall {wall:6.1} us ({wall_ratio:.2})   cpu {cpu:6.1} us ({cpu_ratio:.2})");
    }
}

/// What a program without `batch` does: threads that take the next number.
fn by_hand(session: &Session, url: &str, requests: usize, workers: usize) -> usize {
    let (next, total) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < requests {
                    let body = session.get(url).send().and_then(hostpool::Response::bytes).expect("the server answers");
                    total.fetch_add(body.len(), Ordering::Relaxed);
                }
            });
        }
    });
    total.into_inner()
}

/// Threads that send their results to one thread, which takes them in the order of the requests.
fn by_hand_in_order(session: &Session, url: &str, requests: usize, workers: usize) -> usize {
    let next = AtomicUsize::new(0);
    let (give, results) = sync_channel(16 * workers);
    thread::scope(|scope| {
        for _ in 0..workers {
            let give = give.clone();
            scope.spawn(|| {
                let give = give;
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    if place >= requests {
                        break;
                    }
                    let body = session.get(url).send().and_then(hostpool::Response::bytes);
                    give.send((place, body)).expect("the reader waits for all");
                }
            });
        }
        drop(give);
        let (mut early, mut wanted, mut total) = (BTreeMap::new(), 0, 0);
        for (place, body) in results {
            early.insert(place, body);
            while let Some(body) = early.remove(&wanted) {
                total += body.expect("the server answers").len();
                wanted += 1;
            }
        }
        total
    })
}

fn in_order(session: &Session, url: &str, requests: usize, _: usize) -> usize {
    let batch = session.batch((0..requests).map(|_| session.get(url)));
    batch.map(|(_, result)| result.and_then(hostpool::Response::bytes).expect("the server answers").len()).sum()
}

fn as_completed(session: &Session, url: &str, requests: usize, _: usize) -> usize {
    let batch = session.batch((0..requests).map(|_| session.get(url))).as_completed();
    batch.map(|(_, result)| result.and_then(hostpool::Response::bytes).expect("the server answers").len()).sum()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Returns the CPU time of this process so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("ticks")).sum();
    Duration::from_millis(ticks * 10)
}

/// The server, in another process.
struct Server {
    url: String,
    child: Child,
}

impl Server {
    fn start() -> Server {
        let program = env::current_exe().expect("a path");
        let mut child = Command::new(program).arg("serve").stdout(Stdio::piped()).spawn().expect("a process");
        let mut url = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut url).expect("a line");
        Server { url: url.trim().to_owned(), child }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("http://{}/", listener.local_addr().expect("an address"));
    for stream in listener.incoming().flatten() {
        thread::spawn(move || answer(stream));
    }
}

/// Answers each read, which is one request: they are small.
fn answer(mut stream: TcpStream) {
    let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{BODY}", BODY.len());
    stream.set_nodelay(true).expect("a socket");
    while stream.read(&mut [0; 4096]).is_ok_and(|len| len > 0) && stream.write_all(response.as_bytes()).is_ok() {}
}
