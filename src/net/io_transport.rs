//! Any reader and writer as a [`Transport`]. Threads of its own do what may block for ever.
//!
//! A blocked `read` has no deadline, and no other thread can wake it. So it runs on a thread of the transport, and a
//! caller waits for that thread, under its deadline and until an abort. A byte is received or sent by one thread alone,
//! and lies between the threads in two bounded buffers.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::abort::Interrupt;
use super::probe::Probe;
use super::transport::{Transport, TransportInfo, Wait};
use crate::contain::contain;
use crate::process::Home;
use crate::sync::standing::{Condvar, Mutex, MutexGuard, wait_until};

/// How many bytes one `read` is asked for. As many may wait for a caller before the next `read`.
const INPUT: usize = 16 * 1024;

/// The most bytes that are accepted while others are written.
const OUTPUT: usize = 64 * 1024;

/// The pause after a reader or writer has returned that it would block.
const PAUSE: Duration = Duration::from_millis(10);

/// How long a writer that has the last bytes of a request may take to return, when a response has arrived: the peer may
/// have read them already. A response before the end of a request closes the connection.
const RETURN: Duration = Duration::from_millis(200);

/// A [`Transport`] over any reader and writer, which need no deadlines of their own: the pipes of a child process, a
/// channel of an SSH connection, a stream of another network or of another TLS library, a pipe in memory.
///
/// All bounds of a request hold, and an abort returns at once: threads of the transport read and write, and the caller
/// waits for them. A transport starts its threads when it is first used. They end with the transport; a thread that is
/// blocked in a `read` or `write` of yours ends when that returns. [`on_end`](Self::on_end) is the place to make it
/// return.
///
/// - [`new`](Self::new) takes a reader and a writer that can be used at the same time. It has two threads. One reads
///   ahead, up to 32 KiB, so that a response to an upload that goes on, and a connection that ended while it was idle,
///   are seen.
/// - [`from_stream`](Self::from_stream) takes one stream that is both. It has one thread.
///
/// A `read` or `write` that fails with `WouldBlock` or `TimedOut` is called again after 10 ms, so a non-blocking stream
/// and one with a timeout of its own can be used. A panic of your code is an error of the request.
///
/// A request to a server that a child process is connected to:
///
/// ```no_run
/// use hostpool::{IoTransport, Session, PoolManager, dialer_fn};
/// use std::process::{Command, Stdio};
///
/// let dialer = dialer_fn(|_, context| {
///     let mut ssh = Command::new("ssh");
///     ssh.args(["build-host", "docker", "system", "dial-stdio"]).stdin(Stdio::piped()).stdout(Stdio::piped());
///     let mut child = ssh.spawn().map_err(|error| context.failed(error))?;
///     let (Some(stdout), Some(stdin)) = (child.stdout.take(), child.stdin.take()) else { unreachable!("both are piped") };
///     let transport = IoTransport::new(stdout, stdin).on_end(move || {
///         let _ = child.kill();
///         let _ = child.wait();
///     });
///     Ok(Box::new(transport))
/// });
/// let session = Session::builder().connector(PoolManager::builder().dialer(dialer).build()?).build()?;
/// println!("{}", session.get("http://docker/containers/json").send()?.text()?);
/// # Ok::<(), hostpool::Error>(())
/// ```
///
/// A stub for tests, whose answer is always the same:
///
/// ```
/// use hostpool::{ConnectionPool, IoTransport, dialer_fn};
/// use std::io;
///
/// let answer: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
/// let dialer = dialer_fn(move |_, _| Ok(Box::new(IoTransport::new(answer, io::sink()))));
/// let pool = ConnectionPool::builder("http://anywhere").dialer(dialer).build()?;
/// assert_eq!(pool.get("/").send()?.text()?, "hello");
/// # Ok::<(), hostpool::Error>(())
/// ```
pub struct IoTransport {
    shared: Arc<Shared>,
    /// The work of the threads that are not started yet.
    threads: Mutex<Vec<Work>>,
    info: TransportInfo,
}

