//! The methods of a WebSocket and of its halves.

use std::fmt;
use std::io::Read;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use super::frame::Kind;
use super::message::Message;
use super::socket::{Shared, WebSocket};
use crate::cancel::CancelToken;
use crate::error::{Error, ResponseHead, Result};
use crate::response::ConnectionInfo;
use crate::urls::Url;

/// The half of a [`WebSocket`] that receives: see [`WebSocket::split`].
pub struct WebSocketReceiver(Arc<Shared>);

/// The half of a [`WebSocket`] that sends: see [`WebSocket::split`]. Several threads may share it.
pub struct WebSocketSender(Arc<Shared>);

macro_rules! half {
    ($name:ident) => {
        impl $name {
            pub(super) fn new(shared: Arc<Shared>) -> $name {
                $name(shared)
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                self.0.leave();
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.show(stringify!($name), f)
            }
        }

        // A panic of the caller's reader ends the connection, and leaves nothing half changed.
        impl UnwindSafe for $name {}
        impl RefUnwindSafe for $name {}
    };
}

half!(WebSocketReceiver);
half!(WebSocketSender);

impl UnwindSafe for WebSocket {}
impl RefUnwindSafe for WebSocket {}

macro_rules! both {
    ($name:ident) => {
        impl $name {
            /// Closes the WebSocket with the code 1000: see [`close_with`](Self::close_with).
            ///
            /// # Errors
            /// Those of [`close_with`](Self::close_with), which this code and reason do not cause.
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// let socket = hostpool::ws_connect(&url).connect()?;
            /// assert!(socket.close()?);
            /// assert_eq!(socket.close_code(), Some(1000));
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            pub fn close(&self) -> Result<bool> {
                self.close_with(1000, "")
            }

            /// Closes the WebSocket. Sends a close frame, and waits for that of the server and for its end of the
            /// connection, for up to the [`close_timeout`](crate::WebSocketBuilder::close_timeout).
            ///
            /// Returns whether this call has closed it: false if it was closed already, or another thread is closing it.
            /// After the drop of the other half, which begins the closing, it waits for the end and returns false.
            ///
            /// A thread that waits in `receive` gets what the server sent before its close, then [`Message::Close`],
            /// then [`Message::Closed`]. If nobody receives, messages that come meanwhile are kept for whoever does, as
            /// many as one message may have bytes. A thread that is sending a long message fails at its next fragment.
            ///
            /// If the server does not answer in time, the connection is cut:
            /// [`close_code`](Self::close_code) is 1006 then, and [`exception`](Self::exception) says why.
            ///
            /// # Errors
            /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a code that is never sent, such as 1005, 1006 or
            /// 5000, and for a reason of more than 123 bytes. Nothing was sent then.
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// let socket = hostpool::ws_connect(&url).connect()?;
            /// assert!(socket.close_with(4000, "the game is over")?);
            /// // The server has answered with the same code.
            /// assert_eq!(socket.close_code(), Some(4000));
            /// assert!(!socket.close()?, "it was closed already");
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            #[doc(alias = "close")]
            pub fn close_with(&self, code: u16, reason: &str) -> Result<bool> {
                self.0.close(code, reason)
            }

            /// Returns whether the WebSocket is closed, or being closed: by this side, by the server, or by a failure.
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// let socket = hostpool::ws_connect(&url).connect()?;
            /// assert!(!socket.is_closed());
            /// socket.close()?;
            /// assert!(socket.is_closed());
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            #[doc(alias = "closed")]
            pub fn is_closed(&self) -> bool {
                self.0.is_closed()
            }

            /// Returns the code of the server's close frame. 1005 is a frame without a code. After a failure it is 1006
            /// if the connection was lost, or else the code that the server was told. `None` before the end.
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// let socket = hostpool::ws_connect(&url).connect()?;
            /// assert_eq!(socket.close_code(), None);
            /// socket.close_with(1001, "gone for lunch")?;
            /// assert_eq!(socket.close_code(), Some(1001));
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            pub fn close_code(&self) -> Option<u16> {
                self.0.close_code()
            }

            /// Returns the failure that has ended the connection, if one has.
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// use std::time::Duration;
            ///
            /// let socket = hostpool::ws_connect(&url).close_timeout(Duration::ZERO).connect()?;
            /// socket.close()?;
            /// // The server had no time to answer.
            /// assert!(socket.exception().is_some_and(|error| error.is_timeout()));
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            pub fn exception(&self) -> Option<Error> {
                self.0.exception()
            }

            /// Returns the subprotocol that the server has chosen of those that were offered.
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// let socket = hostpool::ws_connect(&url).protocols(["chat", "mail"]).connect()?;
            /// assert_eq!(socket.protocol(), Some("chat"));
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            #[doc(alias = "subprotocol")]
            pub fn protocol(&self) -> Option<&str> {
                self.0.protocol()
            }

            /// Returns the URL of the WebSocket, after redirects.
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// let socket = hostpool::ws_connect(&url).params([("room", "7")]).connect()?;
            /// assert_eq!(socket.url().query(), Some("room=7"));
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            pub fn url(&self) -> &Url {
                self.0.url()
            }

            /// Returns the head of the response that opened the WebSocket.
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// let socket = hostpool::ws_connect(&url).connect()?;
            /// assert_eq!(socket.response().status(), 101);
            /// assert!(socket.response().headers().contains("Sec-WebSocket-Accept"));
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            #[doc(alias = "headers")]
            pub fn response(&self) -> &ResponseHead {
                self.0.response()
            }

            /// Returns the connection as it was when the WebSocket was opened.
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// let socket = hostpool::ws_connect(&url).connect()?;
            /// let connection = socket.connection().unwrap();
            /// assert!(connection.remote.unwrap().ip().is_loopback() && !connection.encrypted);
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            #[doc(alias = "get_extra_info")]
            pub fn connection(&self) -> Option<&ConnectionInfo> {
                self.0.connection()
            }
        }
    };
}

