//! RW-06 and RW-23: what is said about a body is what the caller said, or what the body is.

use hostpool::multipart::Form;
use hostpool::{Method, RequestBuilder};

use super::{each_client, last};
use crate::support::{Server, answers, header, ok};

/// Head and body.
fn split(request: &[u8]) -> (String, Vec<u8>) {
    let end = request.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    (String::from_utf8(request[..end].to_vec()).unwrap(), request[end..].to_vec())
}

fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    fields.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

/// A `Content-Encoding` says what the caller has done to the body.
#[test]
fn rw_06_coded_bodies_arrive_as_given() {
    let server = Server::new(vec![answers(ok(""))]);
    let bytes = b"\x1f\x8b\x08 coded already".as_slice();
    for coding in ["gzip", "deflate", "br", "zstd", "aws-chunked", "gzip, br", "x-own"] {
        let field = [("Content-Encoding", coding)];
        for (place, default) in [("a field of the request", &[][..]), ("a default of the client", &field)] {
            each_client(&server, default, |client, make| {
                let row = format!("{coding} as {place}, {client}");
                let request = make(Method::POST).data(bytes);
                let request = if default.is_empty() { request.header("Content-Encoding", coding) } else { request };
                request.send().unwrap();
                let (head, body) = split(&last(&server));
                assert_eq!((body.as_slice(), values(&head, "Content-Encoding")), (bytes, vec![coding]), "{row}");
                assert_eq!(header(&head, "Content-Length"), Some("17"), "{row}");
            });
        }
    }
}

/// Only `compress` compresses, and a field that is there agrees with it.
#[test]
#[cfg(feature = "gzip")]
fn rw_06_compress_and_the_field_agree() {
    use hostpool::{Compress, ErrorKind};

    let server = Server::new(vec![answers(ok(""))]);
    for (coding, agrees) in [("gzip", true), ("GZip", true), ("deflate", false), ("br", false), ("identity", false)] {
        let field = [("Content-Encoding", coding)];
        for default in [&[][..], &field] {
            each_client(&server, default, |client, make| {
                let request = make(Method::POST).data("text ".repeat(100)).compress(Compress::Gzip);
                let request = if default.is_empty() { request.header("Content-Encoding", coding) } else { request };
                let result = request.send();
                assert_eq!(result.is_ok(), agrees, "{coding}, {client}: {result:?}");
                match result {
                    Err(error) => assert!(matches!(error.kind(), ErrorKind::InvalidRequest), "{coding}: {error}"),
                    Ok(_) => {
                        let (head, body) = split(&last(&server));
                        assert_eq!(values(&head, "Content-Encoding"), [coding], "{client}");
                        let text = std::io::read_to_string(flate2::read::GzDecoder::new(body.as_slice())).unwrap();
                        assert_eq!(text, "text ".repeat(100), "{coding}, {client}: compressed once");
                    }
                }
            });
        }
    }
}

fn form(request: RequestBuilder) -> RequestBuilder {
    request.multipart(Form::new().text("a", "1").boundary("line"))
}

fn pairs(request: RequestBuilder) -> RequestBuilder {
    request.form([("a", "1")])
}

fn text(request: RequestBuilder) -> RequestBuilder {
    request.data("{}")
}

#[cfg(feature = "json")]
fn json(request: RequestBuilder) -> RequestBuilder {
    request.json(&1)
}

type Body = fn(RequestBuilder) -> RequestBuilder;

/// A default of the client is for the bodies that do not say what they are.
#[test]
fn rw_23_the_type_of_the_body_replaces_a_default() {
    let (multipart, urlencoded) = ("multipart/form-data; boundary=line", "application/x-www-form-urlencoded");
    let latin = "application/x-www-form-urlencoded; charset=latin1";
    let table: &[(&str, Body, &str)] = &[
        ("application/json", form, multipart),
        ("multipart/form-data", form, multipart),
        ("multipart/form-data; boundary=old", form, multipart),
        ("no type", form, multipart),
        ("application/json", pairs, urlencoded),
        (latin, pairs, latin),
        ("application/json", text, "application/json"),
        #[cfg(feature = "json")]
        ("text/plain", json, "application/json"),
        #[cfg(feature = "json")]
        ("application/vnd.api+json", json, "application/vnd.api+json"),
        #[cfg(feature = "json")]
        ("application/json; charset=utf-8", json, "application/json; charset=utf-8"),
    ];
    let server = Server::new(vec![answers(ok(""))]);
    for (default, body, expected) in table {
        each_client(&server, &[("Content-Type", default)], |client, make| {
            body(make(Method::POST)).send().unwrap();
            let (head, _) = split(&last(&server));
            assert_eq!(values(&head, "Content-Type"), [*expected], "{default}, {client}");
        });
    }
    // What is not to be added replaces nothing.
    each_client(&server, &[("Content-Type", "application/json")], |client, make| {
        form(make(Method::POST)).skip_auto_headers(["Content-Type"]).send().unwrap();
        assert_eq!(values(&split(&last(&server)).0, "Content-Type"), ["application/json"], "{client}");
    });
}

/// A field of the request itself is the caller's word for this body.
#[test]
fn rw_23_a_field_without_the_boundary_gets_it() {
    let server = Server::new(vec![answers(ok(""))]);
    let table = [
        ("multipart/form-data", Ok("multipart/form-data; boundary=line")),
        ("multipart/related; type=\"a/b\"", Ok("multipart/related; type=\"a/b\"; boundary=line")),
        ("multipart/form-data; boundary=line", Ok("multipart/form-data; boundary=line")),
        ("application/x-own", Ok("application/x-own")),
        ("multipart/form-data; boundary=other", Err(())),
    ];
    for (given, expected) in table {
        each_client(&server, &[("Content-Type", "application/json")], |client, make| {
            for request in [
                form(make(Method::POST).header("Content-Type", given)),
                form(make(Method::POST)).header("content-type", given),
            ] {
                let before = server.seen.requests().len();
                let result = request.send();
                assert_eq!(result.is_ok(), expected.is_ok(), "{given}, {client}: {result:?}");
                match expected {
                    Ok(value) => assert_eq!(values(&split(&last(&server)).0, "Content-Type"), [value], "{client}"),
                    Err(()) => assert_eq!(server.seen.requests().len(), before, "{given}, {client}"),
                }
            }
        });
    }
}