type Work = Box<dyn FnOnce(&Shared) + Send>;

/// The state that callers and threads share.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    on_end: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// The process that has the threads.
    home: Home,
}

#[derive(Default)]
struct State {
    /// Bytes that were read. The first `taken` of them were received by callers.
    input: Vec<u8>,
    taken: usize,
    /// The end of the input.
    input_end: Option<End>,
    /// How many callers wait for input.
    wanted: usize,
    /// Bytes that were accepted, and that the thread has not taken yet.
    output: Vec<u8>,
    /// The thread writes bytes that it has taken.
    is_writing: bool,
    /// How many bytes the writer has accepted.
    written: u64,
    output_end: Option<End>,
    /// Reader and writer are two values.
    has_halves: bool,
    /// No more bytes are accepted. The writer is dropped after those that were.
    is_output_over: bool,
    /// The transport was aborted or dropped.
    has_ended: bool,
    is_registered: bool,
}

/// The end of one direction.
enum End {
    Orderly,
    Failed(Arc<io::Error>),
}

impl IoTransport {
    /// Returns a transport that receives from `reader` and sends to `writer`. Both are used at the same time.
    ///
    /// ```
    /// use hostpool::{IoTransport, Transport, Wait};
    /// use std::io::{IoSlice, Read, pipe};
    ///
    /// let (ours, _theirs) = pipe()?;
    /// let (mut sent, writer) = pipe()?;
    /// let transport = IoTransport::new(ours, writer);
    /// transport.send(&[IoSlice::new(b"hello")], &Wait::new())?;
    /// let mut buf = [0; 5];
    /// sent.read_exact(&mut buf)?;
    /// assert_eq!(&buf, b"hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(reader: impl Read + Send + 'static, writer: impl Write + Send + 'static) -> IoTransport {
        IoTransport::of(vec![
            Box::new(move |shared| shared.read_ahead(reader)),
            Box::new(move |shared| shared.write_all(writer)),
        ])
    }

    /// Returns a transport over one stream that both reads and writes, and that only one thread can use at a time, such
    /// as a stream of a TLS library.
    ///
    /// The stream is read only while a caller waits for bytes. So a response that comes before an upload is over is seen
    /// after the upload. A connection that the server closed while it was idle is found out by the next request on it:
    /// a `GET` is sent again by itself, and a `POST` fails. An idle timeout below that of the server avoids this. A wait
    /// for `100 Continue` ends only when the server sends something, unless the stream has a read timeout of its own.
    /// Prefer [`new`](Self::new) for a stream with two halves, or one that implements `Read` and `Write` by reference.
    pub fn from_stream(stream: impl Read + Write + Send + 'static) -> IoTransport {
        IoTransport::of(vec![Box::new(move |shared| shared.serve(stream))])
    }

    fn of(threads: Vec<Work>) -> IoTransport {
        let state = State { has_halves: threads.len() > 1, ..State::default() };
        let shared =
            Shared { state: Mutex::new(state), changed: Condvar::new(), on_end: Mutex::default(), home: Home::here() };
        IoTransport { shared: Arc::new(shared), threads: Mutex::new(threads), info: TransportInfo::new() }
    }

    /// Sets what runs once when the transport ends: when it is aborted, or else when it is dropped. It may run while
    /// `read` and `write` are blocked, and should make them return, for example by ending the child process or by
    /// shutting down the socket. It must not wait for long. A panic of it is ignored.
    #[must_use]
    pub fn on_end(self, run: impl FnOnce() + Send + 'static) -> IoTransport {
        *self.shared.on_end.lock() = Some(Box::new(run));
        self
    }

    /// Sets what the transport knows about its peer. Set `encrypted` if the stream is; a request for an `https` URL is
    /// not sent otherwise.
    #[must_use]
    pub fn with_info(mut self, info: TransportInfo) -> IoTransport {
        self.info = info;
        self
    }

    /// Starts the threads at the first use, and lets an abort of a dial that is going on reach this transport. Fails if
    /// the operation is cancelled. From then on an abort ends this transport, so nothing below asks again.
    fn begin(&self, wait: &Wait<'_>) -> io::Result<()> {
        if wait.is_cancelled() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let threads = mem::take(&mut *self.threads.lock());
        for work in threads {
            let shared = self.shared.clone();
            let thread = thread::Builder::new().name("hostpool-io".into()).spawn(move || work(&shared));
            thread.inspect_err(|_| self.shared.end())?;
        }
        let is_registered = mem::replace(&mut self.shared.state.lock().is_registered, true);
        match wait.abort {
            Some(cell) if !is_registered => {
                let shared: Arc<dyn Interrupt> = self.shared.clone();
                cell.register_if_free(Arc::downgrade(&shared));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Repeats a call after each run of the caller's check, until it does more than wait.
fn ticking<T>(wait: &Wait<'_>, mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && wait.until.slice().is_some() => {
                wait.until.tick();
                if wait.is_cancelled() {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
            }
            result => return result,
        }
    }
}

impl Transport for IoTransport {
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        self.begin(wait)?;
        ticking(wait, || self.recv_now(buf, wait))
    }

    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        self.begin(wait)?;
        ticking(wait, || self.send_now(bufs, wait))
    }

    fn flush(&self, wait: &Wait<'_>) -> io::Result<bool> {
        self.begin(wait)?;
        ticking(wait, || self.flush_now(wait))
    }

    fn probe(&self) -> Probe {
        let state = self.shared.state.lock();
        match () {
            () if state.has_ended => Probe::Dead,
            () if state.has_input() => Probe::Readable,
            () if state.input_end.is_some() || state.output_end.is_some() => Probe::Dead,
            () => Probe::Quiet,
        }
    }

    fn has_buffered(&self) -> bool {
        let state = self.shared.state.lock();
        state.has_input() || state.has_output()
    }

    /// Drops the writer after all bytes that were accepted. A stream that reads and writes by one value cannot end one
    /// direction alone.
    fn close_write(&self, wait: &Wait<'_>) -> io::Result<()> {
        self.begin(wait)?;
        let mut state = self.shared.state.lock();
        if !state.has_halves {
            return Err(io::ErrorKind::Unsupported.into());
        }
        state.is_output_over = true;
        self.shared.changed.notify_all();
        drop(state);
        while !self.flush(wait)? {
            if wait.is_cancelled() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
        Ok(())
    }

    fn abort(&self) {
        self.shared.end();
    }

    fn info(&self) -> TransportInfo {
        self.info.clone()
    }
}

