//! Messages, and the end of a connection.

use std::fmt;

use tungstenite::protocol::frame::coding::CloseCode;

use super::fault::Fault;
use super::frame::CONTROL;

/// The code of a close frame without one (RFC 6455, section 7.1.5).
pub(crate) const NO_CODE: u16 = 1005;

/// The code of a connection that ended without a close frame.
pub(crate) const LOST: u16 = 1006;

/// A message of a [`WebSocket`](crate::WebSocket), or the end of the connection.
///
/// ```
/// use hostpool::Message;
///
/// fn shown(message: &Message) -> String {
///     match message {
///         Message::Text(text) => text.clone(),
///         Message::Binary(bytes) => format!("{} bytes", bytes.len()),
///         Message::Close(close) => format!("closed: {} {}", close.code, close.reason),
///         other => format!("{other:?}"),
///     }
/// }
/// assert_eq!(shown(&Message::Text("hello".into())), "hello");
/// ```
#[doc(alias = "WSMessage")]
#[doc(alias = "WSMsgType")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping. Only without [`autoping`](crate::WebSocketBuilder::autoping): otherwise pings are answered and not shown.
    Ping(Vec<u8>),
    /// A pong. Only without [`autoping`](crate::WebSocketBuilder::autoping).
    Pong(Vec<u8>),
    /// The server closes the connection, or has answered the close of this side. It comes once.
    Close(CloseFrame),
    /// The connection is closed. Each `receive` after the end returns it.
    Closed,
}

impl Message {
    /// Returns the text of a text message.
    ///
    /// ```
    /// use hostpool::Message;
    ///
    /// assert_eq!(Message::Text("hello".into()).as_text(), Some("hello"));
    /// assert_eq!(Message::Binary(vec![1]).as_text(), None);
    /// ```
    #[doc(alias = "to_text")]
    pub fn as_text(&self) -> Option<&str> {
        if let Message::Text(text) = self { Some(text) } else { None }
    }

    /// Returns the bytes of a text or binary message.
    ///
    /// ```
    /// use hostpool::Message;
    ///
    /// assert_eq!(Message::Text("hello".into()).as_bytes(), Some(&b"hello"[..]));
    /// assert_eq!(Message::Closed.as_bytes(), None);
    /// ```
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Message::Text(text) => Some(text.as_bytes()),
            Message::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns whether this is a text or binary message.
    pub fn is_data(&self) -> bool {
        self.as_bytes().is_some()
    }

    /// Returns whether this is the end of the connection: `Close` or `Closed`.
    pub fn is_close(&self) -> bool {
        matches!(self, Message::Close(_) | Message::Closed)
    }

    /// Returns the word for this kind of message.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Message::Text(_) => "a text message",
            Message::Binary(_) => "a binary message",
            Message::Ping(_) => "a ping",
            Message::Pong(_) => "a pong",
            Message::Close(_) | Message::Closed => "the end of the connection",
        }
    }
}

/// What a close frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseFrame {
    /// The code (RFC 6455, section 7.4). 1005 if the frame has none.
    pub code: u16,
    /// The reason, which may be empty.
    pub reason: String,
}

impl CloseFrame {
    /// Reads the payload of a server's close frame.
    pub(crate) fn read(payload: &[u8]) -> Result<CloseFrame, Fault> {
        let (code, reason) = match payload {
            [] => return Ok(CloseFrame { code: NO_CODE, reason: String::new() }),
            [_] => return Err(Fault::CloseLength),
            [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        };
        if !may_be_sent(code) {
            return Err(Fault::CloseCode);
        }
        match std::str::from_utf8(reason) {
            Ok(reason) => Ok(CloseFrame { code, reason: reason.to_owned() }),
            Err(_) => Err(Fault::CloseReason),
        }
    }

    /// Returns the payload of a close frame, or why it cannot be sent.
    pub(crate) fn payload(code: u16, reason: &str) -> Result<Payload, &'static str> {
        if !may_be_sent(code) {
            return Err("the close code is one that is never sent: use 1000 or 3000 to 4999");
        }
        if reason.len() > CONTROL - 2 {
            return Err("the reason of a close has more than 123 bytes");
        }
        let mut bytes = code.to_be_bytes().to_vec();
        bytes.extend_from_slice(reason.as_bytes());
        // 125 bytes at most.
        Ok(Payload::new(&bytes).unwrap_or_default())
    }
}

impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason.as_str() {
            "" => write!(f, "{}", self.code),
            reason => write!(f, "{} ({})", self.code, reason.escape_debug()),
        }
    }
}

/// Returns whether a close code may stand in a frame (section 7.4). 1012 to 1014 are registered after the RFC.
fn may_be_sent(code: u16) -> bool {
    code == 1014 || CloseCode::from(code).is_allowed()
}

/// The payload of a control frame, without an allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Payload {
    bytes: [u8; CONTROL],
    len: u8,
}

impl Payload {
    /// Returns the payload, or `None` if it is too long for a control frame.
    pub(crate) fn new(from: &[u8]) -> Option<Payload> {
        let mut payload = Payload::default();
        payload.push(from).then_some(payload)
    }

    /// Appends bytes if there is room for all of them.
    pub(crate) fn push(&mut self, from: &[u8]) -> bool {
        let start = usize::from(self.len);
        let Some(room) = self.bytes.get_mut(start..start + from.len()) else { return false };
        room.copy_from_slice(from);
        // 125 at most.
        self.len += from.len() as u8;
        true
    }
}

impl Default for Payload {
    fn default() -> Payload {
        Payload { bytes: [0; CONTROL], len: 0 }
    }
}

impl std::ops::Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len)
    }
}
