//! Echoes of WebSocket messages, by this crate and by tungstenite in the same run.
//!
//! ```text
//! bench-websocket                            # compares both, for small messages and for those of 64 KiB
//! bench-websocket server                     # a server alone; prints its port
//! bench-websocket CLIENT PORT BYTES COUNT    # one client alone, for strace and valgrind
//! ```
//!
//! The server is another process. It answers each message with the same bytes, made beforehand, so that it costs as
//! little as it can.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

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
            let time = run(client, parse(port)? as u16, parse(bytes)?, parse(count)?);
            println!("{client} {bytes} {:.3} us", time.as_secs_f64() * 1e6 / parse(count)? as f64);
            Ok(())
        }
        _ => Err(io::Error::other("usage: bench-websocket [server | CLIENT PORT BYTES COUNT]")),
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
        let mut best = [f64::MAX; 2];
        for _ in 0..5 {
            for (client, best) in ["hostpool", "tungstenite"].into_iter().zip(&mut best) {
                *best = apart(client, port, bytes, count)?.min(*best);
            }
        }
        let [ours, theirs] = best;
        println!("{bytes} bytes: hostpool {ours:.2} us, tungstenite {theirs:.2} us, {:.2}", ours / theirs);
    }
    Ok(())
}

/// Runs one client in a process of its own, and returns the microseconds of a round trip.
fn apart(client: &str, port: u16, bytes: usize, count: usize) -> io::Result<f64> {
    let mut command = Command::new(std::env::current_exe()?);
    let output =
        command.arg(client).args([usize::from(port), bytes, count].map(|number| number.to_string())).output()?;
    let line = String::from_utf8_lossy(&output.stdout);
    let time = line.split(' ').nth(2).and_then(|time| time.parse().ok());
    time.ok_or_else(|| io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
}

fn run(client: &str, port: u16, bytes: usize, count: usize) -> Duration {
    let url = format!("ws://127.0.0.1:{port}/");
    let message = vec![b'x'; bytes];
    match client {
        "hostpool" => {
            let socket = hostpool::ws_connect(&url).connect().expect("a handshake");
            let begun = Instant::now();
            for _ in 0..count {
                socket.send_bytes(&message).expect("it is sent");
                assert_eq!(socket.receive_bytes().expect("an echo").len(), bytes);
            }
            begun.elapsed()
        }
        "tungstenite" => {
            let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
            stream.set_nodelay(true).expect("a TCP socket");
            let (mut socket, _) = tungstenite::client(&url, stream).expect("a handshake");
            let message = tungstenite::Bytes::from(message);
            let begun = Instant::now();
            for _ in 0..count {
                socket.send(tungstenite::Message::Binary(message.clone())).expect("it is sent");
                assert_eq!(socket.read().expect("an echo").len(), bytes);
            }
            begun.elapsed()
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
    let (mut buffer, mut reply) = (vec![0; 1 << 17], Vec::new());
    let mut reader = BufReader::with_capacity(1 << 17, stream.try_clone()?);
    loop {
        let mut start = [0; 2];
        reader.read_exact(&mut start)?;
        let extra = match start[1] & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mut field = [0; 8];
        reader.read_exact(&mut field[8 - extra..])?;
        let len = if extra == 0 { u64::from(start[1] & 0x7F) } else { u64::from_be_bytes(field) } as usize;
        buffer.resize(buffer.len().max(4 + len), 0);
        reader.read_exact(&mut buffer[..4 + len])?;
        if start[0] & 0x0F == 8 {
            return stream.write_all(&[0x88, 0]);
        }
        // What it says does not matter, only how long it is.
        reply.clear();
        reply.extend([start[0], start[1] & 0x7F]);
        reply.extend(&field[8 - extra..]);
        reply.resize(reply.len() + len, 0);
        stream.write_all(&reply)?;
    }
}
