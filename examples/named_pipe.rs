//! Requests to an API behind a named pipe of Windows, such as that of Docker Desktop.
//!
//! `cargo run --example named_pipe -- \\.\pipe\docker_engine /version`

use std::env;
use std::error::Error;
use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use hostpool::{DialContext, Dialer, IoTransport, Phase, Session, Target, Transport};

/// All instances of the pipe are in use (`ERROR_PIPE_BUSY`).
const BUSY: i32 = 231;

/// How often a busy pipe is tried again.
const AGAIN: Duration = Duration::from_millis(20);

/// Connects to a named pipe, whatever host the URL names.
struct NamedPipe(PathBuf);

impl Dialer for NamedPipe {
    fn dial(&self, _: &Target<'_>, context: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
        loop {
            match OpenOptions::new().read(true).write(true).open(&self.0) {
                // Windows does one operation at a time on the handle of a pipe. `from_stream` reads only while a caller
                // waits for bytes, so no read stands in the way of a write. A read that a timeout leaves behind ends
                // when the server answers or closes.
                Ok(pipe) => return Ok(Box::new(IoTransport::from_stream(pipe))),
                Err(error) if error.raw_os_error() != Some(BUSY) => return Err(context.failed(error)),
                Err(_) => {}
            }
            if context.is_cancelled() {
                return Err(context.failed(io::ErrorKind::ConnectionAborted.into()));
            }
            if context.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(context.timed_out(Phase::Connect));
            }
            thread::sleep(AGAIN);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let pipe = arguments.next().unwrap_or_else(|| r"\\.\pipe\docker_engine".to_owned());
    let target = arguments.next().unwrap_or_else(|| "/version".to_owned());
    let session = Session::builder().dialer(NamedPipe(pipe.into())).limit(4).base_url("http://pipe/").build()?;
    let response = session.get(target).timeout(Duration::from_secs(10)).send()?;
    println!("{}", response.status());
    println!("{}", response.text()?);
    Ok(())
}
