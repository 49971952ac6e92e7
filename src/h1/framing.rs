//! How the body of a response is delimited, and whether its connection can serve again.

use http::{Method, StatusCode, Version};

use super::head::{Facts, TransferCoding};
use crate::error::Violation;

/// Where a response's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    Empty,
    Length(u64),
    Chunked,
    UntilClose,
    /// The connection now carries another protocol.
    Upgrade,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) framing: Framing,
    /// The connection may serve another request once the body has been read.
    pub(crate) reusable: bool,
}

/// Decides by RFC 9112, sections 6.3 and 9.3, about the response to a request with `method`.
pub(crate) fn decide(
    method: &Method,
    version: Version,
    status: StatusCode,
    facts: &Facts,
) -> Result<Decision, Violation> {
    let coded = facts.transfer_coding != TransferCoding::None;
    let coded_in_1_0 = coded && version != Version::HTTP_11;
    let framing = if is_upgrade(method, status) {
        Framing::Upgrade
    } else if is_empty(method, status) {
        Framing::Empty
    } else if coded_in_1_0 {
        return Err(Violation::TransferEncoding);
    } else {
        match (facts.transfer_coding, facts.content_length) {
            (TransferCoding::Chunked, _) => Framing::Chunked,
            (TransferCoding::None, Some(length)) => Framing::Length(length),
            (TransferCoding::Other, _) | (TransferCoding::None, None) => Framing::UntilClose,
        }
    };
    let persistent = !facts.close && (version == Version::HTTP_11 || facts.keep_alive);
    // Each of these is a head that an intermediary may have understood in another way (RFC 9112, sections 2.2 and 6.1).
    let doubtful = facts.bare_lf || coded_in_1_0 || (coded && facts.content_length.is_some());
    let delimited = !matches!(framing, Framing::UntilClose | Framing::Upgrade);
    Ok(Decision { framing, reusable: persistent && delimited && !doubtful })
}

/// Every 2xx to CONNECT begins a tunnel, 204 too (RFC 9110, section 9.3.6).
fn is_upgrade(method: &Method, status: StatusCode) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS || (*method == Method::CONNECT && status.is_success())
}

