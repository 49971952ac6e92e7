//! Decides how the body of a response is delimited, and whether its connection can be used again.

use http::{Method, StatusCode, Version};

use super::head::{Facts, TransferCoding};
use crate::error::Violation;
use crate::strictness::Strictness;

/// The way in which a response's body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// The response has no body.
    Empty,
    Length(u64),
    Chunked,
    UntilClose,
    /// The connection carries another protocol after this head.
    Upgrade,
}

/// The meaning of a head for the body and the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) framing: Framing,
    /// The connection may carry another request once the body has been read.
    pub(crate) reusable: bool,
    /// The connection would be reusable if the head had not broken a rule that is tolerated.
    pub(crate) tolerated: bool,
}

/// Decides about the response to a request with `method`, by RFC 9112, sections 6.3 and 9.3.
pub(crate) fn decide(
    method: &Method,
    version: Version,
    status: StatusCode,
    facts: &Facts,
    strictness: Strictness,
) -> Result<Decision, Violation> {
    let coded = facts.transfer_coding != TransferCoding::None;
    let coded_in_1_0 = coded && version != Version::HTTP_11;
    let framing = if is_upgrade(method, status) {
        // The next bytes belong to another protocol, so it must be certain where they begin.
        facts.tolerated.map_or(Ok(Framing::Upgrade), Err)?
    } else if is_empty(method, status) {
        Framing::Empty
    } else if coded_in_1_0 && strictness.is_strict() {
        return Err(Violation::TransferEncoding);
    } else {
        match (facts.transfer_coding, facts.content_length) {
            (TransferCoding::Chunked, _) => Framing::Chunked,
            (TransferCoding::None, Some(length)) => Framing::Length(length),
            (TransferCoding::None, None) => Framing::UntilClose,
            // This client does not decode it: the caller would get coded bytes as the content.
            (TransferCoding::Other, _) => return Err(Violation::TransferEncoding),
        }
    };
    let persistent = !facts.close && (version == Version::HTTP_11 || facts.keep_alive);
    // An intermediary may read such a head in another way (RFC 9112, sections 2.2 and 6.1).
    let doubtful = is_doubtful(facts)
        || coded_in_1_0
        || (coded && facts.content_length.is_some())
        || (status == StatusCode::NO_CONTENT && announces_body(facts));
    let delimited = !matches!(framing, Framing::UntilClose | Framing::Upgrade);
    let reusable = persistent && delimited;
    Ok(Decision { framing, reusable: reusable && !doubtful, tolerated: reusable && doubtful })
}

/// Returns whether an interim response with these facts ends the connection after the final response.
pub(crate) fn interim_ends(facts: &Facts) -> bool {
    is_doubtful(facts) || announces_body(facts)
}

fn is_doubtful(facts: &Facts) -> bool {
    facts.bare_lf || facts.mended || facts.dropped_lines > 0
}

/// Returns whether the fields announce a body. A 204 or 1xx must not do so (RFC 9110, section 8.6; RFC 9112, section
/// 6.1). Servers that do so send the body too, often a moment later, and a last chunk then looks like the start of the
/// next response. A response to HEAD and a 304 may announce the body that a GET would get.
fn announces_body(facts: &Facts) -> bool {
    facts.transfer_coding != TransferCoding::None || facts.content_length.is_some_and(|length| length > 0)
}

/// Returns whether the connection changes to another protocol. Every 2xx to CONNECT begins a tunnel, also a 204 (RFC
/// 9110, section 9.3.6).
fn is_upgrade(method: &Method, status: StatusCode) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS || (*method == Method::CONNECT && status.is_success())
}

