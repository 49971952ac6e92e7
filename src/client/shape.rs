//! What the settings of a request make of its body: another charset, a coding, chunks.
//!
//! This is done when the request is sent, and not as the settings are given: so their order does not matter, and what
//! middleware and hooks have changed counts. A body that was shaped before, for the hop before, stays as it is.

use std::borrow::Cow;

use super::policy::Policy;
use super::request::Request;
use super::urlencoded;
use crate::body::{Body, Chunking, Coding, Compress, Content, encode_text};
use crate::error::{Error, Result};
use crate::headers::{Headers, InvalidHeader};

/// Before the body's length is looked at.
pub(super) fn shape(request: &mut Request, policy: &Policy) -> Result<()> {
    let asked = asks_for_chunks(&request.headers)?;
    // Nearly all requests.
    if request.body.is_empty() && !asked && request.options().is_none() {
        return Ok(());
    }
    encode(request)?;
    compress(request, policy)?;
    let (chunking, progress) = match request.options() {
        Some(options) => (options.chunking, options.progress.clone()),
        None => (Chunking::AsNeeded, None),
    };
    let chunking = if asked && chunking == Chunking::AsNeeded { Chunking::Always } else { chunking };
    if chunking != Chunking::AsNeeded {
        request.body.set_chunking(chunking)?;
    }
    if progress.is_some() {
        request.body.set_progress(progress);
    }
    Ok(())
}

/// A Transfer-Encoding of the caller's may say one thing: the client frames the body.
fn asks_for_chunks(headers: &Headers) -> Result<bool> {
    let mut codings = headers.iter().filter(|field| field.name().eq_ignore_ascii_case("transfer-encoding"));
    let refuse = |name, why| Err(InvalidHeader::reserved(name, why).into());
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        (Some(_), Some(second)) => refuse(second.name(), "is given twice"),
        (Some(only), None) if !only.bytes().eq_ignore_ascii_case(b"chunked") => {
            refuse(only.name(), "may only be chunked: the client frames the body")
        }
        _ if headers.contains("content-length") => refuse("Transfer-Encoding", "contradicts Content-Length"),
        _ => Ok(true),
    }
}

/// Puts a text or a form in the charset that was asked for.
fn encode(request: &mut Request) -> Result<()> {
    let label = request.options().and_then(|options| options.encoding.clone());
    let Some(label) = label.filter(|_| request.body.coding().is_none()) else { return Ok(()) };
    let content = request.body.content();
    let text = request.body.as_bytes().and_then(|bytes| str::from_utf8(bytes).ok());
    let (bytes, media, charset) = match (content, text) {
        (Content::Text, Some(text)) => {
            let (bytes, charset) = encode_text(text, &label)?;
            (bytes, "text/plain", charset)
        }
        (Content::Form, Some(form)) => {
            let (form, charset) = urlencoded::recode(form, &label)?;
            (form.into_bytes(), "application/x-www-form-urlencoded", charset)
        }
        _ => return Ok(()),
    };
    // UTF-8 is what everybody takes a form for.
    if content == Content::Text || charset != "utf-8" {
        request.content_type = Some(Cow::Owned(format!("{media}; charset={charset}")));
    }
    request.body = Body::from(bytes);
    Ok(())
}

fn compress(request: &mut Request, policy: &Policy) -> Result<()> {
    if request.body.is_empty() || request.body.coding().is_some() {
        return Ok(());
    }
    let asked = match request.options().map_or(Compress::Auto, |options| options.compress) {
        Compress::Off => return Ok(()),
        // Who speaks through a pool says what a body is, and sends it as it is.
        Compress::Auto if !policy.compresses => return Ok(()),
        Compress::Auto => None,
        Compress::Deflate => Some(Coding::Deflate),
        Compress::Gzip => Some(Coding::Gzip),
    };
    let coding = match (asked, named(&request.headers, &policy.fields.headers)?) {
        (None, None) => return Ok(()),
        (None, Some(name)) if name.eq_ignore_ascii_case(b"identity") => return Ok(()),
        (None, Some(name)) => Coding::of(name).ok_or_else(unknown)?,
        (Some(asked), None) => asked,
        (Some(asked), Some(name)) if Coding::of(name) == Some(asked) => asked,
        (Some(_), Some(_)) => {
            return Err(Error::request("Content-Encoding names another coding than the body is to be compressed with"));
        }
    };
    request.body = std::mem::take(&mut request.body).compress(coding)?;
    Ok(())
}

/// What the header says that the body is coded in, the request's own or else the client's.
fn named<'a>(own: &'a Headers, others: &'a Headers) -> Result<Option<&'a [u8]>> {
    let name = "content-encoding";
    let mut fields = if own.contains(name) { own } else { others }.values(name);
    match (fields.next(), fields.next()) {
        (field, None) => Ok(field),
        _ => Err(unknown()),
    }
}