both!(WebSocket);
both!(WebSocketReceiver);
both!(WebSocketSender);

macro_rules! receives {
    ($name:ident) => {
        /// # Receiving
        impl $name {
            /// Waits for the next message: text or binary, or the end of the connection. There is no bound on the wait
            /// unless [`receive_timeout`](crate::WebSocketBuilder::receive_timeout) sets one.
            ///
            /// Pings are answered meanwhile. After the server's close it returns [`Message::Close`] once, and then
            /// [`Message::Closed`] each time. While another thread receives, it waits for its turn.
            ///
            /// # Errors
            /// - [`Timeout`](crate::ErrorKind::Timeout) with [`Bound::Receive`](crate::Bound::Receive), and
            ///   [`Cancelled`](crate::ErrorKind::Cancelled): nothing is lost, and the next call goes on.
            /// - [`WebSocket`](crate::ErrorKind::WebSocket): the server broke a rule, or the connection was lost (1006).
            /// - [`LimitExceeded`](crate::ErrorKind::LimitExceeded): a message or a frame is too long.
            /// - [`Timeout`](crate::ErrorKind::Timeout) with [`Bound::Heartbeat`](crate::Bound::Heartbeat): no answer to
            ///   a ping. With [`Bound::Close`](crate::Bound::Close): a thread in `close` had no answer.
            ///
            /// But for the first, each is returned once: after it comes [`Message::Closed`].
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// use hostpool::Message;
            ///
            /// let socket = hostpool::ws_connect(&url).connect()?;
            /// socket.send_str("hello")?;
            /// assert_eq!(socket.receive()?, Message::Text("hello".into()));
            /// socket.close()?;
            /// assert!(matches!(socket.receive()?, Message::Close(frame) if frame.code == 1000));
            /// assert_eq!(socket.receive()?, Message::Closed);
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            #[doc(alias = "recv")]
            #[doc(alias = "read")]
            pub fn receive(&self) -> Result<Message> {
                self.0.receive_default()
            }

            /// Waits for the next message, at most for this long: see [`receive`](Self::receive).
            ///
            /// # Errors
            /// Those of [`receive`](Self::receive).
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// use std::time::Duration;
            ///
            /// let socket = hostpool::ws_connect(&url).connect()?;
            /// assert!(socket.receive_timeout(Duration::from_millis(10)).unwrap_err().is_timeout());
            /// // Nothing is lost by it.
            /// socket.send_str("hello")?;
            /// assert_eq!(socket.receive_str()?, "hello");
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            pub fn receive_timeout(&self, limit: Duration) -> Result<Message> {
                self.0.receive(Some(limit), None)
            }

            /// Waits for the next message until the token fires: see [`receive`](Self::receive). The WebSocket stays
            /// open, and nothing is lost.
            ///
            /// # Errors
            /// Those of [`receive`](Self::receive).
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// use hostpool::CancelToken;
            /// use std::thread;
            ///
            /// let socket = hostpool::ws_connect(&url).connect()?;
            /// let token = CancelToken::new();
            /// thread::scope(|scope| {
            ///     let reader = scope.spawn(|| socket.receive_with(&token));
            ///     token.cancel();
            ///     assert!(reader.join().unwrap().unwrap_err().is_cancelled());
            /// });
            /// socket.send_str("still open")?;
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            pub fn receive_with(&self, token: &CancelToken) -> Result<Message> {
                self.0.receive(None, Some(token))
            }

            /// Waits for the next message and returns its text.
            ///
            /// # Errors
            /// - Those of [`receive`](Self::receive).
            /// - [`ContentType`](crate::ErrorKind::ContentType) if the message is no text. It is lost.
            /// - [`Closed`](crate::ErrorKind::Closed) at the end of the connection.
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// let socket = hostpool::ws_connect(&url).connect()?;
            /// socket.send_str("hello")?;
            /// assert_eq!(socket.receive_str()?, "hello");
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            pub fn receive_str(&self) -> Result<String> {
                self.0.text(self.receive()?)
            }

            /// Waits for the next message and returns its bytes.
            ///
            /// # Errors
            /// Those of [`receive_str`](Self::receive_str), if the message is not binary.
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// let socket = hostpool::ws_connect(&url).connect()?;
            /// socket.send_bytes([1, 2, 3])?;
            /// assert_eq!(socket.receive_bytes()?, [1, 2, 3]);
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            pub fn receive_bytes(&self) -> Result<Vec<u8>> {
                self.0.binary(self.receive()?)
            }

            /// Waits for the next message and reads it as JSON. It may be text or binary.
            ///
            /// # Errors
            /// - Those of [`receive_str`](Self::receive_str).
            /// - [`Decode`](crate::ErrorKind::Decode) if it is not JSON of this type.
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// let socket = hostpool::ws_connect(&url).connect()?;
            /// socket.send_str("[1, 2]")?;
            /// assert_eq!(socket.receive_json::<Vec<u32>>()?, [1, 2]);
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            #[cfg(feature = "json")]
            pub fn receive_json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
                self.0.json(&self.receive()?)
            }

            /// Returns an iterator over the messages up to the end of the connection. It ends with the server's close,
            /// whatever its code: [`close_code`](Self::close_code) has it. A connection that was lost is an error.
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// let socket = hostpool::ws_connect(&url).connect()?;
            /// socket.send_str("hello")?;
            /// for message in socket.iter() {
            ///     assert_eq!(message?.as_bytes(), Some(&b"hello"[..]));
            ///     // The next round is the last: the iterator ends with the server's answer.
            ///     socket.close()?;
            /// }
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            #[doc(alias = "__aiter__")]
            pub fn iter(&self) -> Messages<'_> {
                Messages(&self.0, false)
            }
        }

        impl<'a> IntoIterator for &'a $name {
            type Item = Result<Message>;
            type IntoIter = Messages<'a>;

            fn into_iter(self) -> Messages<'a> {
                self.iter()
            }
        }

        impl IntoIterator for $name {
            type Item = Result<Message>;
            type IntoIter = IntoMessages<$name>;

            fn into_iter(self) -> IntoMessages<$name> {
                IntoMessages { socket: self, has_ended: false }
            }
        }

        impl Iterator for IntoMessages<$name> {
            type Item = Result<Message>;

            fn next(&mut self) -> Option<Result<Message>> {
                next(&self.socket.0, &mut self.has_ended)
            }
        }
    };
}

