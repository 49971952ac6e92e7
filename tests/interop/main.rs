//! Real servers: nginx, OpenSSL, stunnel, httpbin under gunicorn, and WebSocket servers of other libraries; the proxies
//! squid, tinyproxy, microsocks and dante; and other programs that read our files.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

mod cookies;
#[cfg(all(feature = "json", feature = "gzip", feature = "digest-auth"))]
mod httpbin;
#[cfg(all(feature = "rustls", feature = "native-tls"))]
mod native;
mod nginx;
mod proxies;
mod socks;
#[cfg(feature = "rustls")]
mod tls;
#[cfg(feature = "websocket")]
mod tunnels;
#[cfg(feature = "websocket")]
mod websockets;

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

/// A running server; stopped when dropped, also by a panic.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port for a server that takes one by number. It is below the ports that systems give to clients by default: another
/// test could be such a client while the server starts. No two calls in this process return the same.
fn free_port() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let place = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add((std::process::id() as u16).wrapping_mul(64));
        let addr = SocketAddr::from(([127, 0, 0, 1], 20_000 + place % 12_000));
        if TcpListener::bind(addr).is_ok() {
            return addr;
        }
    }
}

/// The first of these that runs. None may be missing in a test run of the project's own (`CI` is set).
fn program(name: &str, places: &[&str], version: &str) -> Option<String> {
    let runs = |program: &&&str| {
        let silent = Command::new(program).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status();
        silent.is_ok_and(|status| status.success())
    };
    found(name, places.iter().find(runs).map(|program| (*program).to_owned()))
}

/// The same for a program that was looked for in another way.
fn found(name: &str, found: Option<String>) -> Option<String> {
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is not installed");
        eprintln!("skipped: {name} is not installed");
    }
    found
}
