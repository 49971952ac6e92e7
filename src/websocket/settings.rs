//! What a WebSocket is opened with.

use std::time::Duration;

use super::decoder::Bounds;
use super::deflate::Agreed;
use crate::cancel::CancelToken;
use crate::error::ResponseHead;
use crate::limits::Limits;
use crate::response::ConnectionInfo;
use crate::urls::Url;

/// The time for the closing handshake, as in aiohttp.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The most frames of one message. A message of 4 MiB in frames of 64 bytes has 65,536.
const FRAGMENTS: u64 = 131_072;

/// The caller's settings of one WebSocket.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The longest closing handshake, from the call of `close` on.
    pub(crate) close_timeout: Duration,
    /// The longest wait for a message. `None` waits without bound.
    pub(crate) receive_timeout: Option<Duration>,
    /// The longest wait of a send for room. `None` waits without bound.
    pub(crate) send_timeout: Option<Duration>,
    /// How long the peer may be silent before it gets a ping, and how long its answer may take.
    pub(crate) heartbeat: Option<Duration>,
    /// A close frame of the peer is answered by itself.
    pub(crate) autoclose: bool,
    /// A ping of the peer is answered by itself.
    pub(crate) autoping: bool,
    /// Ends every wait.
    pub(crate) token: Option<CancelToken>,
    /// The client's limits.
    pub(crate) limits: Limits,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            close_timeout: CLOSE_TIMEOUT,
            receive_timeout: None,
            send_timeout: None,
            heartbeat: None,
            autoclose: true,
            autoping: true,
            token: None,
            limits: Limits::new(),
        }
    }
}

impl Settings {
    pub(super) fn bounds(&self) -> Bounds {
        Bounds { frame: self.limits.max_frame, message: self.limits.max_message, fragments: FRAGMENTS }
    }
}

/// The result of the handshake.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The subprotocol that the server has chosen.
    pub(crate) protocol: Option<String>,
    /// The compression that both sides have agreed on.
    pub(crate) agreed: Option<Agreed>,
    pub(crate) settings: Settings,
    /// The URL of the last request of the handshake.
    pub(crate) url: Url,
    /// The 101.
    pub(crate) head: ResponseHead,
    pub(crate) connection: ConnectionInfo,
}
