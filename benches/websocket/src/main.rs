//! Echoes of WebSocket messages, by this crate and by tungstenite in the same run.
//!
//! ```text
//! bench-websocket                            # compares both, for messages of 16 bytes to 1 MiB
//! bench-websocket server                     # a server alone; prints its port
//! bench-websocket CLIENT PORT BYTES COUNT    # one client alone, for strace and valgrind: see benches/count
//! ```
//!
//! The server is another process. It answers each message with the same bytes, made beforehand, so that it costs as
//! little as it can.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use base64::Engine as _;
use sha1::Digest as _;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => compare(),
        ["server"] => serve(),
        [client, port, bytes, count] => {
            let parse = |text: &str| text.parse::<usize>().map_err(io::Error::other);
            let (bytes, count) = (parse(bytes)?, parse(count)?);
            let marks = RefCell::new(Vec::new());
            run(client, parse(port)? as u16, bytes, count, || marks.borrow_mut().push(Mark::now()));
            let marks = marks.into_inner();
            let [before, after] = &marks[..] else { return Err(io::Error::other("it has no beginning and end")) };
            let each = |total: f64| total / count as f64;
            let wall = (after.wall - before.wall).as_secs_f64() * 1e6;
            print!("{client} {bytes} wall_us={:.3} cpu_us={:.3}", each(wall), each(after.cpu - before.cpu));
            if let (Some(after), Some(before)) = (after.heap, before.heap) {
                let (calls, bytes) = (after.calls - before.calls, after.bytes - before.bytes);
                print!(" allocs={:.3} bytes={:.1}", each(calls as f64), each(bytes as f64));
            }
            println!();
            Ok(())
        }
        _ => Err(io::Error::other("usage: bench-websocket [server | CLIENT PORT BYTES COUNT]")),
    }
}

/// What was used so far.
struct Mark {
    heap: Option<bench_common::Heap>,
    /// Microseconds of this process's one thread.
    cpu: f64,
    wall: Instant,
}

