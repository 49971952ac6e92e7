//! Prepares a request: shapes its body, and refuses what would break the framing of the message.

use http::{Method, Version};

use super::shape::shape;
use crate::body::Extent;
use crate::client::request::Request;
use crate::client::terms::Terms;
use crate::dial::{Route, Via};
use crate::error::{Error, Result};
use crate::h1::encode::check_host;
use crate::headers::InvalidHeader;

/// Shapes the body as the settings say, and refuses a request whose message would be framed wrongly. The length of a
/// reader may come from the caller's Content-Length. All this is done before a connection is taken.
///
/// # Errors
///
/// - [`ErrorKind::InvalidHeader`](crate::ErrorKind::InvalidHeader) for Host, Content-Length and Transfer-Encoding that
///   are not valid or contradict the body.
/// - [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for a CONNECT without a proxy or with a body, for the
///   target `*` without OPTIONS, and for chunks in HTTP/1.0.
/// - The errors of shaping the body.
#[inline(always)]
pub(super) fn prepare(request: &mut Request, route: &Route, terms: Terms<'_>) -> Result<()> {
    if !request.headers.is_empty() {
        check_host(&request.headers)?;
    }
    request.body.prepare()?;
    shape(request, terms)?;
    if !request.headers.is_empty() {
        check_length(request)?;
    }
    if request.method == Method::CONNECT {
        check_connect(request, route)?;
    }
    // RFC 9112, section 3.2.4.
    if request.method != Method::OPTIONS && request.options().is_some_and(|options| options.server_wide) {
        return Err(Error::request("the request target * is for OPTIONS"));
    }
    // HTTP/1.0 knows no chunks (RFC 9112, section 6.1).
    if request.version == Version::HTTP_10 && request.body.extent() == Extent::Unknown {
        return Err(Error::request("HTTP/1.0 has no chunks, and needs a body whose length is known"));
    }
    Ok(())
}

/// Refuses a CONNECT that no proxy gets, and one with a body (RFC 9110, section 9.3.6).
#[cold]
fn check_connect(request: &Request, route: &Route) -> Result<()> {
    if !matches!(route.via(), Via::Forward(_)) {
        return Err(Error::request("a CONNECT is sent to an HTTP proxy, and the request has none"));
    }
    match request.body.is_empty() {
        true => Ok(()),
        false => Err(Error::request("a CONNECT has no body")),
    }
}

/// Refuses a Content-Length that differs from the length of the body. A reader gets its length from it.
fn check_length(request: &mut Request) -> Result<()> {
    let mut lengths = 0;
    for field in request.headers.iter() {
        let name = field.name();
        let refuse = |why| Err(InvalidHeader::reserved(name, why).into());
        if name.len() != 14 || !name.eq_ignore_ascii_case("content-length") {
            continue;
        }
        lengths += 1;
        if lengths > 1 {
            return refuse("is given twice");
        }
        let Some(given) = decimal(field.bytes()) else { return refuse("is not a number of bytes") };
        request.body.declare(given);
        match request.body.extent() {
            Extent::Length(length) if length == given => {}
            Extent::Nothing if given == 0 => {}
            Extent::Unknown => return refuse("contradicts the chunks that the body is sent in"),
            Extent::Length(_) | Extent::Nothing => return refuse("differs from the length of the body"),
        }
    }
    Ok(())
}

/// Returns the number that the digits give. Signs, lists and blanks are refused.
fn decimal(value: &[u8]) -> Option<u64> {
    let digits = value.iter().all(u8::is_ascii_digit).then_some(value)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Body;
    use crate::client::policy::Policy;
    use crate::urls::Url;

    /// Rows A4.3, A4.5 and A4.6 of the outbound injection table, as far as headers show them.
    #[test]
    fn framing_is_the_clients_own() {
        let table: &[(&[(&str, &str)], &str)] = &[
            (&[("Content-Length", "3")], "A4.3"),
            (&[("Content-Length", "+5")], "A4.3 sign"),
            (&[("Content-Length", "5, 5")], "A4.3 list"),
            (&[("Content-Length", "5"), ("content-length", "5")], "A4.3 twice"),
            (&[("Content-Length", "5"), ("Transfer-Encoding", "chunked")], "A4.5"),
            (&[("transfer-encoding", "chunked"), ("Content-Length", "0")], "A4.5 the other way"),
            (&[("transfer-encoding", "gzip, chunked")], "A4.5 another coding"),
            (&[("transfer-encoding", "identity")], "A4.5 no chunks"),
            (&[("transfer-encoding", "chunked"), ("Transfer-Encoding", "chunked")], "A4.5 twice"),
            (&[("Host", "a"), ("host", "b")], "A4.6 twice"),
            (&[("Host", "a/b")], "A4.6 slash"),
            (&[("Host", "u@a")], "A4.6 at"),
            (&[("Host", "a b")], "A4.6 space"),
        ];
        let prepare = |method: &str, headers: &[(&str, &str)], body: &'static str| {
            let mut request = Request::new(method.parse().unwrap(), Url::parse("http://h/").unwrap());
            headers.iter().for_each(|(name, value)| request.headers.append(name, value).unwrap());
            request.body = if body.is_empty() { Body::empty() } else { Body::from(body) };
            let route = Route::to(request.url.shared_origin());
            prepare(&mut request, &route, Terms::for_test(&Policy::default(), None))
        };
        for (headers, row) in table {
            assert!(prepare("POST", headers, "12345").is_err(), "{row}");
        }
        prepare("POST", &[("Content-Length", "5"), ("Host", "[::1]:80")], "12345").unwrap();
        assert!(prepare("CONNECT", &[], "").is_err());
    }
}