fn unknown() -> Error {
    let why = "Content-Encoding names no single coding of gzip and deflate, which bodies are compressed with; \
        Compress::Off is for what is compressed already";
    Error::request(why)
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::body::Extent;
    use crate::error::ErrorKind;
    use crate::url::Url;

    fn request(body: Body, headers: &[(&str, &str)]) -> Request {
        let mut request = Request::new(Method::POST, Url::parse("http://h/").unwrap());
        for (name, value) in headers {
            request.headers.append(name, value).unwrap();
        }
        request.body = body;
        request
    }

    fn session() -> Policy {
        Policy { compresses: true, ..Policy::default() }
    }

    fn shaped(mut request: Request) -> Result<Request> {
        shape(&mut request, &session())?;
        Ok(request)
    }

    #[cfg(feature = "gzip")]
    type Row<'a> = (&'a str, Compress, Option<&'a str>, Result<Option<Coding>, ()>);

    #[test]
    #[cfg(feature = "gzip")]
    fn when_a_body_is_compressed() {
        use Compress::{Auto, Deflate, Gzip, Off};
        let (gzip, deflate) = (Ok(Some(Coding::Gzip)), Ok(Some(Coding::Deflate)));
        let table: [Row<'_>; 15] = [
            ("B74", Deflate, None, deflate),
            ("gzip", Gzip, None, gzip),
            ("the same twice", Gzip, Some("GZIP"), gzip),
            ("B76", Off, Some("gzip"), Ok(None)),
            ("B76 any coding", Off, Some("br"), Ok(None)),
            ("off", Off, None, Ok(None)),
            ("B77", Auto, Some("gzip"), gzip),
            ("B77 deflate", Auto, Some("deflate"), deflate),
            ("auto", Auto, None, Ok(None)),
            ("identity", Auto, Some("identity"), Ok(None)),
            ("B79", Auto, Some("br"), Err(())),
            ("B79 two", Auto, Some("gzip, deflate"), Err(())),
            ("B79 none", Auto, Some(""), Err(())),
            ("another", Gzip, Some("deflate"), Err(())),
            ("identity, said otherwise", Gzip, Some("identity"), Err(())),
        ];
        for (row, compress, header, expected) in table {
            let headers: Vec<_> = header.map(|value| ("content-encoding", value)).into_iter().collect();
            let of_a_client = |request: &mut Request| {
                let mut policy = session();
                std::mem::swap(&mut policy.fields.headers, &mut request.headers);
                shape(request, &policy)
            };
            for own in [true, false] {
                let mut request = request(Body::from("text"), &headers);
                request.options_mut().compress = compress;
                let result = match own {
                    true => shape(&mut request, &session()),
                    false => of_a_client(&mut request),
                };
                if let Err(error) = &result {
                    assert!(matches!(error.kind(), ErrorKind::InvalidRequest(_)), "{row}");
                }
                assert_eq!(result.map(|()| request.body.coding()).map_err(drop), expected, "{row}");
                // The hop after a redirect.
                if expected.is_ok() {
                    shape(&mut request, &session()).unwrap();
                    assert_eq!(Ok(request.body.coding()), expected, "{row}");
                }
            }
        }
        // What goes through a pool is sent as it is, whatever the header says.
        let mut through_a_pool = request(Body::from("text"), &[("content-encoding", "br")]);
        shape(&mut through_a_pool, &Policy::default()).unwrap();
        assert_eq!(through_a_pool.body.coding(), None);
        for empty in [Body::empty(), Body::from("")] {
            let mut request = request(empty, &[("Content-Encoding", "br")]);
            *request.compress_mut() = Gzip;
            assert_eq!(shaped(request).unwrap().body.coding(), None);
        }
        let twice = [("Content-Encoding", "gzip"), ("Content-Encoding", "gzip")];
        assert!(shaped(request(Body::from("text"), &twice)).is_err());
    }

    #[test]
    #[cfg(not(feature = "gzip"))]
    fn compressing_needs_the_feature() {
        let mut asked = request(Body::from("text"), &[]);
        *asked.compress_mut() = Compress::Gzip;
        for request in [asked, request(Body::from("text"), &[("Content-Encoding", "gzip")])] {
            assert!(matches!(shaped(request).unwrap_err().kind(), ErrorKind::Unsupported(_)));
        }
    }

    /// RQ-11: the charset is put on texts and forms once, whatever else they become.
    #[test]
    fn charsets() {
        let pairs = || Body::form(urlencoded::encode([("a", "b c")]));
        let (text, form) = ("text/plain; charset=utf-8", "application/x-www-form-urlencoded");
        let table = [
            ("a text", Body::from("text"), "utf-8", Some(text), "text"),
            ("a form", pairs(), "UTF8", None, "a=b+c"),
            ("bytes", Body::from(b"text"), "utf-8", None, "text"),
            #[cfg(feature = "charset")]
            ("a text", Body::from("text"), "koi8-r", Some("text/plain; charset=koi8-r"), "text"),
            #[cfg(feature = "charset")]
            ("a form", pairs(), "koi8-r", Some("application/x-www-form-urlencoded; charset=koi8-r"), "a=b+c"),
        ];
        for (id, body, label, content_type, expected) in table {
            let mut request = request(body, &[]);
            if id == "a form" {
                request.content_type = Some(form.into());
            }
            request.options_mut().encoding = Some(label.into());
            let request = shaped(shaped(request).unwrap()).unwrap();
            let expected_type = content_type.or((id == "a form").then_some(form));
            assert_eq!(request.content_type.as_deref(), expected_type, "{id} {label}");
            assert_eq!(request.body.as_bytes(), Some(expected.as_bytes()), "{id} {label}");
        }
        let mut unknown = request(Body::from("é"), &[]);
        unknown.options_mut().encoding = Some("klingon".into());
        assert!(shaped(unknown).is_err());
    }

    #[test]
    fn chunks() {
        let with = |chunking, headers: &[(&str, &str)]| {
            let mut request = request(Body::from("text"), headers);
            request.options_mut().chunking = chunking;
            shaped(request).unwrap().body.extent()
        };
        let asks = [("Transfer-Encoding", "chunked")];
        assert_eq!(with(Chunking::AsNeeded, &[]), Extent::Length(4));
        assert_eq!(with(Chunking::AsNeeded, &asks), Extent::Unknown);
        assert_eq!(with(Chunking::Always, &[]), Extent::Unknown);
        assert_eq!(with(Chunking::Exactly(2), &asks), Extent::Unknown);
        assert_eq!(shaped(request(Body::empty(), &asks)).unwrap().body.extent(), Extent::Nothing);
    }
}
