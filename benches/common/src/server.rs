//! Where the server is and what it counted.

use std::collections::HashMap;
use std::env;
use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};

/// The line that the server printed, from the environment.
pub struct Server(HashMap<String, String>);

/// What happened at the server since it started.
#[derive(Clone, Copy, Debug)]
pub struct Stats {
    pub accepts: u64,
    /// TLS handshakes, full ones and resumed ones.
    pub full: u64,
    pub resumed: u64,
}

impl Server {
    pub fn from_environment() -> Server {
        let line = env::var("BENCH_SERVER").expect("BENCH_SERVER has the line that the server printed");
        Server(line.split_whitespace().filter_map(|pair| pair.split_once('=')).map(own).collect())
    }

    pub fn get(&self, key: &str) -> &str {
        self.0.get(key).unwrap_or_else(|| panic!("the server says nothing of {key}"))
    }

    pub fn stats(&self) -> Stats {
        let port = self.get("control").parse().expect("a port");
        let mut line = String::new();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the server listens");
        stream.read_to_string(&mut line).expect("the server answers");
        let counts: Vec<u64> = line.split_whitespace().map(|count| count.parse().expect("a number")).collect();
        let [accepts, full, resumed] = counts[..] else { panic!("{line:?}") };
        Stats { accepts, full, resumed }
    }
}

fn own((key, value): (&str, &str)) -> (String, String) {
    (key.to_owned(), value.to_owned())
}