/// Calls that wait until the caller's check is due.
impl IoTransport {
    fn recv_now(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        let mut state = self.shared.state.lock();
        state.wanted += 1;
        self.shared.changed.notify_all();
        let result = loop {
            if buf.is_empty() || state.has_input() {
                let len = state.take(buf);
                break Ok(len);
            }
            if state.has_ended {
                break Err(io::ErrorKind::ConnectionAborted.into());
            }
            if let Some(end) = &state.input_end {
                break end.result().map(|()| 0);
            }
            if let Err(error) = self.shared.wait(&mut state, wait) {
                break Err(error);
            }
        };
        state.wanted -= 1;
        // The thread may read on.
        self.shared.changed.notify_all();
        result
    }

    fn send_now(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        let mut state = self.shared.state.lock();
        loop {
            state.check_output()?;
            if state.is_output_over {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            if state.output.len() < OUTPUT {
                let before = state.output.len();
                for buf in bufs {
                    let room = OUTPUT - state.output.len();
                    state.output.extend_from_slice(&buf[..buf.len().min(room)]);
                }
                self.shared.changed.notify_all();
                return Ok(state.output.len() - before);
            }
            if wait.watches_input() && state.has_arrived() {
                return Ok(0);
            }
            self.shared.wait(&mut state, wait)?;
        }
    }

    fn flush_now(&self, wait: &Wait<'_>) -> io::Result<bool> {
        let mut state = self.shared.state.lock();
        let before = state.written;
        let mut returns_by = None;
        loop {
            // The caller looks at the response first, and meets the writer's failure after it.
            if wait.is_last && state.has_input() && state.output_end.is_some() && !state.has_ended {
                return Ok(false);
            }
            state.check_output()?;
            if !state.has_output() {
                return Ok(true);
            }
            if wait.watches_input() && state.has_arrived() {
                if !wait.is_last || !state.output.is_empty() {
                    return Ok(false);
                }
                let by = *returns_by.get_or_insert_with(|| Instant::now() + RETURN);
                let by = wait.until.slice_end().map_or(by, |end| end.min(by));
                if wait_until(&self.shared.changed, &mut state, by) {
                    return Ok(false);
                }
                continue;
            }
            match self.shared.wait(&mut state, wait) {
                Err(_) if state.written > before => return Ok(false),
                result => result?,
            }
        }
    }
}

impl Drop for IoTransport {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl fmt::Debug for IoTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IoTransport").field("info", &self.info).finish_non_exhaustive()
    }
}