receives!(WebSocket);
receives!(WebSocketReceiver);

macro_rules! sends {
    ($name:ident) => {
        /// # Sending
        impl $name {
            /// Sends a text message. Waits while the connection has no room; a message of more than 128 KiB leaves in
            /// fragments.
            ///
            /// # Errors
            /// - [`Closed`](crate::ErrorKind::Closed) after a close of either side; the failure that has ended the
            ///   connection, after one.
            /// - [`Timeout`](crate::ErrorKind::Timeout) with [`Bound::Write`](crate::Bound::Write) if a
            ///   [`send_timeout`](crate::WebSocketBuilder::send_timeout) is set, and
            ///   [`Cancelled`](crate::ErrorKind::Cancelled). The WebSocket can be used again only if nothing of the message
            ///   had left: see [`is_closed`](Self::is_closed).
            /// - [`WebSocket`](crate::ErrorKind::WebSocket) with 1006 if the connection is lost.
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// let socket = hostpool::ws_connect(&url).connect()?;
            /// socket.send_str("hello")?;
            /// assert_eq!(socket.receive_str()?, "hello");
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            #[doc(alias = "send")]
            pub fn send_str(&self, text: &str) -> Result<()> {
                self.0.send(Kind::Text, text.as_bytes())
            }

            /// Sends a binary message: see [`send_str`](Self::send_str).
            ///
            /// # Errors
            /// Those of [`send_str`](Self::send_str).
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// let socket = hostpool::ws_connect(&url).connect()?;
            /// socket.send_bytes(b"hello")?;
            /// assert_eq!(socket.receive_bytes()?, b"hello");
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            pub fn send_bytes(&self, bytes: impl AsRef<[u8]>) -> Result<()> {
                self.0.send(Kind::Binary, bytes.as_ref())
            }

            /// Sends a value as a text message in JSON.
            ///
            /// # Errors
            /// - Those of [`send_str`](Self::send_str).
            /// - [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the value cannot be written. Nothing was sent.
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// let socket = hostpool::ws_connect(&url).connect()?;
            /// socket.send_json(&[1, 2])?;
            /// assert_eq!(socket.receive_str()?, "[1,2]");
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            #[cfg(feature = "json")]
            pub fn send_json<T: serde::Serialize + ?Sized>(&self, value: &T) -> Result<()> {
                self.0.send_json(value)
            }

            /// Sends one binary message with all that a reader gives, and returns its length. It leaves in fragments of
            /// 128 KiB, so memory does not grow with it. Other messages wait for its end; pings and pongs do not.
            ///
            /// # Errors
            /// - Those of [`send_str`](Self::send_str).
            /// - [`BodyRead`](crate::ErrorKind::BodyRead) if the reader fails. If a part of the message had left, the
            ///   connection is closed, so that the server does not take it for the whole.
            ///
            /// ```no_run
            /// # let socket = hostpool::Session::new().ws_connect("wss://www.example.com/").connect()?;
            /// socket.send_bytes_from(std::fs::File::open("film.mp4")?)?;
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            pub fn send_bytes_from(&self, mut reader: impl Read) -> Result<u64> {
                self.0.send_from(Kind::Binary, &mut reader)
            }

            /// Sends one text message with all that a reader gives: see [`send_bytes_from`](Self::send_bytes_from).
            ///
            /// # Errors
            /// - Those of [`send_bytes_from`](Self::send_bytes_from).
            /// - [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the reader gives bytes that are not UTF-8.
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// let socket = hostpool::ws_connect(&url).connect()?;
            /// let reader = "any reader of text".as_bytes();
            /// assert_eq!(socket.send_str_from(reader)?, 18);
            /// assert_eq!(socket.receive_str()?, "any reader of text");
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            pub fn send_str_from(&self, mut reader: impl Read) -> Result<u64> {
                self.0.send_from(Kind::Text, &mut reader)
            }

            /// Sends a ping with a payload of at most 125 bytes. It may go between the fragments of a message.
            ///
            /// The pong is seen by a thread in `receive`, which does not return it unless
            /// [`autoping`](crate::WebSocketBuilder::autoping) is off.
            ///
            /// # Errors
            /// - Those of [`send_str`](Self::send_str).
            /// - [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a longer payload.
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// use hostpool::Message;
            ///
            /// let socket = hostpool::ws_connect(&url).autoping(false).connect()?;
            /// socket.ping("are you there?")?;
            /// assert_eq!(socket.receive()?, Message::Pong(b"are you there?".to_vec()));
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            pub fn ping(&self, payload: impl AsRef<[u8]>) -> Result<()> {
                self.0.send_control(Kind::Ping, payload.as_ref())
            }

            /// Sends a pong with a payload of at most 125 bytes. Pings are answered without it, unless
            /// [`autoping`](crate::WebSocketBuilder::autoping) is off.
            ///
            /// # Errors
            /// Those of [`ping`](Self::ping).
            ///
            /// ```
            /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_websocket.rs")); }
            /// # let url = example::echo();
            /// let socket = hostpool::ws_connect(&url).connect()?;
            /// // Nobody has asked: some servers want it as a sign of life.
            /// socket.pong("")?;
            /// # Ok::<(), hostpool::Error>(())
            /// ```
            pub fn pong(&self, payload: impl AsRef<[u8]>) -> Result<()> {
                self.0.send_control(Kind::Pong, payload.as_ref())
            }
        }
    };
}

sends!(WebSocket);
sends!(WebSocketSender);

/// The messages of a borrowed WebSocket: see [`WebSocket::iter`].
pub struct Messages<'a>(&'a Arc<Shared>, bool);

/// The messages of a WebSocket or of its receiving half.
#[derive(Debug)]
pub struct IntoMessages<T> {
    socket: T,
    has_ended: bool,
}

impl Iterator for Messages<'_> {
    type Item = Result<Message>;

    fn next(&mut self) -> Option<Result<Message>> {
        next(self.0, &mut self.1)
    }
}

impl std::iter::FusedIterator for Messages<'_> {}

impl fmt::Debug for Messages<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").finish_non_exhaustive()
    }
}

fn next(shared: &Arc<Shared>, has_ended: &mut bool) -> Option<Result<Message>> {
    if *has_ended {
        return None;
    }
    match shared.receive_default() {
        Ok(Message::Close(_) | Message::Closed) => {
            *has_ended = true;
            None
        }
        other => Some(other),
    }
}
