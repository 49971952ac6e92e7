//! RW-02 and RW-32: what a download makes of the answers that servers give.

use std::fs;

use hostpool::{ErrorKind, Method, Phase, Retry, Session, StatusCode};

use super::{each_client, names};
use crate::support::{Server, Step, answer, header};

const TAG: &str = "ETag: \"v1\"\r\n";
const DATED: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nLast-Modified: Sun, 06 Nov 1994 08:00:00 GMT\r\n";
const CHUNKED: &str = "5\r\n56789\r\n0\r\n\r\n";

/// Five of ten bytes.
fn cut(head: &str) -> Vec<Step> {
    answer(format!("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n{head}\r\n01234"))
}

fn sized(status: &str, head: &str, body: &str) -> Vec<Step> {
    answer(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{head}\r\n{body}", body.len()))
}

fn slice(head: &str) -> Vec<Step> {
    sized("200 OK", head, "56789")
}

fn whole() -> Vec<Step> {
    sized("200 OK", "", "0123456789")
}

/// What happens, the answers, the ranges that are asked for (`-` for the whole), and the file.
type Row<'a> = (&'a str, Vec<Vec<Step>>, &'a [&'a str], Result<&'a str, ErrorKind>);

#[test]
fn rw_02_the_rest_or_the_whole() {
    let (anew, on): (&[_], &[_]) = (&["-", "5", "-"], &["-", "5"]);
    let ten = Ok("0123456789");
    let ranged = |range: &str| format!("{TAG}Content-Range: bytes {range}\r\n");
    let parts = "Content-Type: multipart/byteranges; boundary=x\r\n";
    let lost = |received| Err(ErrorKind::incomplete_body(received, None));
    let table: Vec<Row<'_>> = vec![
        ("a 200 with the rest and its range", vec![cut(TAG), slice(&ranged("5-9/10"))], on, ten.clone()),
        (
            "a 200 with the whole and its range",
            vec![cut(TAG), sized("200 OK", &ranged("0-9/10"), "0123456789")],
            on,
            ten.clone(),
        ),
        ("a 200 with another range", vec![cut(TAG), slice(&ranged("4-8/10")), whole()], anew, ten.clone()),
        ("a 200 with a range that is not one", vec![cut(TAG), slice(&ranged("-5")), whole()], on, ten.clone()),
        ("a 200 with the same tag and the rest", vec![cut(TAG), slice(TAG)], on, ten.clone()),
        ("a 200 with the same tag and less", vec![cut(TAG), sized("200 OK", TAG, "567"), whole()], anew, ten.clone()),
        ("a 200 with the same date and the rest", vec![cut(DATED), slice(DATED)], on, ten.clone()),
        ("a 200 as long as the rest", vec![cut(TAG), slice(""), whole()], anew, ten.clone()),
        ("a 200 as long as the rest, of a dated file", vec![cut(DATED), slice(""), whole()], anew, ten.clone()),
        (
            "a 200 as long as the rest, another tag",
            vec![cut(TAG), slice("ETag: \"x\"\r\n"), whole()],
            anew,
            ten.clone(),
        ),
        (
            "a 200 in chunks",
            vec![
                cut(TAG),
                answer(format!("HTTP/1.1 200 OK\r\n{TAG}Transfer-Encoding: chunked\r\n\r\n{CHUNKED}")),
                whole(),
            ],
            anew,
            ten.clone(),
        ),
        ("a 200 until the close", vec![cut(TAG), answer("HTTP/1.1 200 OK\r\n\r\n56789"), whole()], anew, ten.clone()),
        ("a 200 with the whole", vec![cut(TAG), whole()], on, ten.clone()),
        ("a 200 with another version", vec![cut(TAG), sized("200 OK", "ETag: \"v2\"\r\n", "new")], on, Ok("new")),
        ("a 206 of several parts", vec![cut(TAG), sized("206 Partial", parts, "--x--"), whole()], anew, ten.clone()),
        (
            "a 206 of the whole",
            vec![cut(TAG), sized("206 P", &ranged("0-9/10"), "0123456789"), whole()],
            anew,
            ten.clone(),
        ),
        ("a 206 without a range", vec![cut(TAG), sized("206 P", TAG, "56789"), whole()], anew, ten.clone()),
        ("a 416", vec![cut(TAG), sized("416 No", "Content-Range: bytes */10\r\n", ""), whole()], anew, ten.clone()),
        ("a doubtful 200, and no retry left", vec![cut(TAG), cut_again(), slice("")], &["-", "5", "7"], {
            Err(ErrorKind::incomplete_body(7, Some(10)))
        }),
        ("a 200 with the range of the whole, and half of it", vec![half(), whole()], &["-", "-"], ten.clone()),
        (
            "a 206 that is longer than its range, and cut",
            vec![cut(TAG), overlong(), sized("206 P", &ranged("9-9/10"), "9"), whole()],
            &["-", "5", "-", "-"],
            ten.clone(),
        ),
        ("a slice that nobody asked for", vec![slice(&ranged("5-9/10"))], &["-", "-", "-"], lost(0)),
        (
            "a 204 for the rest",
            vec![cut(TAG), answer("HTTP/1.1 204 N\r\n\r\n")],
            on,
            Err(ErrorKind::Status(StatusCode::NO_CONTENT)),
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for (row, scripts, ranges, expected) in table {
        for number in 0..3 {
            fs::write(&path, "before").unwrap();
            let server = Server::new(scripts.clone());
            let mut at = 0;
            each_client(&server, &[], |client, make| {
                at += 1;
                if at != number + 1 {
                    return;
                }
                let request = make(Method::GET).retries(Retry::new(5).read(2));
                let result = request.download(&path).map_err(|error| error.kind().clone());
                let row = format!("{row}, {client}");
                assert_eq!(result, expected.as_ref().map(|text| text.len() as u64).map_err(ErrorKind::clone), "{row}");
                assert_eq!(fs::read_to_string(&path).unwrap(), *expected.as_ref().unwrap_or(&"before"), "{row}");
                let requests = server.seen.requests();
                let asked = requests.iter().map(|request| header(request, "Range").unwrap_or("bytes=--"));
                let asked: Vec<_> = asked.map(|range| range["bytes=".len()..range.len() - 1].to_owned()).collect();
                assert_eq!(asked, ranges, "{row}");
            });
        }
    }
    assert_eq!(names(folder.path()), ["file"], "no part file is left");
}

/// Five bytes, under the range of ten.
fn half() -> Vec<Step> {
    let head = "HTTP/1.1 200 OK\r\nContent-Range: bytes 0-9/10\r\nTransfer-Encoding: chunked\r\n";
    answer(format!("{head}\r\n{CHUNKED}"))
}

/// Four bytes under a range of three, and a length of more.
fn overlong() -> Vec<Step> {
    answer(format!("HTTP/1.1 206 P\r\nContent-Range: bytes 5-7/10\r\nContent-Length: 9\r\n{TAG}\r\n567X"))
}

/// Two more bytes of the rest.
fn cut_again() -> Vec<Step> {
    let head = "HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n";
    answer(format!("{head}{TAG}\r\n56"))
}

/// RW-07: a status without content leaves the file as it was.
#[test]
fn rw_07_no_content_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "before").unwrap();
    for status in [204, 205, 304] {
        let server = Server::new(vec![answer(format!("HTTP/1.1 {status} None\r\nContent-Length: 0\r\n\r\n"))]);
        each_client(&server, &[], |client, make| {
            let kind = ErrorKind::Status(StatusCode::from_u16(status).unwrap());
            let error = make(Method::GET).download(&path).unwrap_err();
            assert_eq!((error.kind(), error.phase()), (&kind, Phase::Head), "{status} {client}");
            let error = make(Method::GET).send().unwrap().save_to(&path).unwrap_err();
            assert_eq!((error.kind(), error.phase()), (&kind, Phase::Head), "{status} {client}");
            assert_eq!(error.head().unwrap().status(), status, "{client}");
        });
    }
    let server = Server::new(vec![answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")]);
    let error = Session::new().head(server.url("/")).send().unwrap().save_to(&path).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidRequest), "{error}");
    assert_eq!((names(folder.path()), fs::read(&path).unwrap()), (vec!["file".to_owned()], b"before".to_vec()));
}

/// RW-32: an error says how far the request had come.
#[test]
fn rw_32_the_phase_of_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(vec![sized("503 Busy", "", "come back later")]);
    let path = folder.path().join("file");
    each_client(&server, &[], |client, make| {
        let error = make(Method::GET).download(&path).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Status(StatusCode::SERVICE_UNAVAILABLE), Phase::Head));
        assert_eq!(error.head().unwrap().body(), b"come back later", "{client}");
        assert!(!error.to_string().contains("reading the body"), "{client}: {error}");
        let error = make(Method::GET).raise_for_status(true).send().unwrap_err();
        assert_eq!(error.phase(), Phase::Head, "{client}");
    });
    let before = server.seen.requests().len();
    each_client(&server, &[], |client, make| {
        let error = make(Method::GET).download(folder.path().join("none/file")).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Output, Phase::Prepare), "{client}");
        assert!(!error.maybe_processed(), "{client}: nothing was sent");
    });
    assert_eq!((server.seen.requests().len(), names(folder.path()).len()), (before, 0));
}