/// Returns whether the response has no body, whatever its fields say: they may describe the body that another request
/// would get.
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
            dropped_lines: 0,
            mended: false,
            tolerated: None,
        };
        use Strictness::{Strict, Tolerant};
        let table = [
            ("length", "GET", 11, 200, facts(Some(5), Te::None, ""), Ok((Length(5), true))),
            ("length 0", "GET", 11, 200, facts(Some(0), Te::None, ""), Ok((Length(0), true))),
            ("chunked", "GET", 11, 200, facts(None, Te::Chunked, ""), Ok((Chunked, true))),
            ("A5.3", "GET", 11, 200, facts(Some(5), Te::Chunked, ""), Ok((Chunked, false))),
            ("A5.5 HEAD", "HEAD", 11, 200, facts(Some(1000), Te::None, ""), Ok((Empty, true))),
            ("A5.5 HEAD chunked", "HEAD", 11, 200, facts(None, Te::Chunked, ""), Ok((Empty, true))),
            ("A5.5 HEAD bare", "HEAD", 11, 404, NONE, Ok((Empty, true))),
            ("RW-17 204", "GET", 11, 204, NONE, Ok((Empty, true))),
            ("RW-17 204, length 0", "GET", 11, 204, facts(Some(0), Te::None, ""), Ok((Empty, true))),
            ("RW-17 204, length", "GET", 11, 204, facts(Some(1000), Te::None, ""), Ok((Empty, false))),
            ("RW-17 204, chunked", "GET", 11, 204, facts(None, Te::Chunked, ""), Ok((Empty, false))),
            ("RW-17 304, chunked", "GET", 11, 304, facts(None, Te::Chunked, ""), Ok((Empty, true))),
            ("RW-13 304, gzip", "GET", 11, 304, facts(None, Te::Other, ""), Ok((Empty, true))),
            ("RW-13 HEAD, gzip", "HEAD", 11, 200, facts(None, Te::Other, ""), Ok((Empty, true))),
            ("A5.5 304", "GET", 11, 304, facts(Some(1000), Te::None, ""), Ok((Empty, true))),
            ("A5.5 1xx", "GET", 11, 103, facts(Some(1000), Te::None, ""), Ok((Empty, true))),
            ("205 may have a body", "GET", 11, 205, facts(Some(5), Te::None, ""), Ok((Length(5), true))),
            ("TE in 1.0, HEAD", "HEAD", 10, 200, facts(None, Te::Chunked, "keep-alive"), Ok((Empty, false))),
            ("RW-13 not chunked", "GET", 11, 200, facts(None, Te::Other, ""), Err(Violation::TransferEncoding)),
            ("RW-13 not chunked, CL", "GET", 11, 200, facts(Some(5), Te::Other, ""), Err(Violation::TransferEncoding)),
            ("RW-13 not chunked, 1.0", "GET", 10, 200, facts(None, Te::Other, ""), Err(Violation::TransferEncoding)),
            (
                "RW-11 a line was left out",
                "GET",
                11,
                200,
                Facts { dropped_lines: 1, ..facts(Some(5), Te::None, "") },
                Ok((Length(5), false)),
            ),
            (
                "RW-14 mended",
                "GET",
                11,
                200,
                Facts { mended: true, ..facts(Some(5), Te::None, "") },
                Ok((Length(5), false)),
            ),
            (
                "RW-11 mended, not about framing",
                "GET",
                11,
                200,
                Facts { tolerated: Some(Violation::FieldName), ..facts(Some(5), Te::None, "") },
                Ok((Length(5), true)),
            ),
            (
                "upgrade that only a tolerant reader accepts",
                "GET",
                11,
                101,
                Facts { tolerated: Some(Violation::FieldName), ..NONE },
                Err(Violation::FieldName),
            ),
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
            for strictness in [Tolerant, Strict] {
                let decision = decide(&method, version, StatusCode::from_u16(status).unwrap(), &facts, strictness);
                assert_eq!(decision.map(|decision| (decision.framing, decision.reusable)), expected, "{id}");
            }
        }
        let in_1_0 = facts(None, Te::Chunked, "keep-alive");
        let decide = |strictness| decide(&Method::GET, Version::HTTP_10, StatusCode::OK, &in_1_0, strictness);
        assert_eq!(decide(Tolerant), Ok(Decision { framing: Chunked, reusable: false, tolerated: true }), "RW-13");
        assert_eq!(decide(Strict), Err(Violation::TransferEncoding), "RW-13");
    }

    /// The rules again, in the order and the words of RFC 9112, section 6.3, and then section 9.3.
    fn expected(
        method: &str,
        minor: u8,
        status: u16,
        facts: &Facts,
        strictness: Strictness,
    ) -> Result<Decision, Violation> {
        let te = facts.transfer_coding;
        let framing = match (method, status) {
            // Item 2, which wins over item 1 for CONNECT; 101 ends the protocol that item 1 speaks about.
            ("CONNECT", 200..300) | (_, 101) => Framing::Upgrade,
            // Item 1.
            ("HEAD", _) | (_, 100..200 | 204 | 304) => Framing::Empty,
            // Item 4, and section 7.4: no coding was asked for.
            _ if te == TransferCoding::Other => return Err(Violation::TransferEncoding),
            // Section 6.1: HTTP/1.0 has no transfer codings; some servers of it send chunks.
            _ if minor == 0 && te == TransferCoding::Chunked && strictness == Strictness::Strict => {
                return Err(Violation::TransferEncoding);
            }
            // Item 3.
            _ if te == TransferCoding::Chunked => Framing::Chunked,
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
        let mut tolerated = false;
        if reusable {
            let both = te != TransferCoding::None && (minor == 0 || facts.content_length.is_some());
            let empty = status == 204 && (te != TransferCoding::None || facts.content_length.unwrap_or(0) > 0);
            tolerated = both || empty || facts.bare_lf || facts.mended;
            reusable = !tolerated;
        }
        Ok(Decision { framing, reusable, tolerated })
    }

    #[test]
    fn every_combination() {
        let mut rows = 0;
        let statuses = (100..104).chain(199..210).chain(300..310).chain([400, 599, 600, 999]);
        for status in statuses {
            for bits in 0..2_u16.pow(6) {
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
                            mended: bit(4),
                            ..Facts::default()
                        };
                        let strictness = if bit(5) { Strictness::Strict } else { Strictness::Tolerant };
                        for method in ["GET", "HEAD", "POST", "CONNECT", "OPTIONS", "BREW"] {
                            let parsed = Method::from_bytes(method.as_bytes()).unwrap();
                            let code = StatusCode::from_u16(status).unwrap();
                            let decision = decide(&parsed, version, code, &facts, strictness);
                            let row = (method, minor, status, facts);
                            assert_eq!(decision, expected(method, minor, status, &facts, strictness), "{row:?}");
                            rows += 1;
                        }
                    }
                }
            }
        }
        assert_eq!(rows, 29 * 64 * 4 * 3 * 6);
    }
}
