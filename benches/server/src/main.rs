//! The server that every client is measured against: blocking sockets, a thread a connection, answers made beforehand.
//!
//! It is a process of its own, so that its work is in no client's counts. `bench-server DIR` writes the certificate of
//! its authority and its Unix socket into `DIR`, prints one line that says where it listens, and ends when its standard
//! input does. Ports are below 10,000: above, a client may ask whether it was connected to itself, which is one more
//! system call. One port more is above 32,768, so that this call is measured, too. It listens on all of 127.0.0.0/8, since each of its addresses is a host of its own; any other peer is
//! turned away.

mod answers;
mod serve;
mod tls;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::{env, fs, thread};

use rustls::ServerConfig;
use socket2::{Domain, Socket, Type};

use answers::Answers;
use serve::{Peer, Shared};

/// Room for a thousand clients that connect at once.
const BACKLOG: i32 = 4096;

/// A thread for each of thousands of connections needs a small one; a TLS handshake fits.
const STACK: usize = 256 * 1024;

fn main() {
    let directory = env::args().nth(1).expect("usage: bench-server DIR");
    let directory = Path::new(&directory);
    let authority = tls::Authority::new();
    let root = directory.join("root.pem");
    fs::write(&root, authority.pem()).expect("the directory can be written to");

    let shared = Arc::new(Shared::new(Answers::new()));
    let mut ports = 7_800..10_000;
    let plain = listen(&shared, &mut ports, None);
    let high = listen(&shared, &mut (32_769..60_000), None);
    let tls = listen(&shared, &mut ports, Some(authority.server(true)));
    let unresumed = listen(&shared, &mut ports, Some(authority.server(false)));
    let control = control(&shared, &mut ports);
    let unix = directory.join("server.sock");
    listen_unix(&shared, &unix);

    let (root, unix) = (root.display(), unix.display());
    println!("plain={plain} high={high} tls={tls} unresumed={unresumed} control={control} unix={unix} root={root}");
    // Whoever started this holds the other end: no server is left behind.
    let _ = io::stdin().read_to_end(&mut Vec::new());
}

fn bind(address: Ipv4Addr, ports: &mut impl Iterator<Item = u16>) -> (TcpListener, u16) {
    for port in ports {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("sockets");
        // Connections of an earlier run that linger must not keep its ports.
        socket.set_reuse_address(true).expect("a TCP socket");
        if socket.bind(&SocketAddr::from((address, port)).into()).is_ok() && socket.listen(BACKLOG).is_ok() {
            return (socket.into(), port);
        }
    }
    panic!("no port is free");
}

fn listen(shared: &Arc<Shared>, ports: &mut impl Iterator<Item = u16>, tls: Option<Arc<ServerConfig>>) -> u16 {
    let (listener, port) = bind(Ipv4Addr::UNSPECIFIED, ports);
    let shared = shared.clone();
    thread::spawn(move || {
        while let Ok((stream, peer)) = listener.accept() {
            if !peer.ip().is_loopback() {
                continue;
            }
            shared.stats.accepts.fetch_add(1, Relaxed);
            let _ = stream.set_nodelay(true);
            match tls.clone() {
                None => spawn(&shared, stream),
                Some(config) => spawn(&shared, tls::accept(config, stream)),
            }
        }
    });
    port
}

fn listen_unix(shared: &Arc<Shared>, path: &Path) {
    let _ = fs::remove_file(path);
    let listener = UnixListener::bind(path).expect("a Unix socket");
    let shared = shared.clone();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            shared.stats.accepts.fetch_add(1, Relaxed);
            spawn(&shared, stream);
        }
    });
}

fn spawn(shared: &Arc<Shared>, peer: impl Peer) {
    let shared = shared.clone();
    let thread = thread::Builder::new().stack_size(STACK);
    // A peer that goes away in the middle is its own business.
    thread.spawn(move || drop(serve::serve(peer, &shared))).expect("threads");
}

/// Tells whoever connects how often clients did: `accepts full resumed`. What asks is not itself counted.
fn control(shared: &Arc<Shared>, ports: &mut impl Iterator<Item = u16>) -> u16 {
    let (listener, port) = bind(Ipv4Addr::LOCALHOST, ports);
    let shared = shared.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let stats = &shared.stats;
            let [accepts, full, resumed] =
                [&stats.accepts, &stats.full, &stats.resumed].map(|count| count.load(Relaxed));
            let _ = writeln!(stream, "{accepts} {full} {resumed}");
        }
    });
    port
}