impl Interrupt for Shared {
    fn interrupt(&self) {
        self.end();
    }
}

impl State {
    fn has_input(&self) -> bool {
        self.taken < self.input.len()
    }

    /// Returns whether a `recv` would return at once.
    fn has_arrived(&self) -> bool {
        self.has_input() || self.input_end.is_some()
    }

    fn has_output(&self) -> bool {
        self.is_writing || !self.output.is_empty()
    }

    fn take(&mut self, buf: &mut [u8]) -> usize {
        let left = &self.input[self.taken..];
        let len = left.len().min(buf.len());
        buf[..len].copy_from_slice(&left[..len]);
        self.taken += len;
        if !self.has_input() {
            self.input.clear();
            self.taken = 0;
        }
        len
    }

    /// Fails if no more bytes can be sent.
    fn check_output(&self) -> io::Result<()> {
        if self.has_ended {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        self.output_end.as_ref().map_or(Ok(()), End::result)
    }
}

impl End {
    fn result(&self) -> io::Result<()> {
        match self {
            End::Orderly => Ok(()),
            End::Failed(error) => Err(io::Error::new(error.kind(), error.clone())),
        }
    }
}

/// The result of one call of the caller's reader or writer.
enum Step {
    Bytes(usize),
    /// It would block, or its own timeout passed.
    Nothing,
    End(End),
}

/// Calls the caller's code once more where a signal interrupted it, and contains its panic.
fn step(mut call: impl FnMut() -> io::Result<usize>) -> Step {
    loop {
        let error = match contain(&mut call) {
            Some(Ok(0)) => return Step::End(End::Orderly),
            Some(Ok(len)) => return Step::Bytes(len),
            Some(Err(error)) => error,
            None => io::Error::other("the code of the stream panicked"),
        };
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => return Step::Nothing,
            _ => return Step::End(End::Failed(Arc::new(error))),
        }
    }
}

impl Shared {
    /// Ends the transport for callers and threads. Does nothing in a child process, which has no such threads: one of
    /// the parent may have held the lock as the child was made.
    fn end(&self) {
        if !self.home.is_here() {
            return;
        }
        if mem::replace(&mut self.state.lock().has_ended, true) {
            return;
        }
        self.changed.notify_all();
        let on_end = self.on_end.lock().take();
        if let Some(run) = on_end {
            contain(run);
        }
    }

    /// Waits for a change, under the deadline of `wait`. Fails with `WouldBlock` when the caller's check is due.
    fn wait(&self, state: &mut MutexGuard<'_, State>, wait: &Wait<'_>) -> io::Result<()> {
        match wait.until.slice_end() {
            Some(_) if wait.until.is_past() => Err(io::ErrorKind::TimedOut.into()),
            Some(at) => match wait_until(&self.changed, state, at) {
                true if wait.until.slice().is_some() => Err(io::ErrorKind::WouldBlock.into()),
                _ => Ok(()),
            },
            None => {
                self.changed.wait(state);
                Ok(())
            }
        }
    }

