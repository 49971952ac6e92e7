//! The WebSocket.

use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::core::Core;
use super::frame::Kind;
use super::message::Message;
use super::sending::control;
use super::settings::Opened;
use crate::cancel::CancelToken;
use crate::error::{Bound, Error, ErrorKind, Phase, ResponseHead, Result};
use crate::net::duplex::Duplex;
use crate::response::ConnectionInfo;
use crate::time::{Deadline, Until};
use crate::urls::Url;

/// A WebSocket: messages in both directions at once, from any threads.
///
/// One thread may wait in [`receive`](Self::receive) while others send: none of them waits for another one's direction.
/// Share it by reference, by an [`Arc`], or [`split`](Self::split) it into halves that threads own.
///
/// **Every WebSocket needs a reader.** Pings are answered, closes are replied to and the connection's end is noticed by a
/// thread inside `receive`, because the crate starts no threads. A thread that only sends may wait in `receive` in
/// between, with a [timeout](Self::receive_timeout).
///
/// - **Order**: the messages of one thread arrive in the order in which it sends them. Messages of several threads are
///   not mixed.
/// - **Stopping**: [`close`](Self::close) from any thread wakes a thread in `receive`, which then returns
///   [`Message::Close`]. A `receive` that ends by its timeout or its token has lost nothing, and the next one goes on. A
///   send that ends inside a message closes the connection: the server could not tell where the next message begins.
/// - **Limits**: a message of more than 64 MiB, or a frame of more than 16 MiB, ends the connection with the close code
///   1009. What is announced counts, and memory follows what has come.
/// - **Dropping** it sends a close frame with the code 1001 if that fits at once, and never waits.
///
/// ```no_run
/// use hostpool::{Message, Session};
///
/// let socket = Session::new().ws_connect("wss://www.example.com/chat").connect()?;
/// socket.send_str("hello")?;
/// for message in &socket {
///     match message? {
///         Message::Text(text) => println!("{text}"),
///         other => println!("{other:?}"),
///     }
/// }
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "ClientWebSocketResponse")]
#[doc(alias = "WebSocketStream")]
pub struct WebSocket(pub(super) Arc<Shared>);

/// A connection with what the handshake has found.
pub(super) struct Shared {
    core: Core<Duplex>,
    url: Url,
    protocol: Option<String>,
    head: ResponseHead,
    connection: Option<ConnectionInfo>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.core.abandon();
    }
}

impl Shared {
    /// Adds to an error which connection it is about.
    fn about(&self, error: Error) -> Error {
        error.with_request(&Method::GET, &self.url)
    }

    pub(super) fn receive(&self, limit: Option<Duration>, token: Option<&CancelToken>) -> Result<Message> {
        let until = Until::from(Deadline::NEVER.or_within(limit, Bound::Receive));
        // A token of this call stands for the one of the request.
        let until = match token.or(self.core.token.as_ref()) {
            Some(token) => until.with_token(token),
            None => until,
        };
        self.core.receive(until).map_err(|error| self.about(error))
    }

    pub(super) fn receive_default(&self) -> Result<Message> {
        self.receive(self.core.settings.receive_timeout, None)
    }

    pub(super) fn send(&self, kind: Kind, message: &[u8]) -> Result<()> {
        self.core.send(kind, message).map_err(|error| self.about(error))
    }

    pub(super) fn send_from(&self, kind: Kind, reader: &mut dyn Read) -> Result<u64> {
        self.core.send_from(kind, reader).map_err(|error| self.about(error))
    }

    pub(super) fn send_control(&self, kind: Kind, payload: &[u8]) -> Result<()> {
        let sent = control(payload).and_then(|payload| self.core.send_control(kind, &payload));
        sent.map_err(|error| self.about(error))
    }

    pub(super) fn close(&self, code: u16, reason: &str) -> Result<bool> {
        self.core.close(code, reason).map_err(|error| self.about(error))
    }

