//! What is offered and what is agreed on (RFC 7692, sections 5 and 7.1).

use super::{Deflater, Inflater};

/// How messages are compressed: permessage-deflate (RFC 7692).
///
/// It is offered only if it is asked for. The server decides whether messages are compressed, and with which sizes.
///
/// Each direction keeps up to 300 KiB of memory from its first compressed message on, unless its window is made smaller
/// or given up after each message.
///
/// ```
/// use hostpool::PerMessageDeflate;
///
/// let small = PerMessageDeflate::new().client_max_window_bits(10).server_no_context_takeover(true);
/// assert_ne!(small, PerMessageDeflate::new());
/// ```
#[doc(alias = "permessage-deflate")]
#[doc(alias = "compress")]
#[doc(alias = "ClientCompressionFactory")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it does nothing until it is given to a WebSocket"]
pub struct PerMessageDeflate {
    level: u32,
    client_bits: u8,
    server_bits: Option<u8>,
    client_takeover: bool,
    server_takeover: bool,
}

/// The largest window, which is also the default: 2^15 bytes.
const MOST: u8 = 15;

/// What both sides have agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    level: u32,
    client_bits: u8,
    client_takeover: bool,
    server_takeover: bool,
}

impl PerMessageDeflate {
    /// Returns the defaults: level 6, windows of 32 KiB, which stay from one message to the next.
    pub const fn new() -> PerMessageDeflate {
        PerMessageDeflate {
            level: 6,
            client_bits: MOST,
            server_bits: None,
            client_takeover: true,
            server_takeover: true,
        }
    }

    /// Sets the effort for sent messages, from 1 (fast) to 9 (small). Default: 6. Other numbers are moved into this
    /// range.
    pub const fn level(self, level: u32) -> PerMessageDeflate {
        let level = if level < 1 {
            1
        } else if level > 9 {
            9
        } else {
            level
        };
        PerMessageDeflate { level, ..self }
    }

    /// Sets the window for sent messages: 2^`bits` bytes, from 9 to 15. Default: 15. Other numbers are moved into this
    /// range. The server may ask for a smaller one.
    pub const fn client_max_window_bits(self, bits: u8) -> PerMessageDeflate {
        PerMessageDeflate { client_bits: within(bits), ..self }
    }

    /// Asks the server for a window of 2^`bits` bytes for the messages that it sends, from 9 to 15. Nothing is asked
    /// for by default: some servers refuse the whole handshake then. Other numbers are moved into this range.
    pub const fn server_max_window_bits(self, bits: u8) -> PerMessageDeflate {
        PerMessageDeflate { server_bits: Some(within(bits)), ..self }
    }

    /// Sets whether the window for sent messages is given up after each message: it costs less memory, and compresses
    /// less. Default: no. The server may ask for it, too.
    pub const fn client_no_context_takeover(self, gives_up: bool) -> PerMessageDeflate {
        PerMessageDeflate { client_takeover: !gives_up, ..self }
    }

    /// Asks the server to give up its window after each message. Default: no.
    pub const fn server_no_context_takeover(self, gives_up: bool) -> PerMessageDeflate {
        PerMessageDeflate { server_takeover: !gives_up, ..self }
    }

    /// Returns the value of the field Sec-WebSocket-Extensions.
    ///
    /// What the caller wants comes first, and the plain offer after it: a server takes the first that it can.
    pub(crate) fn offer(&self) -> String {
        const PLAIN: &str = "permessage-deflate; client_max_window_bits";
        let mut wanted = String::from(PLAIN);
        if self.client_bits < MOST {
            wanted.push_str(&format!("={}", self.client_bits));
        }
        if let Some(bits) = self.server_bits {
            wanted.push_str(&format!("; server_max_window_bits={bits}"));
        }
        if !self.client_takeover {
            wanted.push_str("; client_no_context_takeover");
        }
        if !self.server_takeover {
            wanted.push_str("; server_no_context_takeover");
        }
        if wanted != PLAIN {
            wanted.push_str(", ");
            wanted.push_str(PLAIN);
        }
        wanted
    }

