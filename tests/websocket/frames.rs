//! A server that speaks frames after the handshake.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use crate::peers::switch;
use crate::support::read_head;

/// The server's side of one connection.
pub struct Frames<S>(pub S);

/// A frame of the client, without its mask.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub first: u8,
    pub payload: Vec<u8>,
}

impl<S: Read + Write> Frames<S> {
    /// Agrees to a handshake, with these lines in the head.
    pub fn accept(mut stream: S, lines: &str) -> io::Result<Frames<S>> {
        let head = String::from_utf8(read_head(&mut stream)?).map_err(io::Error::other)?;
        stream.write_all(switch(&head, lines).as_bytes())?;
        Ok(Frames(stream))
    }

    /// Reads one frame; `None` at the end of the stream.
    pub fn get(&mut self) -> io::Result<Option<Frame>> {
        let mut head = [0; 2];
        if self.0.read(&mut head[..1])? == 0 {
            return Ok(None);
        }
        self.0.read_exact(&mut head[1..])?;
        assert!(head[1] & 0x80 != 0, "a client masks");
        let len = match head[1] & 0x7F {
            126 => u64::from(u16::from_be_bytes(self.array()?)),
            127 => u64::from_be_bytes(self.array()?),
            len => u64::from(len),
        };
        let mask: [u8; 4] = self.array()?;
        let mut payload = vec![0; usize::try_from(len).unwrap()];
        self.0.read_exact(&mut payload)?;
        payload.iter_mut().zip(mask.into_iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Ok(Some(Frame { first: head[0], payload }))
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut array = [0; N];
        self.0.read_exact(&mut array)?;
        Ok(array)
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

/// A server's frame.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        len @ ..126 => out.push(len as u8),
        len @ ..0x1_0000 => {
            out.push(126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
    out
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
