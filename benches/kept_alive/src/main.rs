//! A small GET on a kept connection: this crate against a hand-written socket loop.
//!
//! `cargo run --release --manifest-path benches/kept_alive/Cargo.toml` interleaves both, in one process and against one
//! server, and prints the CPU time of the client's thread as a ratio. Times of a busy machine differ from run to run;
//! the ratio of the medians is what to look at.
//!
//! `... -- floor N` and `... -- hostpool N` send N requests and nothing else, for counting:
//! `strace -f -c`, `valgrind --tool=callgrind`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use hostpool::{Session, Timeout};
use rustix::time::{ClockId, clock_gettime};

const REQUESTS: usize = 20_000;
const ROUNDS: usize = 15;
const BODY: usize = 100;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = serve();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => compare(address),
        [which, requests] => {
            let requests = requests.parse().expect("N is a number");
            match which {
                "floor" => Floor::connect(address).run(requests),
                "hostpool" => run_hostpool(&Session::new(), address, requests),
                _ => panic!("floor or hostpool"),
            }
        }
        _ => panic!("no arguments, or: floor|hostpool N"),
    }
}

fn compare(address: SocketAddr) {
    let mut floor = Floor::connect(address);
    let plain = Session::new();
    let bounds = Duration::from_secs(60);
    let bounded = Timeout::new().total(bounds).pool(bounds).connect(bounds).write(bounds).head(bounds).read(bounds);
    let bounded = Session::builder().timeout(bounded).build().expect("the options agree");
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        times[0].push(cpu(|| floor.run(REQUESTS)));
        times[1].push(cpu(|| run_hostpool(&plain, address, REQUESTS)));
        times[2].push(cpu(|| run_hostpool(&bounded, address, REQUESTS)));
    }
    let medians = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!("CPU of the client's thread for a small GET, median of {ROUNDS} rounds of {REQUESTS}:");
    for (name, median) in ["hand-written socket loop", "hostpool", "hostpool, all timeouts"].iter().zip(medians) {
        println!("{name:<26} {:>7.2} us  {:>5.2} x", median * 1e6 / REQUESTS as f64, median / medians[0]);
    }
}

/// Seconds of CPU that this thread spent on `work`.
fn cpu(work: impl FnOnce()) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let started = now();
    work();
    now() - started
}

fn run_hostpool(session: &Session, address: SocketAddr, requests: usize) {
    let url = format!("http://{address}/path");
    let mut buf = [0; 1024];
    for _ in 0..requests {
        let mut response = session.get(&*url).send().expect("the server answers");
        assert_eq!(response.status(), 200);
        let mut len = 0;
        while let n @ 1.. = response.read(&mut buf[len..]).expect("the body arrives") {
            len += n;
        }
        assert_eq!(len, BODY);
    }
}

/// The least that a client can do: one send, one recv, parse, check, copy.
struct Floor {
    stream: TcpStream,
    request: Vec<u8>,
    input: Vec<u8>,
}

impl Floor {
    fn connect(address: SocketAddr) -> Floor {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        let fields = "Accept: */*\r\nAccept-Encoding: identity\r\nUser-Agent: hostpool/0.1.0";
        let request = format!("GET /path HTTP/1.1\r\nHost: {address}\r\n{fields}\r\n\r\n").into_bytes();
        Floor { stream, request, input: vec![0; 16 * 1024] }
    }

    fn run(&mut self, requests: usize) {
        let mut body = [0; 1024];
        for _ in 0..requests {
            self.stream.write_all(&self.request).expect("the server reads");
            let mut filled = 0;
            let (head, length) = loop {
                filled += self.stream.read(&mut self.input[filled..]).expect("the server answers");
                let mut fields = [httparse::EMPTY_HEADER; 16];
                let mut response = httparse::Response::new(&mut fields);
                let Ok(httparse::Status::Complete(head)) = response.parse(&self.input[..filled]) else { continue };
                assert_eq!(response.code, Some(200));
                let length = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
                let length = length.and_then(|field| std::str::from_utf8(field.value).ok()?.parse().ok());
                break (head, length.unwrap_or(0));
            };
            while filled < head + length {
                filled += self.stream.read(&mut self.input[filled..]).expect("the body arrives");
            }
            body[..length].copy_from_slice(&self.input[head..head + length]);
            assert_eq!(length, BODY);
            std::hint::black_box(&body);
        }
    }
}

/// Answers whatever comes, one read a request.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let fields = "Server: bench\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: text/plain\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3\r\nX-D: 4";
    let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\nContent-Length: {BODY}\r\n\r\n{}", "x".repeat(BODY)).into_bytes();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || {
                let mut buf = [0; 4096];
                while stream.read(&mut buf).is_ok_and(|len| len > 0) && stream.write_all(&answer).is_ok() {}
            });
        }
    });
    address
}
