//! What every client has to do, in the way its users would do it.

use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

use crate::{PIECE, Workload};

/// How a client is made.
pub struct Setup {
    /// The one certificate to trust for `https`, a file in PEM; none where no TLS is asked for.
    pub root: Option<PathBuf>,
    /// Sets every timeout the client has, and a deadline for the whole request, to this.
    pub bound: Option<Duration>,
    /// Gives each request a cancel token, and the client a listener that does nothing.
    pub watched: bool,
    /// No more connections to a host than this: further requests wait.
    pub limit: Option<usize>,
    /// Connects here, whatever the URL says.
    pub unix: Option<PathBuf>,
    /// Asks for gzip and decodes it.
    pub gzip: bool,
    /// The URL of the one host whose pool the client is to be, without a path.
    pub pool: Option<String>,
}

/// A client that many threads use together.
pub trait Client: Sized + Sync {
    const NAME: &'static str;

    /// Whether a connection serves one request after another. A client whose connections do not takes part only where
    /// another connection is nothing beside the rest: where each request needs one, and in large bodies.
    const KEEPS_CONNECTIONS: bool = true;

    /// Whether the client can be a pool of one host, or is a yardstick for one that can.
    const HAS_POOLS: bool = false;

    /// What one thread uses.
    type Handle<'a>: Handle + Send
    where
        Self: 'a;

    fn new(setup: &Setup) -> Self;

    fn handle(&self) -> Self::Handle<'_>;

    /// Why this client takes no part in a workload, if it does not.
    fn excuse(_workload: &Workload) -> Option<&'static str> {
        None
    }

    /// The URL of a path at a Unix socket.
    fn unix_url(_socket: &str, path: &str) -> String {
        format!("http://localhost{path}")
    }
}

/// One thread's view of a client. Each method sends one request and panics unless the status is 200.
pub trait Handle {
    /// GETs a small body into the caller's buffer; its length.
    fn get(&mut self, url: &str, body: &mut [u8]) -> usize;

    /// GETs a body as a whole, decoded if it was encoded.
    fn get_vec(&mut self, url: &str) -> Vec<u8>;

    /// As [`get`](Self::get), and the number of the head's fields as well as one field's value.
    fn get_fields(&mut self, url: &str, name: &str, body: &mut [u8]) -> Fields;

    /// GETs a large body piece by piece through `piece`; its length.
    fn download(&mut self, url: &str, piece: &mut [u8]) -> u64;

    /// POSTs a body from a reader, chunked where no length is given; the answer's body.
    fn upload(&mut self, url: &str, source: Source, length: Option<u64>) -> Vec<u8>;

    /// Opens so many connections to a host and leaves all of them idle. A client that cannot has an excuse.
    fn open(&mut self, _url: &str, _connections: usize) {
        unreachable!("a client that cannot has an excuse");
    }

    /// GETs a JSON text and parses it.
    fn json(&mut self, url: &str) -> serde_json::Value {
        serde_json::from_slice(&self.get_vec(url)).expect("JSON")
    }
}

/// What [`Handle::get_fields`] found.
#[derive(Debug, PartialEq, Eq)]
pub struct Fields {
    pub count: usize,
    pub value: String,
    pub body: usize,
}

static PATTERN: [u8; PIECE] = [b'x'; PIECE];

/// A body to send: so many bytes from memory, which costs one copy.
pub struct Source {
    left: u64,
}

impl Source {
    pub fn new(length: u64) -> Source {
        Source { left: length }
    }
}

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buf.len() && self.left > 0 {
            let len = PIECE.min(buf.len() - filled).min(usize::try_from(self.left).unwrap_or(PIECE));
            buf[filled..filled + len].copy_from_slice(&PATTERN[..len]);
            filled += len;
            self.left -= len as u64;
        }
        Ok(filled)
    }
}
