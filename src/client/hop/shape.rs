//! Shapes the body of a request as its settings say: another charset, a coding, chunks.
//!
//! The body is shaped when the request is sent, not when a setting is given. So the order of the settings does not
//! matter, and changes by middleware and hooks count. A body that was shaped for an earlier hop is not shaped again.

use std::borrow::Cow;

use crate::body::{Body, Chunking, Coding, Compress, Content, encode_text, urlencoded};
use crate::client::request::Request;
use crate::client::terms::Terms;
use crate::error::{Error, Result};
use crate::headers::{Headers, InvalidHeader};
use crate::multipart::FORM_TYPE;
use crate::response::MediaType;

const CONTENT_TYPE: &str = "content-type";

/// Shapes the body. This is done before its length is used.
#[inline(always)]
pub(super) fn shape(request: &mut Request, terms: Terms<'_>) -> Result<()> {
    let asked = !request.headers.is_empty() && asks_for_chunks(&request.headers)?;
    // Nearly all requests end here.
    match request.body.is_empty() && !asked && terms.own().is_none() {
        true => Ok(()),
        false => shape_as_set(request, terms, asked),
    }
}

/// Shapes the body by the settings. `asked` says that a field asks for chunks.
fn shape_as_set(request: &mut Request, terms: Terms<'_>, asked: bool) -> Result<()> {
    name_boundary(request)?;
    encode(request, terms)?;
    compress(request, terms)?;
    let (chunking, progress) = match terms.own() {
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

/// Returns whether the caller asks for chunks by a Transfer-Encoding. The field may say nothing else, because the
/// client frames the body.
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

/// Encodes a text or a form in the charset that the caller asked for, and names it in the type of the body.
fn encode(request: &mut Request, terms: Terms<'_>) -> Result<()> {
    let label = terms.own().and_then(|options| options.encoding.as_deref());
    let Some(label) = label.filter(|_| request.body.coding().is_none()) else { return Ok(()) };
    let content = request.body.content();
    let text = request.body.as_bytes().and_then(|bytes| str::from_utf8(bytes).ok());
    let (bytes, media, charset) = match (content, text) {
        (Content::Text, Some(text)) => {
            let (bytes, charset) = encode_text(text, label)?;
            (bytes, "text/plain", charset)
        }
        (Content::Form, Some(form)) => {
            let (form, charset) = urlencoded::recode(form, label)?;
            (form.into_bytes(), "application/x-www-form-urlencoded", charset)
        }
        _ => return Ok(()),
    };
    // A form in UTF-8 needs no charset, because every server reads it as UTF-8.
    if content == Content::Text || charset != "utf-8" {
        request.content_type = Some(Cow::Owned(format!("{media}; charset={charset}")));
    }
    request.body = Body::from(bytes);
    Ok(())
}

/// Compresses the body if the caller asked for that.
fn compress(request: &mut Request, terms: Terms<'_>) -> Result<()> {
    if request.body.is_empty() || request.body.coding().is_some() {
        return Ok(());
    }
    let coding = match terms.own().map_or(Compress::Off, |options| options.compress) {
        // A Content-Encoding alone names a coding that the caller has applied, such as gzip, br or aws-chunked.
        Compress::Off => return Ok(()),
        Compress::Deflate => Coding::Deflate,
        Compress::Gzip => Coding::Gzip,
    };
    let name = "content-encoding";
    let of_client = terms.head().fields(!request.own_headers).map(|(_, field)| field);
    let own = request.headers.contains(name);
    let fields = request.headers.iter().chain(of_client.filter(|_| !own));
    let mut fields = fields.filter(|field| field.name().eq_ignore_ascii_case(name)).map(|field| field.bytes());
    match (fields.next(), fields.next()) {
        (None, _) => {}
        (Some(only), None) if Coding::of(only) == Some(coding) => {}
        _ => {
            return Err(Error::request("Content-Encoding names another coding than the body is to be compressed with"));
        }
    }
    request.body = std::mem::take(&mut request.body).compress(coding)?;
    Ok(())
}

/// Appends the boundary of the form to a `multipart` type of the caller's that has no boundary, as curl does. Without a
/// boundary no server finds the parts.
fn name_boundary(request: &mut Request) -> Result<()> {
    let Some(own) = request.content_type.as_deref().filter(|own| own.starts_with(FORM_TYPE)) else { return Ok(()) };
    let Some(given) = request.headers.get_bytes(CONTENT_TYPE) else { return Ok(()) };
    let Some(media) = MediaType::parse(given).filter(|media| media.kind() == "multipart") else { return Ok(()) };
    if let Some(found) = media.parameter("boundary") {
        let form = MediaType::parse(own.as_bytes());
        return match form.as_ref().and_then(|form| form.parameter("boundary")) == Some(found) {
            true => Ok(()),
            false => Err(Error::request("the Content-Type names another boundary than the form has")),
        };
    }
    let end = given.iter().rposition(|byte| !b"; \t".contains(byte)).map_or(0, |last| last + 1);
    let value = [&given[..end], &own.as_bytes()[FORM_TYPE.len()..]].concat();
    Ok(request.headers.replace(CONTENT_TYPE, &value)?)
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::body::Extent;
    use crate::client::policy::Policy;
    use crate::error::ErrorKind;
    use crate::urls::Url;

    fn request(body: Body, headers: &[(&str, &str)]) -> Request {
        let mut request = Request::new(Method::POST, Url::parse("http://h/").unwrap());
        for (name, value) in headers {
            request.headers.append(name, value).unwrap();
        }
        request.body = body;
        request
    }

    fn shape_by(request: &mut Request, policy: &Policy) -> Result<()> {
        let own = request.options.clone();
        shape(request, Terms::for_test(policy, own.as_deref()))
    }

    fn shaped(mut request: Request) -> Result<Request> {
        shape_by(&mut request, &Policy::default())?;
        Ok(request)
    }

    #[cfg(feature = "gzip")]
    type Row<'a> = (&'a str, Compress, Option<&'a str>, Result<Option<Coding>, ()>);

    #[test]
    #[cfg(feature = "gzip")]
    fn when_a_body_is_compressed() {
        use Compress::{Deflate, Gzip, Off};
        let (gzip, deflate, as_given) = (Ok(Some(Coding::Gzip)), Ok(Some(Coding::Deflate)), Ok(None));
        let table: [Row<'_>; 17] = [
            ("B74", Deflate, None, deflate),
            ("gzip", Gzip, None, gzip),
            ("the same twice", Gzip, Some("GZIP"), gzip),
            ("off", Off, None, as_given),
            ("identity", Off, Some("identity"), as_given),
            ("RW-06 B76", Off, Some("gzip"), as_given),
            ("RW-06 B77 deflate", Off, Some("deflate"), as_given),
            ("RW-06 B79", Off, Some("br"), as_given),
            ("RW-06 zstd", Off, Some("zstd"), as_given),
            ("RW-06 aws-chunked", Off, Some("aws-chunked"), as_given),
            ("RW-06 B79 two", Off, Some("gzip, deflate"), as_given),
            ("RW-06 B79 none", Off, Some(""), as_given),
            ("another", Gzip, Some("deflate"), Err(())),
            ("RW-06 one that is not known here", Gzip, Some("br"), Err(())),
            ("one of two", Gzip, Some("br, gzip"), Err(())),
            ("none", Gzip, Some(""), Err(())),
            ("identity, said otherwise", Gzip, Some("identity"), Err(())),
        ];
        for (row, compress, header, expected) in table {
            let headers: Vec<_> = header.map(|value| ("content-encoding", value)).into_iter().collect();
            for own in [true, false] {
                let mut request = request(Body::from("text"), &headers);
                request.options_mut().compress = compress;
                let mut policy = Policy::default();
                if !own {
                    std::mem::swap(&mut policy.head.headers, &mut request.headers);
                }
                let result = shape_by(&mut request, &policy);
                if let Err(error) = &result {
                    assert!(matches!(error.kind(), ErrorKind::InvalidRequest), "{row}");
                }
                assert_eq!(result.map(|()| request.body.coding()).map_err(drop), expected, "{row}");
                // The hop after a redirect.
                if expected.is_ok() {
                    shape_by(&mut request, &policy).unwrap();
                    assert_eq!(Ok(request.body.coding()), expected, "{row}");
                }
            }
        }
        // A pool's field that is not sent contradicts nothing.
        let mut policy = Policy::default();
        policy.head.block.append("Content-Encoding", "br").unwrap();
        for (replaced, expected) in [(true, Ok(Some(Coding::Gzip))), (false, Err(()))] {
            let mut request = request(Body::from("text"), &[]);
            (*request.compress_mut(), request.own_headers) = (Gzip, replaced);
            let result = shape_by(&mut request, &policy).map(|()| request.body.coding());
            assert_eq!(result.map_err(drop), expected, "replaced: {replaced}");
        }
        for empty in [Body::empty(), Body::from("")] {
            let mut request = request(empty, &[("Content-Encoding", "br")]);
            *request.compress_mut() = Gzip;
            assert_eq!(shaped(request).unwrap().body.coding(), None);
        }
        let twice = [("Content-Encoding", "gzip"), ("Content-Encoding", "gzip")];
        let mut request = request(Body::from("text"), &twice);
        *request.compress_mut() = Gzip;
        assert!(shaped(request).is_err());
    }

    #[test]
    #[cfg(not(feature = "gzip"))]
    fn compressing_needs_the_feature() {
        let mut asked = request(Body::from("text"), &[]);
        *asked.compress_mut() = Compress::Gzip;
        assert!(matches!(shaped(asked).unwrap_err().kind(), ErrorKind::Unsupported));
        let coded = shaped(request(Body::from("text"), &[("Content-Encoding", "gzip")])).unwrap();
        assert_eq!(coded.body.as_bytes(), Some(&b"text"[..]), "RW-06");
    }

    /// RW-23: the boundary goes where it is missing, once, and the field keeps its place and its spelling.
    #[test]
    fn boundaries() {
        let table = [
            ("multipart/form-data", Ok("multipart/form-data; boundary=line")),
            ("Multipart/Form-Data ; ", Ok("Multipart/Form-Data; boundary=line")),
            ("multipart/form-data; charset=utf-8", Ok("multipart/form-data; charset=utf-8; boundary=line")),
            ("multipart/related; type=\"a/b\"", Ok("multipart/related; type=\"a/b\"; boundary=line")),
            ("multipart/form-data; Boundary=\"line\"", Ok("multipart/form-data; Boundary=\"line\"")),
            ("multipart/form-data; boundary=other", Err(())),
            ("multipart/form-data; boundary=", Err(())),
            ("application/x-own", Ok("application/x-own")),
            ("no type", Ok("no type")),
        ];
        for (given, expected) in table {
            let mut request = request(Body::from("x"), &[("A", "1"), ("content-TYPE", given), ("B", "2")]);
            request.content_type = Some("multipart/form-data; boundary=line".into());
            let shaped = shaped(request).and_then(shaped);
            let fields = shaped.as_ref().map(|request| request.headers.iter().map(|field| field.value()).collect());
            let fields: Result<Vec<_>, ()> = fields.map_err(drop);
            assert_eq!(fields, expected.map(|value| vec!["1".into(), value.into(), "2".into()]), "{given}");
        }
        let spaced = [("Content-Type", "multipart/form-data")];
        let mut request = request(Body::from("x"), &spaced);
        request.content_type = Some("multipart/form-data; boundary=\"my line\"".into());
        let shaped = shaped(request).unwrap();
        assert_eq!(shaped.headers.get("content-type"), Some("multipart/form-data; boundary=\"my line\""));
    }

    /// RW-34: a field that the caller has marked as sensitive stays so when the boundary is appended to another.
    #[test]
    fn boundaries_and_marked_fields() {
        let mut token = http::HeaderValue::from_static("secret");
        token.set_sensitive(true);
        let mut fields = http::HeaderMap::new();
        fields.insert("x-token", token);
        fields.insert("content-type", http::HeaderValue::from_static("multipart/form-data"));
        let mut request = request(Body::from("x"), &[]);
        request.headers = (&fields).into();
        request.content_type = Some("multipart/form-data; boundary=line".into());
        let headers = shaped(request).unwrap().headers;
        assert_eq!(headers.get("content-type"), Some("multipart/form-data; boundary=line"));
        assert!(headers.is_marked("x-token") && !headers.is_marked("content-type"));
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
