//! One connection: reads requests and answers by their path.
//!
//! `/small`, `/close`, `/fields`, `/gzip`, `/json`; `/hold` waits 200 microseconds first; `/gather/N` until N requests
//! wait; `/length/N` and `/chunked/N` send N bytes; `/upload` takes a body and answers how long it was.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

use memchr::memmem;

use crate::answers::{Answers, SLAB, answer, large};

const HOLD: Duration = Duration::from_micros(200);

/// How long a gathering waits for the requests that are missing.
const GATHERING_TIMEOUT: Duration = Duration::from_secs(60);

/// What a connection has to give beyond bytes.
pub trait Peer: Read + Write + Send + 'static {
    /// Before the first request: whether a TLS session was resumed, if there is one.
    fn begin(&mut self) -> io::Result<Option<bool>> {
        Ok(None)
    }

    /// After the last answer.
    fn end(&mut self) {}
}

impl Peer for TcpStream {}
impl Peer for UnixStream {}

#[derive(Default)]
pub struct Stats {
    pub accepts: AtomicUsize,
    pub full: AtomicUsize,
    pub resumed: AtomicUsize,
}

pub struct Shared {
    answers: Answers,
    pub stats: Stats,
    /// By size: how many have come in all.
    gatherings: Mutex<HashMap<usize, usize>>,
    complete: Condvar,
}

impl Shared {
    pub fn new(answers: Answers) -> Shared {
        Shared { answers, stats: Stats::default(), gatherings: Mutex::default(), complete: Condvar::new() }
    }

    /// Waits until `size` requests do. Gatherings of one size follow each other.
    fn gather(&self, size: usize) -> io::Result<()> {
        let mut gatherings = self.gatherings.lock().expect("no panic");
        let came = gatherings.entry(size).or_default();
        *came += 1;
        let full = came.next_multiple_of(size);
        if *came == full {
            self.complete.notify_all();
            return Ok(());
        }
        let wait =
            self.complete.wait_timeout_while(gatherings, GATHERING_TIMEOUT, |gatherings| gatherings[&size] < full);
        match wait.expect("no panic") {
            (_, timeout) if timeout.timed_out() => Err(ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }
}

pub fn serve(mut peer: impl Peer, shared: &Shared) -> io::Result<()> {
    if let Some(resumed) = peer.begin()? {
        let count = if resumed { &shared.stats.resumed } else { &shared.stats.full };
        count.fetch_add(1, Relaxed);
    }
    // Heads are small; a body that is sent up gets a buffer of its own.
    let mut input = vec![0; 16 * 1024];
    let mut filled = 0;
    loop {
        let head = loop {
            // Rarely is there more than the new bytes to search.
            match memmem::find(&input[..filled], b"\r\n\r\n") {
                Some(end) => break end + 4,
                None if filled == input.len() => return Err(ErrorKind::InvalidData.into()),
                None => match peer.read(&mut input[filled..])? {
                    0 => return Ok(()),
                    read => filled += read,
                },
            }
        };
        if !respond(&mut peer, shared, &input[..head], &input[head..filled])? {
            peer.end();
            return Ok(());
        }
        filled = 0;
    }
}

/// Whether the connection goes on. Nobody sends a second request before the answer to the first.
fn respond(peer: &mut impl Peer, shared: &Shared, head: &[u8], rest: &[u8]) -> io::Result<bool> {
    let answers = &shared.answers;
    let target = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    match target {
        b"/small" => peer.write_all(&answers.small)?,
        b"/close" => {
            peer.write_all(&answers.close)?;
            return Ok(false);
        }
        b"/fields" => peer.write_all(&answers.fields)?,
        b"/gzip" => peer.write_all(&answers.gzip)?,
        b"/json" => peer.write_all(&answers.json)?,
        b"/hold" => {
            thread::sleep(HOLD);
            peer.write_all(&answers.small)?;
        }
        b"/upload" => {
            let taken = take_body(peer, head, rest)?;
            peer.write_all(&answer("", taken.to_string().as_bytes()))?;
        }
        _ => respond_sized(peer, shared, target)?,
    }
    Ok(true)
}

fn respond_sized(peer: &mut impl Peer, shared: &Shared, target: &[u8]) -> io::Result<()> {
    let target = String::from_utf8_lossy(target);
    let Some((path, Ok(number))) = target.rsplit_once('/').map(|(path, number)| (path, number.parse::<u64>())) else {
        return peer.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    };
    let answers = &shared.answers;
    match path {
        "/gather" => {
            shared.gather(number as usize)?;
            peer.write_all(&answers.small)
        }
        "/length" => {
            peer.write_all(large(Some(number)).as_bytes())?;
            (0..number / SLAB as u64).try_for_each(|_| peer.write_all(&answers.slab))
        }
        "/chunked" => {
            peer.write_all(large(None).as_bytes())?;
            (0..number / SLAB as u64).try_for_each(|_| peer.write_all(&answers.chunks))?;
            peer.write_all(b"0\r\n\r\n")
        }
        _ => peer.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    }
}

/// Takes a body off the connection and says how long it was. `rest` came with the head.
fn take_body(peer: &mut impl Peer, head: &[u8], rest: &[u8]) -> io::Result<u64> {
    let length = head.split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<u64>().ok())?
    });
    let mut input = vec![0; SLAB];
    if let Some(length) = length {
        let mut left = length.saturating_sub(rest.len() as u64);
        while left > 0 {
            match peer.read(&mut input)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                read => left = left.saturating_sub(read as u64),
            }
        }
        return Ok(length);
    }
    let mut chunks = Chunks::default();
    let mut done = chunks.take(rest);
    while !done {
        match peer.read(&mut input)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => done = chunks.take(&input[..read]),
        }
    }
    Ok(chunks.taken)
}

/// Where in a chunked body the connection stands. Trust is in order: the peers are our own clients.
#[derive(Default)]
struct Chunks {
    taken: u64,
    /// Bytes of the chunk that have yet to come, its line end among them.
    left: u64,
    /// The line of a size, as far as it came.
    line: Vec<u8>,
    last: bool,
}

impl Chunks {
    /// Whether the body has ended.
    fn take(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            if self.left > 0 {
                let skip = self.left.min(bytes.len() as u64);
                self.left -= skip;
                bytes = &bytes[skip as usize..];
                continue;
            }
            let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
            self.line.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end..];
            if self.line.ends_with(b"\n") {
                if self.last {
                    return true;
                }
                let line = String::from_utf8_lossy(&self.line);
                let size = line.trim().split(';').next().unwrap_or_default();
                let size = u64::from_str_radix(size, 16).expect("the size of a chunk");
                self.last = size == 0;
                self.taken += size;
                self.left = if self.last { 0 } else { size + 2 };
                self.line.clear();
            }
        }
        false
    }
}
