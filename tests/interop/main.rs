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

/// A running server; stopped when dropped, also by a panic.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
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
