//! A server, or a proxy, that authenticates connections in rounds, as NTLM does; and the client's side of the scheme.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use hostpool::{Auth, AuthPeer, AuthRounds, AuthScheme};

use crate::support::{header, ok, read_body, read_head};

/// How far a connection has come.
#[derive(Clone, PartialEq)]
enum State {
    Unknown,
    Challenged,
    Known(String),
}

/// A request: the number of its connection, its head, and the length of its body.
pub type Got = (usize, String, usize);

/// What the server does wrong.
#[derive(Clone, Copy, PartialEq)]
pub enum Fault {
    None,
    /// It closes after each challenge.
    Closes,
    /// It refuses every login.
    Refuses,
    /// It always has another challenge.
    NeverEnds,
}

/// A running server. It answers a known connection with the name of its user.
pub struct Ntlm {
    pub addr: SocketAddr,
    pub got: Arc<Mutex<Vec<Got>>>,
}

impl Ntlm {
    pub fn new(is_proxy: bool, fault: Fault) -> Ntlm {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (addr, got) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let (seen, accepted) = (got.clone(), AtomicUsize::new(0));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, number) = (seen.clone(), accepted.fetch_add(1, Ordering::SeqCst));
                thread::spawn(move || serve(stream, number, is_proxy, fault, &seen));
            }
        });
        Ntlm { addr, got }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, number: usize, is_proxy: bool, fault: Fault, got: &Mutex<Vec<Got>>) -> io::Result<()> {
    let mut state = State::Unknown;
    let (status, asks, says) = match is_proxy {
        false => ("401 Unauthorized", "WWW-Authenticate", "Authorization"),
        true => ("407 Proxy Authentication Required", "Proxy-Authenticate", "Proxy-Authorization"),
    };
    loop {
        let head = String::from_utf8(read_head(&mut stream)?).map_err(io::Error::other)?;
        let body = read_body(&mut stream, head.as_bytes())?;
        got.lock().unwrap().push((number, head.clone(), body.len()));
        let said = header(&head, says).and_then(|value| value.strip_prefix("NTLM "));
        let challenge = match said {
            Some(said) if said.starts_with("one") || fault == Fault::NeverEnds => {
                state = State::Challenged;
                format!("NTLM c{number}==\r\n{asks}: Basic realm=\"x\"")
            }
            Some(said) => {
                // Only what answers the challenge of this very connection counts.
                let user = said.strip_prefix("two-").and_then(|said| said.strip_suffix(&format!("-c{number}==")));
                match user.filter(|_| state == State::Challenged && fault != Fault::Refuses) {
                    Some(user) => state = State::Known(user.to_owned()),
                    None => state = State::Unknown,
                }
                format!("Basic realm=\"x\"\r\n{asks}: NTLM")
            }
            // Another request in between ends the rounds.
            None => {
                state = if state == State::Challenged { State::Unknown } else { state };
                format!("Basic realm=\"x\"\r\n{asks}: NTLM")
            }
        };
        if let State::Known(user) = &state {
            if head.starts_with("CONNECT ") {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
                loop {
                    read_head(&mut stream)?;
                    stream.write_all(&ok(user))?;
                }
            }
            stream.write_all(&ok(user))?;
            continue;
        }
        let close = if fault == Fault::Closes { "Connection: close\r\n" } else { "" };
        write!(stream, "HTTP/1.1 {status}\r\n{asks}: {challenge}\r\n{close}Content-Length: 4\r\n\r\npage")?;
        if fault == Fault::Closes {
            return Ok(());
        }
    }
}

/// The client's side, for one user.
pub struct User(pub &'static str);

struct Rounds(&'static str, bool);

impl AuthScheme for User {
    fn name(&self) -> &str {
        "NTLM"
    }

    fn begin(&self, _: &AuthPeer<'_>) -> hostpool::Result<Box<dyn AuthRounds>> {
        Ok(Box::new(Rounds(self.0, false)))
    }
}

impl AuthRounds for Rounds {
    fn answer(&mut self, challenge: &str) -> hostpool::Result<Option<String>> {
        self.1 = challenge.is_empty();
        Ok(Some(match self.1 {
            true => format!("one-{}", self.0),
            false => format!("two-{}-{challenge}", self.0),
        }))
    }

    fn is_opening(&self) -> bool {
        self.1
    }
}

pub fn auth(user: &'static str) -> Auth {
    Auth::scheme(User(user))
}