impl Mark {
    fn now() -> Mark {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let cpu: f64 = text.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(f64::NAN);
        Mark { heap: bench_common::heap(), cpu: cpu / 1e3, wall: Instant::now() }
    }
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn compare() -> io::Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut server = Server(command.arg("server").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
    let mut line = String::new();
    BufReader::new(server.0.stdout.as_mut().ok_or_else(|| io::Error::other("no output"))?).read_line(&mut line)?;
    let port: u16 = line.trim().parse().map_err(io::Error::other)?;
    for (bytes, count) in [(16, 50_000), (4096, 30_000), (65_536, 10_000), (1 << 20, 500)] {
        // Alternately, each in a process of its own, and the best of each: what else runs here costs both.
        let mut best = [[f64::MAX; 2]; 2];
        for _ in 0..5 {
            for (client, best) in ["hostpool", "tungstenite"].into_iter().zip(&mut best) {
                let times = apart(client, port, bytes, count)?;
                best.iter_mut().zip(times).for_each(|(best, time)| *best = time.min(*best));
            }
        }
        for (at, what) in ["wall", "CPU "].into_iter().enumerate() {
            let [ours, theirs] = best.map(|times| times[at]);
            println!("{bytes} bytes, {what}: hostpool {ours:.2} us, tungstenite {theirs:.2} us, {:.2}", ours / theirs);
        }
    }
    Ok(())
}

/// Runs one client in a process of its own, and returns the microseconds of a round trip: by the clock, and of its CPU.
fn apart(client: &str, port: u16, bytes: usize, count: usize) -> io::Result<[f64; 2]> {
    let mut command = Command::new(std::env::current_exe()?);
    let output =
        command.arg(client).args([usize::from(port), bytes, count].map(|number| number.to_string())).output()?;
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    let time = |name: &str| line.split_whitespace().find_map(|word| word.strip_prefix(name)?.parse().ok());
    match (time("wall_us="), time("cpu_us=")) {
        (Some(wall), Some(cpu)) => Ok([wall, cpu]),
        _ => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}

/// Echoes before the measured ones: buffers are as large as they become.
const FIRST: usize = 100;

/// Sends messages and receives their echoes. Calls `mark` before and after the measured ones.
fn run(client: &str, port: u16, bytes: usize, count: usize, mark: impl Fn()) {
    let url = format!("ws://127.0.0.1:{port}/");
    let message = vec![b'x'; bytes];
    match client {
        "hostpool" => {
            let socket = hostpool::ws_connect(&url).connect().expect("a handshake");
            for round in 0..FIRST + count {
                if round == FIRST {
                    mark();
                }
                socket.send_bytes(&message).expect("it is sent");
                assert_eq!(socket.receive_bytes().expect("an echo").len(), bytes);
            }
            mark();
        }
        "tungstenite" => {
            let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
            stream.set_nodelay(true).expect("a TCP socket");
            let (mut socket, _) = tungstenite::client(&url, stream).expect("a handshake");
            let message = tungstenite::Bytes::from(message);
            for round in 0..FIRST + count {
                if round == FIRST {
                    mark();
                }
                socket.send(tungstenite::Message::Binary(message.clone())).expect("it is sent");
                assert_eq!(socket.read().expect("an echo").len(), bytes);
            }
            mark();
        }
        other => panic!("no client {other}"),
    }
}

fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || echo(stream));
        }
    });
    // Whoever started this holds the other end: no server is left behind.
    io::stdin().read_to_end(&mut Vec::new()).map(drop)
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let is_key = |line: &&str| line.to_ascii_lowercase().starts_with("sec-websocket-key:");
    let key = head.lines().find(is_key).and_then(|line| line.split_once(':')).map_or("", |(_, key)| key.trim());
    let hash = sha1::Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    let accept = base64::engine::general_purpose::STANDARD.encode(hash);
    let lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"].join("\r\n");
    stream.write_all(format!("{lines}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").as_bytes())?;
    // Received bytes are dropped where they lie, and replies are not copied: the server takes no core from the client for
    // longer than the system needs.
    let (mut input, zeros) =
        (Input { stream: stream.try_clone()?, buffer: vec![0; 1 << 17], start: 0, end: 0 }, vec![0; 1 << 20]);
    loop {
        let start: [u8; 2] = input.take()?;
        let mut head = vec![start[0], start[1] & 0x7F];
        let len = match head[1] {
            126 => u16::from_be_bytes(input.take()?).into(),
            127 => u64::from_be_bytes(input.take()?),
            len => len.into(),
        };
        match head[1] {
            126 => head.extend((len as u16).to_be_bytes()),
            127 => head.extend(len.to_be_bytes()),
            _ => {}
        }
        // The mask, and then the payload.
        input.skip(4 + len)?;
        if start[0] & 0x0F == 8 {
            return stream.write_all(&[0x88, 0]);
        }
        // What it says does not matter, only how long it is.
        reply(&mut stream, &head, len, &zeros)?;
    }
}

struct Input {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    fn fill(&mut self) -> io::Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, self.stream.read(&mut self.buffer)?);
            if self.end == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            self.fill()?;
            *byte = self.buffer[self.start];
            self.start += 1;
        }
        Ok(bytes)
    }

    fn skip(&mut self, mut len: u64) -> io::Result<()> {
        while len > 0 {
            self.fill()?;
            let here = len.min((self.end - self.start) as u64);
            self.start += here as usize;
            len -= here;
        }
        Ok(())
    }
}

fn reply(stream: &mut TcpStream, head: &[u8], len: u64, zeros: &[u8]) -> io::Result<()> {
    let mut left = (head.len() as u64 + len) as usize;
    let mut head = head;
    while left > 0 {
        let payload = &zeros[..(left - head.len()).min(zeros.len())];
        let sent = stream.write_vectored(&[IoSlice::new(head), IoSlice::new(payload)])?;
        head = &head[sent.min(head.len())..];
        left -= sent;
    }
    Ok(())
}
