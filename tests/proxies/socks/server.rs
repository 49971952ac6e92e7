//! A SOCKS proxy for tests: it opens tunnels, or refuses to, and keeps what it is asked for.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::relay::Duplex;

/// The code of a reply in place of a tunnel to this place.
type Refusal = dyn Fn(&Place) -> Option<u8> + Send + Sync;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Address(SocketAddr),
    Name(String, u16),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Address(address) => write!(f, "address {address}"),
            Place::Name(name, port) => write!(f, "name {name}:{port}"),
        }
    }
}

/// What one client has asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    pub version: u8,
    /// The methods of authentication that a SOCKS5 client offers.
    pub offered: Vec<u8>,
    /// Login and password, or the user id of SOCKS4.
    pub login: Option<(String, String)>,
    pub place: Place,
}

#[derive(Default)]
pub struct Log {
    asked: Mutex<Vec<Asked>>,
    peers: Mutex<Vec<IpAddr>>,
    accepted: AtomicUsize,
}

impl Log {
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn places(&self) -> Vec<String> {
        self.asked().iter().map(|asked| asked.place.to_string()).collect()
    }

    pub fn logins(&self) -> Vec<Option<(String, String)>> {
        self.asked().into_iter().map(|asked| asked.login).collect()
    }

    #[cfg(target_os = "linux")]
    pub fn peers(&self) -> Vec<IpAddr> {
        self.peers.lock().unwrap().clone()
    }

    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// A running proxy. It serves until the process ends.
pub struct Socks {
    pub addr: SocketAddr,
    pub log: Arc<Log>,
}

impl Socks {
    /// A proxy that leads to one server, whatever it is asked for. It takes a login if it is offered one.
    pub fn new(home: SocketAddr) -> Socks {
        Socks::refusing(home, |_| None)
    }

    pub fn refusing(home: SocketAddr, refusal: impl Fn(&Place) -> Option<u8> + Send + Sync + 'static) -> Socks {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (addr, log) = (listener.local_addr().unwrap(), Arc::new(Log::default()));
        let (served, refusal): (_, Arc<Refusal>) = (log.clone(), Arc::new(refusal));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                served.peers.lock().unwrap().push(client.peer_addr().unwrap().ip());
                begin(client, home, &served, &refusal);
            }
        });
        Socks { addr, log }
    }

    /// The same at a Unix socket.
    #[cfg(unix)]
    pub fn unix(path: &std::path::Path, home: SocketAddr) -> Arc<Log> {
        let (listener, log) = (UnixListener::bind(path).unwrap(), Arc::new(Log::default()));
        let (served, refusal): (_, Arc<Refusal>) = (log.clone(), Arc::new(|_: &Place| None));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                begin(client, home, &served, &refusal);
            }
        });
        log
    }

    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.addr)
    }

    pub fn with_login(&self, scheme: &str, login: &str) -> String {
        format!("{scheme}://{login}@{}", self.addr)
    }
}

fn begin<S: Duplex>(client: S, home: SocketAddr, log: &Arc<Log>, refusal: &Arc<Refusal>) {
    log.accepted.fetch_add(1, Ordering::SeqCst);
    let (log, refusal) = (log.clone(), refusal.clone());
    thread::spawn(move || serve(client, home, &log, &*refusal));
}

fn serve<S: Duplex>(mut client: S, home: SocketAddr, log: &Log, refusal: &Refusal) -> io::Result<()> {
    let asked = match bytes::<1>(&mut client)? {
        [5] => five(&mut client)?,
        [4] => four(&mut client)?,
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    let refused = refusal(&asked.place);
    let version = asked.version;
    log.asked.lock().unwrap().push(asked);
    let reply = |code: Option<u8>| match version {
        5 => vec![5, code.unwrap_or(0), 0, 1, 127, 0, 0, 1, 0, 80],
        _ => vec![0, code.unwrap_or(90), 0, 80, 127, 0, 0, 1],
    };
    client.write_all(&reply(refused))?;
    if refused.is_some() {
        return Ok(());
    }
    let server = TcpStream::connect(home)?;
    let (mut back, mut from) = (client.twin()?, server.try_clone()?);
    let answers = thread::spawn(move || {
        let _ = io::copy(&mut from, &mut back);
        back.end();
    });
    let _ = io::copy(&mut client, &mut &server);
    server.end();
    let _ = answers.join();
    Ok(())
}

fn five(client: &mut (impl Read + Write)) -> io::Result<Asked> {
    let offered = counted(client)?.into_bytes();
    let mut login = None;
    if offered.contains(&2) {
        client.write_all(&[5, 2])?;
        assert_eq!(bytes::<1>(client)?, [1]);
        login = Some((counted(client)?, counted(client)?));
        client.write_all(&[1, 0])?;
    } else {
        client.write_all(&[5, 0])?;
    }
    let [5, 1, 0, kind] = bytes(client)? else { return Err(io::ErrorKind::InvalidData.into()) };
    let place = match kind {
        1 => Ok(IpAddr::from(bytes::<4>(client)?)),
        4 => Ok(IpAddr::from(bytes::<16>(client)?)),
        _ => Err(counted(client)?),
    };
    let port = u16::from_be_bytes(bytes(client)?);
    let place = match place {
        Ok(ip) => Place::Address((ip, port).into()),
        Err(name) => Place::Name(name, port),
    };
    Ok(Asked { version: 5, offered, login, place })
}

fn four(client: &mut impl Read) -> io::Result<Asked> {
    let [1] = bytes(client)? else { return Err(io::ErrorKind::InvalidData.into()) };
    let port = u16::from_be_bytes(bytes(client)?);
    let ip: [u8; 4] = bytes(client)?;
    let user = to_nul(client)?;
    let place = match ip {
        [0, 0, 0, last] if last > 0 => Place::Name(to_nul(client)?, port),
        _ => Place::Address((ip, port).into()),
    };
    let login = Some((user, String::new())).filter(|(user, _)| !user.is_empty());
    Ok(Asked { version: 4, offered: Vec::new(), login, place })
}

fn bytes<const N: usize>(client: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn counted(client: &mut impl Read) -> io::Result<String> {
    let [len] = bytes(client)?;
    let mut text = vec![0; len.into()];
    client.read_exact(&mut text)?;
    String::from_utf8(text).map_err(io::Error::other)
}

fn to_nul(client: &mut impl Read) -> io::Result<String> {
    let mut text = Vec::new();
    loop {
        match bytes(client)? {
            [0] => return String::from_utf8(text).map_err(io::Error::other),
            [byte] => text.push(byte),
        }
    }
}
