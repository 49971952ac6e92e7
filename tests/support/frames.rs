//! Frames of the WebSocket protocol (RFC 6455, section 5.2), as a server reads and writes them.
//!
//! The unit tests of the crate and its integration tests use this file, so it names nothing of either.

use std::io::{self, Read};

/// A frame of the client, without its mask.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub first: u8,
    pub payload: Vec<u8>,
}

/// Reads one frame of a client. Returns `None` at the end of the stream.
pub fn read_frame(stream: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut head = [0; 2];
    if stream.read(&mut head[..1])? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut head[1..])?;
    assert!(head[1] & 0x80 != 0, "a client masks");
    let len = match head[1] & 0x7F {
        126 => u64::from(u16::from_be_bytes(array(stream)?)),
        127 => u64::from_be_bytes(array(stream)?),
        len => u64::from(len),
    };
    let mask: [u8; 4] = array(stream)?;
    let mut payload = vec![0; usize::try_from(len).unwrap()];
    stream.read_exact(&mut payload)?;
    payload.iter_mut().zip(mask.into_iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Ok(Some(Frame { first: head[0], payload }))
}

fn array<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut array = [0; N];
    stream.read_exact(&mut array)?;
    Ok(array)
}

/// Returns the bytes of a server's frame.
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
