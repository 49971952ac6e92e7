//! The scripted server without sockets and threads: a transport that follows the same steps.
//!
//! A script advances when the client asks: as far as it can without anything further from the client.
#![allow(dead_code)]

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Cursor, IoSlice};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use hostpool::{DialContext, Dialer, Probe, Target, Transport, Wait};

use crate::support::{GIVE_UP, Gate, Seen, Step, nth, read_body, read_head};

/// How much may be on its way while nobody reads it, as in a socket's buffer.
const WINDOW: usize = 256 * 1024;

/// How long a blocked call sleeps before it looks again: a gate may open, another thread may send.
const DOZE: Duration = Duration::from_millis(1);

/// A server in memory, and the dialer that connects to it, whatever the target.
#[derive(Clone)]
pub struct Memory {
    pub seen: Arc<Seen>,
    pub gate: Gate,
    inner: Arc<Inner>,
    most: usize,
}

struct Inner {
    script: Box<dyn Fn(usize) -> Vec<Step> + Send + Sync>,
    tell: mpsc::Sender<&'static str>,
    told: Mutex<mpsc::Receiver<&'static str>>,
}

impl Memory {
    pub fn new(scripts: Vec<Vec<Step>>) -> Memory {
        Memory::with(nth(scripts))
    }

    pub fn with(script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static) -> Memory {
        let (tell, told) = mpsc::channel();
        let inner = Inner { script: Box::new(script), tell, told: Mutex::new(told) };
        Memory { seen: Arc::default(), gate: Gate::default(), inner: Arc::new(inner), most: usize::MAX }
    }

    /// Every send takes so many bytes, at most.
    pub fn takes(self, most: usize) -> Memory {
        Memory { most, ..self }
    }

    /// Waits for the next `Tell` of any script, which only a call of the client brings about.
    pub fn wait_for(&self, what: &str) {
        assert_eq!(self.inner.told.lock().unwrap().recv_timeout(GIVE_UP), Ok(what));
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({:?})", self.seen)
    }
}

impl Dialer for Memory {
    fn dial(&self, _: &Target<'_>, _: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
        let number = self.seen.enter();
        let steps = (self.inner.script)(number).into();
        let state = State { number, steps, ..State::default() };
        Ok(Box::new(Link { memory: self.clone(), state: Mutex::new(state), aborted: AtomicBool::new(false) }))
    }
}

/// One connection.
#[derive(Debug)]
struct Link {
    memory: Memory,
    state: Mutex<State>,
    aborted: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    number: usize,
    steps: VecDeque<Step>,
    head: Option<Vec<u8>>,
    /// When the pause ends that the script is at.
    until: Option<Instant>,
    /// Sent by the client, and not yet read by the script.
    sent: Vec<u8>,
    /// Sent by the script: no `recv` gives bytes of two pieces.
    pieces: VecDeque<Vec<u8>>,
    unread: usize,
    end: Option<End>,
    /// The script is over: the server has closed its socket.
    closed: bool,
    /// A first send to a closed socket is taken, and answered by a reset.
    answered: bool,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Orderly,
    Reset,
}

impl State {
    /// Follows the script until it waits for something.
    fn advance(&mut self, memory: &Memory) {
        while let Some(step) = self.steps.pop_front() {
            if !self.follow(&step, memory) {
                self.steps.push_front(step);
                return;
            }
        }
        if !self.closed {
            self.closed = true;
            self.end.get_or_insert(End::Orderly);
            memory.seen.leave();
        }
    }

    /// Whether the step is done.
    fn follow(&mut self, step: &Step, memory: &Memory) -> bool {
        match step {
            Step::Request => self.read(memory, true, true),
            Step::Head => self.read(memory, true, false),
            Step::Body => self.read(memory, false, true),
            Step::Bytes(len) => {
                let there = self.sent.len() >= *len;
                self.sent.drain(..if there { *len } else { 0 });
                there
            }
            Step::Record(len) => {
                let there = self.sent.len() >= *len;
                if there {
                    memory.seen.rest.lock().unwrap().push(self.sent.drain(..*len).collect());
                }
                there
            }
            Step::Some => {
                let there = !self.sent.is_empty();
                if there {
                    memory.seen.rest.lock().unwrap().push(self.sent.drain(..).collect());
                }
                there
            }
            // Recorded once the client closes.
            Step::Rest => false,
            Step::Send(bytes) => {
                let room = self.unread < WINDOW;
                if room && !bytes.is_empty() {
                    self.unread += bytes.len();
                    self.pieces.push_back(bytes.clone());
                }
                room
            }
            Step::Pieces(bytes, size) => self.expand(bytes.chunks(*size).map(|piece| Step::Send(piece.to_vec()))),
            Step::Drip(bytes, apart) => {
                self.expand(bytes.iter().flat_map(|byte| [Step::Send(vec![*byte]), Step::Pause(*apart)]))
            }
            Step::Pause(time) => {
                let now = Instant::now();
                let over = *self.until.get_or_insert(now + *time) <= now;
                self.until.take_if(|_| over);
                over
            }
            Step::Hold => memory.gate.try_pass(),
            Step::Tell(what) => memory.inner.tell.send(what).is_ok(),
            Step::HalfClose => {
                self.end = Some(End::Orderly);
                true
            }
            Step::Reset => {
                self.end = Some(End::Reset);
                self.steps.clear();
                true
            }
            Step::UntilClosed => {
                self.sent.clear();
                false
            }
            Step::Forever(steps) => self.expand(steps.iter().cloned().chain([step.clone()])),
        }
    }