/// These have no body whatever their fields say, which may describe the body that another request would have got.
fn is_empty(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(content_length: Option<u64>, transfer_coding: TransferCoding, connection: &str) -> Facts {
        Facts {
            content_length,
            transfer_coding,
            close: connection.contains("close"),
            keep_alive: connection.contains("keep-alive"),
            ..Facts::default()
        }
    }

    #[test]
    fn named_rows() {
        use Framing::*;
        use TransferCoding as Te;
        const NONE: Facts = Facts {
            set_cookie: false,
            content_length: None,
            transfer_coding: Te::None,
            close: false,
            keep_alive: false,
            bare_lf: false,
            keep_alive_timeout: None,
            keep_alive_max: None,
            content_encoding: false,
        };
        let table = [
            ("length", "GET", 11, 200, facts(Some(5), Te::None, ""), Ok((Length(5), true))),
            ("length 0", "GET", 11, 200, facts(Some(0), Te::None, ""), Ok((Length(0), true))),
            ("chunked", "GET", 11, 200, facts(None, Te::Chunked, ""), Ok((Chunked, true))),
            ("A5.3", "GET", 11, 200, facts(Some(5), Te::Chunked, ""), Ok((Chunked, false))),
            ("A5.5 HEAD", "HEAD", 11, 200, facts(Some(1000), Te::None, ""), Ok((Empty, true))),
            ("A5.5 HEAD chunked", "HEAD", 11, 200, facts(None, Te::Chunked, ""), Ok((Empty, true))),
            ("A5.5 HEAD bare", "HEAD", 11, 404, NONE, Ok((Empty, true))),
            ("A5.5 204", "GET", 11, 204, facts(Some(1000), Te::None, ""), Ok((Empty, true))),
            ("A5.5 304", "GET", 11, 304, facts(Some(1000), Te::None, ""), Ok((Empty, true))),
            ("A5.5 1xx", "GET", 11, 103, facts(Some(1000), Te::None, ""), Ok((Empty, true))),
            ("205 may have a body", "GET", 11, 205, facts(Some(5), Te::None, ""), Ok((Length(5), true))),
            ("TE in 1.0", "GET", 10, 200, facts(None, Te::Chunked, ""), Err(Violation::TransferEncoding)),
            ("TE in 1.0, HEAD", "HEAD", 10, 200, facts(None, Te::Chunked, "keep-alive"), Ok((Empty, false))),
            ("TE not chunked", "GET", 11, 200, facts(None, Te::Other, ""), Ok((UntilClose, false))),
            ("TE not chunked, CL", "GET", 11, 200, facts(Some(5), Te::Other, ""), Ok((UntilClose, false))),
            ("neither", "GET", 11, 200, NONE, Ok((UntilClose, false))),
            ("neither, POST, 500", "POST", 11, 500, NONE, Ok((UntilClose, false))),
            ("A7.16", "GET", 10, 200, facts(Some(5), Te::None, ""), Ok((Length(5), false))),
            ("1.0 keep-alive", "GET", 10, 200, facts(Some(5), Te::None, "keep-alive"), Ok((Length(5), true))),
            ("1.0 both", "GET", 10, 200, facts(Some(5), Te::None, "keep-alive, close"), Ok((Length(5), false))),
            ("1.1 close", "GET", 11, 200, facts(Some(5), Te::None, "close"), Ok((Length(5), false))),
            ("1.1 both", "GET", 11, 200, facts(Some(5), Te::None, "keep-alive, close"), Ok((Length(5), false))),
            (
                "lone LF",
                "GET",
                11,
                200,
                Facts { bare_lf: true, ..facts(Some(5), Te::None, "") },
                Ok((Length(5), false)),
            ),
            ("A5.16", "GET", 11, 101, facts(Some(5), Te::None, ""), Ok((Upgrade, false))),
            ("CONNECT 200", "CONNECT", 11, 200, facts(Some(5), Te::Chunked, ""), Ok((Upgrade, false))),
            ("CONNECT 204", "CONNECT", 11, 204, NONE, Ok((Upgrade, false))),
            ("CONNECT 1.0", "CONNECT", 10, 200, NONE, Ok((Upgrade, false))),
            ("CONNECT 407", "CONNECT", 11, 407, facts(Some(5), Te::None, ""), Ok((Length(5), true))),
        ];
        for (id, method, version, status, facts, expected) in table {
            let version = if version == 10 { Version::HTTP_10 } else { Version::HTTP_11 };
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let decision = decide(&method, version, StatusCode::from_u16(status).unwrap(), &facts);
            assert_eq!(decision.map(|decision| (decision.framing, decision.reusable)), expected, "{id}");
        }
    }

    /// The rules again, in the order and the words of RFC 9112, section 6.3, and then section 9.3.
    fn expected(method: &str, minor: u8, status: u16, facts: &Facts) -> Result<Decision, Violation> {
        let te = facts.transfer_coding;
        let framing = match (method, status) {
            // Item 2, which wins over item 1 for CONNECT; 101 ends the protocol that item 1 speaks about.
            ("CONNECT", 200..300) | (_, 101) => Framing::Upgrade,
            // Item 1.
            ("HEAD", _) | (_, 100..200 | 204 | 304) => Framing::Empty,
            // Section 6.1: HTTP/1.0 has no transfer codings.
            _ if minor == 0 && te != TransferCoding::None => return Err(Violation::TransferEncoding),
            // Items 3 and 4.
            _ if te == TransferCoding::Chunked => Framing::Chunked,
            _ if te == TransferCoding::Other => Framing::UntilClose,
            // Items 6 and 8.
            _ => facts.content_length.map_or(Framing::UntilClose, Framing::Length),
        };
        let mut reusable = match (facts.close, minor, facts.keep_alive) {
            (true, _, _) => false,
            (false, 1, _) => true,
            (false, _, keep_alive) => keep_alive,
        };
        match framing {
            Framing::UntilClose | Framing::Upgrade => reusable = false,
            Framing::Empty | Framing::Length(_) | Framing::Chunked => {}
        }
        if te != TransferCoding::None && (minor == 0 || facts.content_length.is_some()) {
            reusable = false;
        }
        if facts.bare_lf {
            reusable = false;
        }
        Ok(Decision { framing, reusable })
    }

    #[test]
    fn every_combination() {
        let mut rows = 0;
        for status in 100..600_u16 {
            for bits in 0..2_u16.pow(4) {
                let bit = |n: u16| bits >> n & 1 == 1;
                let minor = u8::from(bit(0));
                let version = if minor == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
                for content_length in [None, Some(0), Some(5), Some(u64::MAX)] {
                    for transfer_coding in [TransferCoding::None, TransferCoding::Chunked, TransferCoding::Other] {
                        let facts = Facts {
                            content_length,
                            transfer_coding,
                            close: bit(1),
                            keep_alive: bit(2),
                            bare_lf: bit(3),
                            ..Facts::default()
                        };
                        for method in ["GET", "HEAD", "POST", "CONNECT", "OPTIONS", "BREW"] {
                            let parsed = Method::from_bytes(method.as_bytes()).unwrap();
                            let decision = decide(&parsed, version, StatusCode::from_u16(status).unwrap(), &facts);
                            let row = (method, minor, status, facts);
                            assert_eq!(decision, expected(method, minor, status, &facts), "{row:?}");
                            rows += 1;
                        }
                    }
                }
            }
        }
        assert_eq!(rows, 500 * 16 * 4 * 3 * 6);
    }
}
