//! A server for handshakes: what it answers is decided for each request.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use sha1::Digest as _;

use crate::support::{eventually, header, read_head};

/// The answer to a key (RFC 6455, section 1.3).
pub fn accept(key: &str) -> String {
    let hash = sha1::Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    base64::engine::general_purpose::STANDARD.encode(hash)
}

/// The head that agrees to this request, with these lines beside.
pub fn switch(request: &str, lines: &str) -> String {
    let accept = accept(header(request, "sec-websocket-key").expect("a key"));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{lines}\r\n"
    )
}

/// What becomes of a connection after the answer.
pub trait Stream: Read + Write + Send + 'static {}
impl<S: Read + Write + Send + 'static> Stream for S {}

type Answer = dyn Fn(usize, &str) -> String + Send + Sync;

#[derive(Default)]
pub struct Log {
    heads: Mutex<Vec<String>>,
    open: AtomicUsize,
}

impl Log {
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// Answers the requests of a connection. After a 101 it reads until the client closes.
    pub fn serve(&self, mut stream: impl Stream, answer: &Answer) -> io::Result<()> {
        self.open.fetch_add(1, Ordering::SeqCst);
        let served = self.answer_all(&mut stream, answer);
        drop(stream);
        self.open.fetch_sub(1, Ordering::SeqCst);
        served
    }

    fn answer_all(&self, stream: &mut impl Stream, answer: &Answer) -> io::Result<()> {
        loop {
            let head = String::from_utf8(read_head(&mut *stream)?).map_err(io::Error::other)?;
            let mut heads = self.heads.lock().unwrap();
            heads.push(head.clone());
            let number = heads.len();
            drop(heads);
            let answer = answer(number, &head);
            stream.write_all(answer.as_bytes())?;
            if answer.starts_with("HTTP/1.1 101") {
                return stream.read_to_end(&mut Vec::new()).map(drop);
            }
            if answer.contains("\r\nConnection: close\r\n") || answer.starts_with("HTTP/1.0") {
                return Ok(());
            }
        }
    }

    pub fn wait_until_none_is_open(&self) {
        eventually("the server has no open connection", || self.open.load(Ordering::SeqCst) == 0);
    }
}

/// A running server. It serves until the process ends.
pub struct Peer {
    pub addr: SocketAddr,
    pub log: Arc<Log>,
}

impl Peer {
    /// Answers the nth request, counted from 1, by its head.
    pub fn new(answer: impl Fn(usize, &str) -> String + Send + Sync + 'static) -> Peer {
        Peer::over(answer, |stream| stream)
    }

    /// The same, with what lies between the socket and the requests.
    pub fn over<S: Stream>(
        answer: impl Fn(usize, &str) -> String + Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> S + Send + Sync + 'static,
    ) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (addr, log) = (listener.local_addr().unwrap(), Arc::new(Log::default()));
        let (served, answer, wrap): (_, Arc<Answer>, _) = (log.clone(), Arc::new(answer), Arc::new(wrap));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer, wrap) = (served.clone(), answer.clone(), wrap.clone());
                thread::spawn(move || log.serve(wrap(stream), &*answer));
            }
        });
        Peer { addr, log }
    }

    /// Agrees to every handshake.
    pub fn agreeing() -> Peer {
        Peer::new(|_, head| switch(head, ""))
    }

    pub fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.addr)
    }
}