    /// Returns what the server's Sec-WebSocket-Extensions agrees to, or `None` if it compresses nothing. `answer` is the
    /// value of the field, empty without one, with several joined by commas.
    ///
    /// # Errors
    /// Says why the handshake fails (RFC 6455, section 4.1; RFC 7692, section 7.1).
    pub(crate) fn accept(&self, answer: &str) -> Result<Option<Agreed>, &'static str> {
        let extensions = split(answer, b',')?;
        let mut extensions = extensions.into_iter().filter(|extension| !extension.is_empty());
        let Some(extension) = extensions.next() else { return Ok(None) };
        if extensions.next().is_some() {
            return Err("the server uses more extensions than were offered");
        }
        let mut parts = split(extension, b';')?.into_iter();
        let is_ours = |name: &str| name.eq_ignore_ascii_case("permessage-deflate");
        if !parts.next().is_some_and(is_ours) {
            return Err("the server uses an extension that was not offered");
        }
        self.agree(parts).map(Some)
    }

    /// Reads the parameters of the answer.
    fn agree<'a>(&self, parameters: impl Iterator<Item = &'a str>) -> Result<Agreed, &'static str> {
        let (mut client_bits, mut server_bits) = (None, None);
        let (mut client_gives_up, mut server_gives_up) = (None, None);
        for parameter in parameters {
            let (name, value) = match parameter.split_once('=') {
                Some((name, value)) => (name.trim_end_matches(BLANK), Some(unquoted(value.trim_start_matches(BLANK)))),
                None => (parameter, None),
            };
            let is_new = match name.to_ascii_lowercase().as_str() {
                "client_max_window_bits" => client_bits.replace(bits(value)?).is_none(),
                "server_max_window_bits" => server_bits.replace(bits(value)?).is_none(),
                "client_no_context_takeover" => client_gives_up.replace(flag(value)?).is_none(),
                "server_no_context_takeover" => server_gives_up.replace(flag(value)?).is_none(),
                _ => return Err("the server's permessage-deflate has an unknown parameter"),
            };
            if !is_new {
                return Err("the server's permessage-deflate has a parameter twice");
            }
        }
        Ok(Agreed {
            level: self.level,
            client_bits: client_bits.unwrap_or(MOST).min(self.client_bits),
            client_takeover: self.client_takeover && client_gives_up.is_none(),
            server_takeover: server_gives_up.is_none(),
        })
    }
}

impl Default for PerMessageDeflate {
    fn default() -> PerMessageDeflate {
        PerMessageDeflate::new()
    }
}

impl Agreed {
    /// Returns the compressor, or `None` if messages are sent as they are. A window of 256 bytes is legal, and no
    /// compressor keeps to one; a message may always be sent without compression.
    pub(crate) fn deflater(&self) -> Option<Deflater> {
        (self.client_bits > 8).then(|| Deflater::new(self.client_bits, self.level, self.client_takeover))
    }

    pub(crate) fn inflater(&self) -> Inflater {
        Inflater::new(self.server_takeover)
    }
}

const BLANK: [char; 2] = [' ', '\t'];

const fn within(bits: u8) -> u8 {
    if bits < 9 {
        9
    } else if bits > MOST {
        MOST
    } else {
        bits
    }
}

/// Reads a window size: 8 to 15, without a leading zero (RFC 7692, section 7.1.2).
fn bits(value: Option<&str>) -> Result<u8, &'static str> {
    match value.map(str::as_bytes) {
        Some([digit @ b'8'..=b'9']) => Ok(digit - b'0'),
        Some([b'1', digit @ b'0'..=b'5']) => Ok(10 + digit - b'0'),
        _ => Err("a window size of the server's permessage-deflate is not 8 to 15"),
    }
}

fn flag(value: Option<&str>) -> Result<(), &'static str> {
    value.map_or(Ok(()), |_| Err("a parameter of the server's permessage-deflate has a value"))
}

/// Returns a value without its quotes. No value of this extension has anything to escape.
fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// Splits a list at each separator that stands outside of quotes.
fn split(list: &str, separator: u8) -> Result<Vec<&str>, &'static str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte == separator && !quoted => {
                parts.push(list[start..at].trim_matches(BLANK));
                start = at + 1;
            }
            _ => {}
        }
    }
    if quoted {
        return Err("the server's Sec-WebSocket-Extensions has an open quote");
    }
    parts.push(list[start..].trim_matches(BLANK));
    Ok(parts)
}

#[cfg(test)]
impl Agreed {
    pub(crate) fn client_bits(&self) -> u8 {
        self.client_bits
    }

    pub(crate) fn client_takeover(&self) -> bool {
        self.client_takeover
    }

    pub(crate) fn server_takeover(&self) -> bool {
        self.server_takeover
    }
}
