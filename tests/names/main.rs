//! How hosts are found and reached: resolvers, caches, given addresses, filters, and the race of several addresses.

#[path = "../support/mod.rs"]
mod support;

mod filters;
mod given;
mod racing;
mod resolvers;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hostpool::{Lookup, Resolver};
use support::{Server, Step, answer, answers, ok};

/// A resolver with an answer for each name, which keeps the names that it was asked for.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    known: Vec<(String, Vec<SocketAddr>)>,
    asked: Vec<String>,
}

impl Book {
    fn new<const N: usize>(known: [(&str, Vec<SocketAddr>); N]) -> Book {
        let book = Book::default();
        known.into_iter().for_each(|(name, addresses)| book.set(name, addresses));
        book
    }

    /// Sets the addresses of a name from now on.
    fn set(&self, name: &str, addresses: Vec<SocketAddr>) {
        let mut pages = self.0.lock().unwrap();
        pages.known.retain(|(known, _)| known != name);
        pages.known.push((name.to_owned(), addresses));
    }

    fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.clone()
    }
}

impl Resolver for Book {
    fn resolve(&self, lookup: &Lookup<'_>) -> io::Result<Vec<SocketAddr>> {
        let mut pages = self.0.lock().unwrap();
        pages.asked.push(lookup.host().to_owned());
        let known = pages.known.iter().find(|(name, _)| name == lookup.host());
        known.map(|(_, addresses)| addresses.clone()).ok_or(io::ErrorKind::NotFound.into())
    }
}

/// A server that closes after each answer, so that each request needs a connection.
fn closing() -> Server {
    Server::new(vec![answer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")])
}

fn redirect_to(url: &str) -> Vec<Step> {
    answers(format!("HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n"))
}

/// Returns the value of the Host field of each request.
fn hosts(server: &Server) -> Vec<String> {
    let host = |request: &String| request.lines().find_map(|line| line.strip_prefix("Host: ")).unwrap().to_owned();
    server.seen.requests().iter().map(host).collect()
}

/// Returns the same address with port 0, which stands for the port of the URL.
fn without_port(server: &Server) -> SocketAddr {
    SocketAddr::new(server.addr.ip(), 0)
}

fn greeting() -> Server {
    Server::new(vec![answers(ok("hello"))])
}
