//! Bytes in, messages out.

use super::assembly::Assembly;
use super::deflate::Inflater;
use super::fault::Fault;
use super::frame::{HEAD, Head, Kind};
use super::message::{CloseFrame, Message, Payload};

/// What a server may send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) frame: u64,
    pub(crate) message: u64,
    pub(crate) fragments: u64,
}

/// Something whole that has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Message(Message),
    Ping(Payload),
    Pong(Payload),
    Close(CloseFrame),
}

/// The reading side of a connection. It keeps its place at any byte.
#[derive(Debug)]
pub(crate) struct Decoder {
    bounds: Bounds,
    inflater: Option<Inflater>,
    /// The bytes of a head that is not complete.
    head: [u8; HEAD],
    head_len: usize,
    frame: Option<Frame>,
    message: Option<Open>,
    /// Nothing is read after a close or a broken rule (RFC 6455, section 1.4).
    over: bool,
}

/// A frame whose head has come.
#[derive(Debug)]
struct Frame {
    head: Head,
    left: u64,
    /// The payload so far, of a control frame.
    control: Payload,
}

/// A message that is not complete.
#[derive(Debug)]
struct Open {
    assembly: Assembly,
    compressed: bool,
    fragments: u64,
    /// Announced payload bytes of all frames.
    wire: u64,
}

/// How many bytes more than a message may have its compressed form may have: the heads of stored blocks.
const OVERHEAD: u64 = 64 * 1024;

impl Decoder {
    pub(crate) fn new(bounds: Bounds, inflater: Option<Inflater>) -> Decoder {
        Decoder { bounds, inflater, head: [0; HEAD], head_len: 0, frame: None, message: None, over: false }
    }

    /// Returns how many bytes the frame that is being read still has, for the size of the next receive.
    pub(crate) fn due(&self) -> u64 {
        self.frame.as_ref().map_or(0, |frame| frame.left)
    }

    /// Takes bytes from the front of `input` up to the end of the next event. Takes all of them if it returns `None`.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Fault> {
        let event = self.step(input);
        if matches!(event, Err(_) | Ok(Some(Event::Close(_)))) {
            self.over = true;
        }
        event
    }

    fn step(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Fault> {
        if self.over {
            *input = &[];
            return Ok(None);
        }
        loop {
            if self.frame.is_none() {
                let Some(head) = self.read_head(input)? else { return Ok(None) };
                self.begin(head)?;
            }
            let Some(frame) = &mut self.frame else { return Ok(None) };
            let here = usize::try_from(frame.left).map_or(input.len(), |left| left.min(input.len()));
            let (payload, rest) = input.split_at(here);
            *input = rest;
            let coming = frame.left;
            frame.left -= here as u64;
            if frame.head.kind.is_control() {
                // The head was refused if it announces more than there is room for.
                frame.control.push(payload);
            } else {
                self.take(payload, coming)?;
            }
            match self.frame.take_if(|frame| frame.left == 0) {
                Some(frame) => {
                    if let Some(event) = self.end(frame)? {
                        return Ok(Some(event));
                    }
                }
                None => return Ok(None),
            }
        }
    }

    /// Reads a head, also one that comes in parts.
    fn read_head(&mut self, input: &mut &[u8]) -> Result<Option<Head>, Fault> {
        let compresses = self.inflater.is_some();
        if self.head_len == 0
            && let Some((head, len)) = Head::read(input, compresses)?
        {
            *input = &input[len..];
            return Ok(Some(head));
        }
        while let Some((&next, rest)) = input.split_first() {
            *input = rest;
            self.head[self.head_len] = next;
            self.head_len += 1;
            if let Some((head, _)) = Head::read(&self.head[..self.head_len], compresses)? {
                self.head_len = 0;
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    /// Begins a frame. The limits are judged on what it announces.
    fn begin(&mut self, head: Head) -> Result<(), Fault> {
        if !head.kind.is_control() {
            self.begin_data(head)?;
        }
        self.frame = Some(Frame { head, left: head.len, control: Payload::default() });
        Ok(())
    }

    fn begin_data(&mut self, head: Head) -> Result<(), Fault> {
        match (head.kind, &self.message) {
            (Kind::Continuation, None) => return Err(Fault::NothingToContinue),
            (Kind::Text | Kind::Binary, Some(_)) => return Err(Fault::Interleaved),
            _ => {}
        }
        let Bounds { frame, message, fragments } = self.bounds;
        if head.len > frame {
            return Err(Fault::FrameBytes);
        }
        let open = self.message.get_or_insert_with(|| Open {
            assembly: Assembly::new(head.kind == Kind::Text, message),
            compressed: head.compressed,
            fragments: 0,
            wire: 0,
        });
        open.fragments += 1;
        open.wire = open.wire.saturating_add(head.len);
        let most = if open.compressed { message.saturating_add(OVERHEAD) } else { message };
        if open.wire > most {
            return Err(Fault::MessageBytes);
        }
        if open.fragments > fragments {
            return Err(Fault::Fragments);
        }
        Ok(())
    }

    /// Takes payload of a data frame, of which `coming` bytes were left.
    fn take(&mut self, payload: &[u8], coming: u64) -> Result<(), Fault> {
        let Some(open) = &mut self.message else { return Ok(()) };
        match &mut self.inflater {
            Some(inflater) if open.compressed => inflater.push(payload, &mut |piece| open.assembly.push(piece)),
            _ => {
                open.assembly.reserve(coming, payload.len());
                open.assembly.push(payload)
            }
        }
    }

    /// Ends a frame that is complete.
    fn end(&mut self, frame: Frame) -> Result<Option<Event>, Fault> {
        Ok(match frame.head.kind {
            Kind::Ping => Some(Event::Ping(frame.control)),
            Kind::Pong => Some(Event::Pong(frame.control)),
            Kind::Close => Some(Event::Close(CloseFrame::read(&frame.control)?)),
            Kind::Continuation | Kind::Text | Kind::Binary if !frame.head.is_final => None,
            Kind::Continuation | Kind::Text | Kind::Binary => {
                let Some(mut open) = self.message.take() else { return Ok(None) };
                if let Some(inflater) = &mut self.inflater
                    && open.compressed
                {
                    inflater.finish(&mut |piece| open.assembly.push(piece))?;
                }
                Some(Event::Message(open.assembly.finish()?))
            }
        })
    }
}