    fn expand(&mut self, steps: impl DoubleEndedIterator<Item = Step>) -> bool {
        steps.rev().for_each(|step| self.steps.push_front(step));
        true
    }

    /// Reads head, body or both once they are there as a whole.
    fn read(&mut self, memory: &Memory, head: bool, body: bool) -> bool {
        let mut sent = Cursor::new(&self.sent[..]);
        let read = (|| {
            let mut request = if head { read_head(&mut sent)? } else { self.head.clone().unwrap_or_default() };
            if body {
                request.extend(read_body(&mut sent, &request)?);
            }
            io::Result::Ok(request)
        })();
        let taken = sent.position() as usize;
        match read {
            Ok(request) => {
                self.sent.drain(..taken);
                let (list, left) = match body {
                    true => (&memory.seen.requests, None),
                    false => (&memory.seen.heads, Some(request.clone())),
                };
                list.lock().unwrap().push((self.number, request));
                self.head = left;
                true
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
            // What is no request ends the script, as it does over sockets.
            Err(_) => {
                self.steps.clear();
                true
            }
        }
    }

    fn room(&self) -> usize {
        let reads =
            [Step::Request, Step::Head, Step::Body, Step::Bytes(0), Step::Record(0), Step::Rest, Step::UntilClosed];
        let next = self.steps.front().map(std::mem::discriminant);
        match reads.iter().any(|step| Some(std::mem::discriminant(step)) == next) {
            true => usize::MAX,
            false => WINDOW.saturating_sub(self.sent.len()),
        }
    }
}

impl Link {
    fn advanced(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap();
        state.advance(&self.memory);
        state
    }

    /// Waits a moment, unless the time is over.
    fn doze(&self, wait: &Wait<'_>) -> io::Result<()> {
        let left = wait.deadline().map(|at| at.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(left.map_or(DOZE, |left| left.min(DOZE)));
        Ok(())
    }

    fn check(&self, wait: &Wait<'_>) -> io::Result<()> {
        match wait.is_cancelled() || self.aborted.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::ConnectionAborted.into()),
            false => Ok(()),
        }
    }
}

impl Transport for Link {
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        loop {
            self.check(wait)?;
            let mut state = self.advanced();
            if let Some(piece) = state.pieces.front_mut() {
                let len = piece.len().min(buf.len());
                buf[..len].copy_from_slice(&piece[..len]);
                piece.drain(..len);
                if piece.is_empty() {
                    state.pieces.pop_front();
                }
                state.unread -= len;
                return Ok(len);
            }
            match state.end {
                Some(End::Orderly) => return Ok(0),
                Some(End::Reset) => return Err(io::ErrorKind::ConnectionReset.into()),
                None => drop(state),
            }
            self.doze(wait)?;
        }
    }

    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        loop {
            self.check(wait)?;
            let mut state = self.advanced();
            let reset = matches!(state.end, Some(End::Reset));
            if reset || (state.closed && std::mem::replace(&mut state.answered, true)) {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            let most = state.room().min(self.memory.most);
            if most > 0 {
                let before = state.sent.len();
                for buf in bufs {
                    let taken = state.sent.len() - before;
                    state.sent.extend(&buf[..buf.len().min(most - taken)]);
                }
                let taken = state.sent.len() - before;
                state.advance(&self.memory);
                return Ok(taken);
            }
            if wait.watches_input() && (!state.pieces.is_empty() || state.end.is_some()) {
                return Ok(0);
            }
            drop(state);
            self.doze(wait)?;
        }
    }

    fn probe(&self) -> Probe {
        let state = self.advanced();
        match (state.pieces.is_empty(), state.end.is_some() || self.aborted.load(Ordering::SeqCst)) {
            (false, _) => Probe::Readable,
            (true, true) => Probe::Dead,
            (true, false) => Probe::Quiet,
        }
    }

    fn abort(&self) {
        self.aborted.store(true, Ordering::SeqCst);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // A test that failed inside a call may have left it poisoned.
        let state = self.state.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        if matches!(state.steps.front(), Some(Step::Rest)) {
            self.memory.seen.rest.lock().unwrap().push(std::mem::take(&mut state.sent));
        }
        if !state.closed {
            self.memory.seen.leave();
        }
    }
}