    /// Waits until there is something to do for a thread. Returns false when the thread has to end.
    fn idle(&self, ready: impl Fn(&State) -> bool) -> bool {
        let mut state = self.state.lock();
        while !state.has_ended && !ready(&state) {
            self.changed.wait(&mut state);
        }
        !state.has_ended
    }

    /// Reads until the end, while there is room.
    fn read_ahead(&self, mut reader: impl Read) {
        let mut buf = vec![0; INPUT];
        while self.idle(|state| state.input.len() - state.taken < INPUT) && self.read(&mut reader, &mut buf) {}
        contain(|| drop(reader));
    }

    /// Writes what callers send.
    fn write_all(&self, mut writer: impl Write) {
        let is_next = |state: &State| !state.output.is_empty() || state.is_output_over;
        while self.idle(is_next) && !self.state.lock().output.is_empty() && self.write(&mut writer) {}
        contain(|| drop(writer));
    }

    /// Writes what callers send, and reads while a caller waits for bytes.
    fn serve(&self, mut stream: impl Read + Write) {
        let mut buf = vec![0; INPUT];
        let (mut reads, mut writes) = (true, true);
        let wants_input = |state: &State| state.wanted > 0 && !state.has_input() && state.input_end.is_none();
        while (reads || writes)
            && self.idle(|state| (writes && !state.output.is_empty()) || (reads && wants_input(state)))
        {
            let is_output = writes && !self.state.lock().output.is_empty();
            match is_output {
                true => writes = self.write(&mut stream),
                false => reads = self.read(&mut stream, &mut buf),
            }
        }
        contain(|| drop(stream));
    }

    /// Reads once. Returns false at the end of the input.
    fn read(&self, reader: &mut impl Read, buf: &mut [u8]) -> bool {
        let step = match step(|| reader.read(buf)) {
            Step::Bytes(len) if len > buf.len() => Step::End(End::Failed(Arc::new(io::Error::other(
                "the reader returned more bytes than it was asked for",
            )))),
            step => step,
        };
        let mut state = self.state.lock();
        match step {
            Step::Bytes(len) => {
                let taken = mem::take(&mut state.taken);
                state.input.drain(..taken);
                state.input.extend_from_slice(&buf[..len]);
            }
            Step::Nothing => {
                self.pause(&mut state);
                return true;
            }
            Step::End(end) => state.input_end = Some(end),
        }
        self.changed.notify_all();
        state.input_end.is_none()
    }

    /// Writes all that was accepted until now, and flushes the writer. Returns false if that failed.
    fn write(&self, writer: &mut impl Write) -> bool {
        let mut state = self.state.lock();
        let piece = mem::take(&mut state.output);
        state.is_writing = true;
        drop(state);
        let mut sent = 0;
        let mut flushed = false;
        let failed = loop {
            let step = match sent == piece.len() {
                false => step(|| writer.write(&piece[sent..])),
                // A flush has no length. Any number other than 0 means that it is done.
                true => step(|| writer.flush().map(|()| 1)),
            };
            let mut state = self.state.lock();
            match step {
                Step::Bytes(_) if sent == piece.len() => flushed = true,
                Step::Bytes(len) if len > piece.len() - sent => {
                    break Some(io::Error::other("the writer accepted more bytes than it was given"));
                }
                Step::Bytes(len) => {
                    sent += len;
                    state.written += len as u64;
                }
                Step::Nothing => self.pause(&mut state),
                Step::End(End::Orderly) => break Some(io::ErrorKind::WriteZero.into()),
                Step::End(End::Failed(error)) => break Some(io::Error::new(error.kind(), error)),
            }
            if flushed || state.has_ended {
                break None;
            }
        };
        let mut state = self.state.lock();
        state.is_writing = false;
        state.output_end = failed.map(|error| End::Failed(Arc::new(error)));
        self.changed.notify_all();
        state.output_end.is_none()
    }

    /// Waits before a reader or writer is called again that would have blocked.
    fn pause(&self, state: &mut MutexGuard<'_, State>) {
        let Some(until) = Instant::now().checked_add(PAUSE) else { return };
        while !state.has_ended && !wait_until(&self.changed, state, until) {}
    }
}
