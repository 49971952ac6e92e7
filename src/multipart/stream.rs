//! The bytes of a form, part by part.

use std::io;

use crate::body::{Body, Composite, Input};
use crate::error::{Error, Result};

pub(super) struct Stream {
    /// `--` and the boundary.
    line: String,
    parts: Vec<Piece>,
    /// The index of the part that is being sent. After the last part comes the end of the form.
    part: usize,
    /// How many bytes of the part's head were sent. After the last part, how many of the end.
    head_sent: usize,
    end: String,
}

/// A part: all that precedes its content, and the content.
struct Piece {
    head: Vec<u8>,
    content: Input,
}

impl Stream {
    pub(super) fn new(line: &str) -> Stream {
        Stream { line: line.into(), parts: Vec::new(), part: 0, head_sent: 0, end: format!("{line}--\r\n") }
    }

    pub(super) fn push(&mut self, head: Vec<u8>, body: Body) -> Result<()> {
        let before = if self.parts.is_empty() { "" } else { "\r\n" };
        let head = [before.as_bytes(), self.line.as_bytes(), b"\r\n", &head].concat();
        self.parts.push(Piece { head, content: body.into_input()? });
        self.end = format!("\r\n{}--\r\n", self.line);
        Ok(())
    }
}

impl Composite for Stream {
    fn prepare(&mut self) -> Result<Option<u64>> {
        let mut total = Some(self.end.len() as u64);
        let too_long = || Error::request("the parts of a form are longer than 64 bits can say");
        for piece in &mut self.parts {
            piece.content.prepare()?;
            total = match (total, piece.content.length()) {
                (Some(total), Some(length)) => {
                    let length = length.checked_add(piece.head.len() as u64);
                    Some(length.and_then(|length| total.checked_add(length)).ok_or_else(too_long)?)
                }
                _ => None,
            };
        }
        Ok(total)
    }

    /// Fills the buffer without asking a reader twice: a second `read` may have to wait, and the bytes of the first
    /// leave at once.
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            let piece = self.parts.get_mut(self.part);
            let head = piece.as_ref().map_or(self.end.as_bytes(), |piece| &piece.head);
            let head = &head[self.head_sent..];
            let len = head.len().min(buf.len() - filled);
            buf[filled..][..len].copy_from_slice(&head[..len]);
            self.head_sent += len;
            filled += len;
            let Some(piece) = piece.filter(|_| filled < buf.len()) else { break };
            let len = piece.content.pull(&mut buf[filled..])?;
            filled += len;
            if len == 0 {
                (self.part, self.head_sent) = (self.part + 1, 0);
            } else if !piece.content.is_at_hand() {
                break;
            }
        }
        Ok(filled)
    }

    fn can_restart(&self) -> bool {
        self.parts.iter().all(|piece| piece.content.can_restart())
    }

    fn restart(&mut self) -> io::Result<()> {
        (self.part, self.head_sent) = (0, 0);
        self.parts.iter_mut().try_for_each(|piece| piece.content.restart())
    }

    fn try_clone(&self) -> Option<Box<dyn Composite>> {
        let clone = |piece: &Piece| Some(Piece { head: piece.head.clone(), content: piece.content.try_clone()? });
        let parts = self.parts.iter().map(clone).collect::<Option<_>>()?;
        Some(Box::new(Stream { line: self.line.clone(), parts, part: 0, head_sent: 0, end: self.end.clone() }))
    }
}
