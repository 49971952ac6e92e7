//! A server that speaks frames after the handshake.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use crate::peers::switch;
use crate::support::read_head;
pub use crate::wire::{Frame, frame, read_frame};

/// The server's side of one connection.
pub struct Frames<S>(pub S);

impl<S: Read + Write> Frames<S> {
    /// Agrees to a handshake, with these lines in the head.
    pub fn accept(mut stream: S, lines: &str) -> io::Result<Frames<S>> {
        let head = String::from_utf8(read_head(&mut stream)?).map_err(io::Error::other)?;
        stream.write_all(switch(&head, lines).as_bytes())?;
        Ok(Frames(stream))
    }

    /// Reads one frame; `None` at the end of the stream.
    pub fn get(&mut self) -> io::Result<Option<Frame>> {
        read_frame(&mut self.0)
    }

    pub fn send(&mut self, first: u8, payload: &[u8]) -> io::Result<()> {
        self.0.write_all(&frame(first, payload))?;
        self.0.flush()
    }

    /// Sends back what comes, and a ping for every so many frames, until the client closes.
    pub fn echo(&mut self, pings: usize) -> io::Result<()> {
        let mut count = 0;
        while let Some(Frame { first, payload }) = self.get()? {
            match first & 0x0F {
                0..=2 => {
                    count += 1;
                    let mut bytes = frame(first, &payload);
                    if pings > 0 && count % pings == 0 {
                        bytes.extend(frame(0x89, b"ping"));
                    }
                    self.0.write_all(&bytes)?;
                    self.0.flush()?;
                }
                8 => return self.send(0x88, &payload),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Runs a script for each connection, in a thread of its own.
pub fn serve(script: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (addr, script) = (listener.local_addr().unwrap(), Arc::new(script));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            stream.set_nodelay(true).unwrap();
            let script = script.clone();
            thread::spawn(move || script(stream));
        }
    });
    addr
}