    /// One half is gone.
    pub(super) fn leave(&self) {
        self.core.leave(super::closing::GOING_AWAY);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.core.board.lock().refuses_data()
    }

    pub(super) fn close_code(&self) -> Option<u16> {
        self.core.close_code()
    }

    pub(super) fn exception(&self) -> Option<Error> {
        let failure = self.core.board.lock().failed().cloned();
        failure.map(|failure| self.about(failure.error()))
    }

    pub(super) fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn response(&self) -> &ResponseHead {
        &self.head
    }

    pub(super) fn connection(&self) -> Option<&ConnectionInfo> {
        self.connection.as_ref()
    }

    pub(super) fn show(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("url", &self.url)
            .field("protocol", &self.protocol)
            .field("closed", &self.is_closed())
            .field("close_code", &self.close_code())
            .finish_non_exhaustive()
    }

    /// Returns a message as the text that the caller expects.
    pub(super) fn text(&self, message: Message) -> Result<String> {
        match message {
            Message::Text(text) => Ok(text),
            other => Err(self.other(&other, "a text message")),
        }
    }

    pub(super) fn binary(&self, message: Message) -> Result<Vec<u8>> {
        match message {
            Message::Binary(bytes) => Ok(bytes),
            other => Err(self.other(&other, "a binary message")),
        }
    }

    fn other(&self, message: &Message, expected: &str) -> Error {
        let reason = match message {
            Message::Close(frame) => ErrorKind::Closed.because(format!("the server closed the WebSocket: {frame}")),
            Message::Closed => ErrorKind::Closed.because("the WebSocket is closed"),
            other => ErrorKind::ContentType.because(format!("{} came in place of {expected}", other.word())),
        };
        self.about(Error::new(reason, Phase::Upgraded))
    }

    #[cfg(feature = "json")]
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self, message: &Message) -> Result<T> {
        let Some(bytes) = message.as_bytes() else { return Err(self.other(message, "JSON")) };
        serde_json::from_slice(bytes)
            .map_err(|error| self.about(Error::new(ErrorKind::Decode, Phase::Upgraded).with_source(error)))
    }

    #[cfg(feature = "json")]
    pub(super) fn send_json<T: serde::Serialize + ?Sized>(&self, value: &T) -> Result<()> {
        let text = serde_json::to_vec(value).map_err(|error| {
            self.about(Error::request("the value cannot be written as JSON").with_own_source(error))
        })?;
        self.send(Kind::Text, &text)
    }
}

impl WebSocket {
    /// Takes over the connection of a handshake that has succeeded.
    pub(crate) fn open(stream: Duplex, opened: Opened) -> WebSocket {
        let Opened { settings, url, protocol, agreed, token, head, connection } = opened;
        let core = Core::new(stream, settings, agreed, token);
        WebSocket(Arc::new(Shared { core, url, protocol, head, connection }))
    }

    /// Splits the WebSocket into a half that receives and one that sends, which threads can own.
    ///
    /// Both can close it. Dropping one half sends a close frame with the code 1001 if that fits at once: a WebSocket
    /// whose half is gone is of no use. The other half receives what still comes, then the server's close; or its sends
    /// fail. If the close does not come within the [`close_timeout`](crate::WebSocketBuilder::close_timeout), the
    /// connection is cut.
    ///
    /// ```no_run
    /// use hostpool::Session;
    ///
    /// let socket = Session::new().ws_connect("wss://www.example.com/chat").connect()?;
    /// let (receiver, sender) = socket.split();
    /// let reader = std::thread::spawn(move || {
    ///     for message in receiver {
    ///         println!("{:?}", message?);
    ///     }
    ///     Ok::<(), hostpool::Error>(())
    /// });
    /// sender.send_str("hello")?;
    /// sender.close()?;
    /// reader.join().unwrap()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn split(self) -> (super::WebSocketReceiver, super::WebSocketSender) {
        (super::WebSocketReceiver::new(self.0.clone()), super::WebSocketSender::new(self.0))
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show("WebSocket", f)
    }
}
