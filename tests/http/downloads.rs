//! Downloads that break off and go on.

use std::fs;
use std::sync::{Arc, Mutex};
use std::thread;

use hostpool::{ErrorKind, Method, PoolManager, RequestBuilder, Retry, Session};

use crate::support::{Server, Step, answer, answers, header, ok};
use crate::{broken, headers};

const TAG: &str = "ETag: \"v1\"\r\n";

/// Sends a head, so many bytes less than it says, and ends.
fn cut(head: &str, body: &str) -> Vec<Step> {
    let bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n{head}\r\n{body}");
    vec![Step::Request, Step::Send(bytes.into())]
}

fn whole(head: &str, body: &str) -> Vec<Step> {
    let bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{head}\r\n{body}", body.len());
    vec![Step::Request, Step::Send(bytes.into())]
}

fn part(range: &str, head: &str, body: &str) -> Vec<Step> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 206 Partial\r\nContent-Range: bytes {range}\r\nContent-Length: {length}\r\n{head}\r\n");
    vec![Step::Request, Step::Send((head + body).into())]
}

fn status(status: u16) -> Vec<Step> {
    vec![Step::Request, Step::Send(format!("HTTP/1.1 {status} No\r\nContent-Length: 2\r\n\r\nno").into())]
}

/// What happens, and the ranges that were asked for, `-` for the whole.
type Row<'a> = (&'a str, Vec<Vec<Step>>, &'a [&'a str], Result<&'a str, ErrorKind>);

#[test]
fn going_on() {
    let old = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nLast-Modified: Sun, 06 Nov 1994 08:00:00 GMT\r\n";
    let incomplete = |received| Err(ErrorKind::incomplete_body(received, Some(10)));
    let table: Vec<Row<'_>> = vec![
        ("at once", vec![whole(TAG, "0123456789")], &["-"], Ok("0123456789")),
        ("the rest", vec![cut(TAG, "01234"), part("5-9/10", TAG, "56789")], &["-", "5"], Ok("0123456789")),
        (
            "twice",
            vec![cut(TAG, "01"), cut_part("2-9/10", "234"), part("5-9/10", TAG, "56789")],
            &["-", "2", "5"],
            Ok("0123456789"),
        ),
        ("by its date", vec![cut(old, "01234"), part("5-9/10", old, "56789")], &["-", "5"], Ok("0123456789")),
        ("it has changed", vec![cut(TAG, "01234"), whole("ETag: \"v2\"\r\n", "new")], &["-", "5"], Ok("new")),
        ("a weak tag", vec![cut("ETag: W/\"v1\"\r\n", "01234"), whole("", "again")], &["-", "-"], Ok("again")),
        ("no tag", vec![cut("", "01234"), whole("", "again")], &["-", "-"], Ok("again")),
        (
            "no ranges",
            vec![cut(&format!("{TAG}Accept-Ranges: none\r\n"), "01234"), whole("", "again")],
            &["-", "-"],
            Ok("again"),
        ),
        (
            "coded",
            vec![cut(&format!("{TAG}Content-Encoding: br\r\n"), "01234"), whole("", "again")],
            &["-", "-"],
            Ok("again"),
        ),
        ("it is shorter", vec![cut(TAG, "01234"), status(416), whole("", "new")], &["-", "5", "-"], Ok("new")),
        (
            "another part",
            vec![cut(TAG, "01234"), part("4-9/10", TAG, "456789"), whole("", "again")],
            &["-", "5", "-"],
            Ok("again"),
        ),
        (
            "a part of something longer",
            vec![cut(TAG, "01234"), part("5-9/11", TAG, "56789"), whole("", "again")],
            &["-", "5", "-"],
            Ok("again"),
        ),
        (
            "less of it than was asked for, RFC 9110, section 15.3.7",
            vec![cut(TAG, "01234"), part("5-7/10", TAG, "567"), part("8-9/10", TAG, "89")],
            &["-", "5", "8"],
            Ok("0123456789"),
        ),
        (
            "a part that is shorter than it says",
            vec![cut(TAG, "01234"), part("5-9/10", TAG, "567"), whole("", "again")],
            &["-", "5", "-"],
            Ok("again"),
        ),
        (
            "a part that is longer than it says",
            vec![cut(TAG, "01234"), part_in_chunks("5-9/10", "56789XXXXX"), whole("", "again")],
            &["-", "5", "-"],
            Ok("again"),
        ),
        (
            "a part that nobody asked for, of who knows what",
            vec![cut("", "01234"), part("5-9/10", "", "FGHIJ"), whole("", "again")],
            &["-", "-", "-"],
            Ok("again"),
        ),
        (
            "a part of who knows what, that is longer",
            vec![cut(TAG, "01234"), part("5-14/*", TAG, "56789abcde"), whole("", "again")],
            &["-", "5", "-"],
            Ok("again"),
        ),
        (
            "parts of two lengths",
            vec![cut_chunks("01234"), part("5-7/10", TAG, "567"), part("8-11/12", TAG, "89ab"), whole("", "again")],
            &["-", "5", "8", "-"],
            Ok("again"),
        ),
        (
            "a part of another",
            vec![cut(TAG, "01234"), part("5-9/10", "ETag: \"v2\"\r\n", "56789"), whole("", "again")],
            &["-", "5", "-"],
            Ok("again"),
        ),
        (
            "it is gone",
            vec![cut(TAG, "01234"), status(404)],
            &["-", "5"],
            Err(ErrorKind::Status(http::StatusCode::NOT_FOUND)),
        ),
        ("never there", vec![status(404)], &["-"], Err(ErrorKind::Status(http::StatusCode::NOT_FOUND))),
        (
            "parts that nobody asked for",
            vec![part("0-1/10", TAG, "01"), part("0-1/10", TAG, "01")],
            &["-", "-"],
            Err(ErrorKind::Status(http::StatusCode::PARTIAL_CONTENT)),
        ),
        ("too often", vec![cut("", "0"), cut("", "01"), cut("", "012")], &["-", "-", "-"], incomplete(3)),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for (row, scripts, ranges, expected) in table {
        for client in [by_session as fn(&str) -> RequestBuilder, by_pools] {
            fs::write(&path, "before").unwrap();
            let server = Server::new(scripts.clone());
            let result = client(&server.url("/")).download(&path).map_err(|error| error.kind().clone());
            let length = expected.as_ref().map(|text| text.len() as u64).map_err(ErrorKind::clone);
            assert_eq!(result, length, "{row}");
            assert_eq!(fs::read_to_string(&path).unwrap(), *expected.as_ref().unwrap_or(&"before"), "{row}");
            let requests = server.seen.requests();
            let asked = requests.iter().map(|request| {
                assert_eq!(header(request, "Accept-Encoding"), Some("identity"), "{row}");
                assert_eq!(header(request, "If-Range").is_some(), header(request, "Range").is_some(), "{row}");
                header(request, "Range").map_or("-", |range| range.trim_matches(['b', 'y', 't', 'e', 's', '=', '-']))
            });
            assert_eq!(asked.collect::<Vec<_>>(), ranges, "{row}");
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "what was begun is gone");
}

fn cut_part(range: &str, body: &str) -> Vec<Step> {
    let head = format!("HTTP/1.1 206 Partial\r\nContent-Range: bytes {range}\r\nContent-Length: 8\r\n{TAG}\r\n");
    vec![Step::Request, Step::Send((head + body).into())]
}

fn part_in_chunks(range: &str, body: &str) -> Vec<Step> {
    let head =
        format!("HTTP/1.1 206 Partial\r\nContent-Range: bytes {range}\r\nTransfer-Encoding: chunked\r\n{TAG}\r\n");
    vec![Step::Request, Step::Send(format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).into())]
}

/// A body whose length nobody knows.
fn cut_chunks(body: &str) -> Vec<Step> {
    let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{TAG}\r\n");
    vec![Step::Request, Step::Send(format!("{head}{:x}\r\n{body}\r\n", body.len()).into())]
}

fn by_session(url: &str) -> RequestBuilder {
    Session::new().get(url).retries(2).raise_for_status(true)
}

fn by_pools(url: &str) -> RequestBuilder {
    PoolManager::new().get(url).retries(Retry::new(5).read(2)).preload_content(true)
}

#[test]
fn what_is_refused() {
    let server = Server::new(vec![vec![Step::Forever(vec![Step::Request, Step::Send(ok("hello"))])]]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let session = Session::new();
    let table = [
        ("POST", session.post(server.url("/"))),
        ("a body", session.get(server.url("/")).data("x")),
        ("a range", session.get(server.url("/")).header("range", "bytes=1-")),
    ];
    for (row, request) in table {
        let error = request.download(&path).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidRequest), "{row}: {error}");
    }
    let error = session.get(server.url("/")).download(folder.path()).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Output);
    assert!(server.seen.requests().is_empty() && !path.exists());
}

/// The `Range` that a download adds is none of the caller's headers, which would replace the pool's.
#[test]
fn download_keeps_the_pools_headers() {
    let server = Server::new(vec![
        broken("200 OK\r\nETag: \"a\"\r\nContent-Length: 10", "01234"),
        answer("HTTP/1.1 206 Partial\r\nETag: \"a\"\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\n56789"),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let http = PoolManager::builder().headers(headers(&[("Authorization", "token"), ("X-A", "1")])).build().unwrap();
    http.get(server.url("/")).download(&path).unwrap();
    for request in server.seen.requests() {
        assert_eq!(header(&request, "authorization"), Some("token"), "{request}");
    }
}

/// A download asks whether its method may be tried again after bytes had left.
#[test]
fn a_download_heeds_allowed_methods() {
    let server = Server::new(vec![
        broken("200 OK\r\nETag: \"a\"\r\nContent-Length: 10", "01234"),
        answer("HTTP/1.1 206 Partial\r\nETag: \"a\"\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\n56789"),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let retry = Retry::new(3).allowed_methods([Method::POST]);
    let result = Session::new().get(server.url("/")).retries(retry).download(folder.path().join("file"));
    assert_eq!((server.seen.requests().len(), result.is_err()), (1, true));
}

/// The first request of a download was answered; then nobody is there.
#[test]
fn a_download_that_had_begun_may_have_been_processed() {
    let server = Server::new(vec![broken("200 OK\r\nETag: \"a\"\r\nContent-Length: 10", "01234")]);
    let folder = tempfile::tempdir().unwrap();
    let tries = Arc::new(Mutex::new(0));
    let session = Session::builder()
        .on_request(move |_| {
            let mut tries = tries.lock().unwrap();
            *tries += 1;
            if *tries > 1 { Err(hostpool::Error::custom("no more")) } else { Ok(()) }
        })
        .build()
        .unwrap();
    let error = session.get(server.url("/")).retries(3).download(folder.path().join("file")).unwrap_err();
    assert!(!error.retries().is_empty(), "what was tried is in the error: {error:?}");
    assert!(error.maybe_processed(), "{error:?}");
}

/// A download does not go on in a pool that is closed.
#[test]
fn a_closed_view_downloads_nothing_more() {
    let server = Server::new(vec![
        vec![
            Step::Request,
            Step::Send(b"HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 10\r\n\r\n01234".to_vec()),
            Step::Tell("half"),
            Step::Hold,
        ],
        answer("HTTP/1.1 206 Partial\r\nETag: \"a\"\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\n56789"),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let pool = PoolManager::new().connection_from_url(server.url("")).unwrap();
    let call = thread::spawn({
        let (pool, path) = (pool.clone(), folder.path().join("file"));
        move || pool.get("/").download(path)
    });
    server.wait_for("half");
    pool.close();
    server.gate.open();
    let result = call.join().unwrap();
    assert_eq!(server.seen.requests().len(), 1, "{result:?}");
}

/// Entity tags tell versions of one resource apart (RFC 9110, section 8.8.3), and a redirect may lead to another one.
#[test]
fn a_download_does_not_go_on_with_another_resource() {
    let head = "Connection: close\r\nETag: \"1\"\r\n";
    let redirect = |to: &str| {
        answer(format!("HTTP/1.1 302 F\r\nConnection: close\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"))
    };
    let server = Server::new(vec![
        redirect("/v1"),
        broken(&format!("200 OK\r\n{head}Content-Length: 10"), "01234"),
        redirect("/v2"),
        answer(format!("HTTP/1.1 206 P\r\n{head}Content-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\nFGHIJ")),
        redirect("/v2"),
        answer(format!("HTTP/1.1 200 OK\r\n{head}Content-Length: 10\r\n\r\nABCDEFGHIJ")),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    Session::new().get(server.url("/latest")).retries(3).download(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"ABCDEFGHIJ");
}

/// A download that a redirect leads to has as many tries as any other.
#[test]
fn redirects_take_no_tries_from_a_download() {
    let part = |start: usize| {
        let bytes = format!(
            "HTTP/1.1 206 P\r\nETag: \"1\"\r\nContent-Range: bytes {start}-9/10\r\nContent-Length: {}\r\n\r\n{start}",
            10 - start
        );
        vec![Step::Request, Step::Send(bytes.into_bytes())]
    };
    let there = Server::new(vec![
        broken("200 OK\r\nETag: \"1\"\r\nContent-Length: 10", "01234567"),
        part(8),
        answer("HTTP/1.1 206 P\r\nETag: \"1\"\r\nContent-Range: bytes 9-9/10\r\nContent-Length: 1\r\n\r\n9"),
    ]);
    let here = Server::new(vec![answers(format!(
        "HTTP/1.1 302 There\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
        there.url("/")
    ))]);
    let folder = tempfile::tempdir().unwrap();
    let result = PoolManager::new().get(here.url("/")).retries(3).download(folder.path().join("file"));
    assert_eq!(result.map_err(|error| error.kind().clone()), Ok(10));
}

/// What answers a question for the rest is the rest or the whole.
#[test]
fn no_content_is_not_the_whole() {
    let server = Server::new(vec![
        broken("200 OK\r\nETag: \"a\"\r\nContent-Length: 10", "01234"),
        answer("HTTP/1.1 204 No Content\r\n\r\n"),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "before").unwrap();
    let result = Session::new().get(server.url("/")).retries(3).download(&path);
    assert_eq!(std::fs::read(&path).unwrap(), b"before", "{result:?}");
}

/// The progress counts the file, and not the answers: it goes on after an interruption, and starts again with the file.
#[test]
fn progress() {
    type Told = &'static [(u64, Option<u64>)];
    let table: [(&str, Vec<Vec<Step>>, Told); 5] = [
        ("at once", vec![whole(TAG, "0123456789")], &[(10, Some(10))]),
        ("the rest", vec![cut(TAG, "01234"), part("5-9/10", TAG, "56789")], &[(5, Some(10)), (10, Some(10))]),
        (
            "a part without the length of the whole",
            vec![cut(TAG, "01234"), part("5-7/*", TAG, "567"), part("8-9/*", TAG, "89")],
            &[(5, Some(10)), (8, Some(10)), (10, Some(10))],
        ),
        ("from the start", vec![cut("", "01234"), whole("", "again")], &[(5, Some(10)), (5, Some(5))]),
        ("a length that nobody knows", vec![cut_chunks("01234"), whole("", "again")], &[(5, None), (5, Some(5))]),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for (row, scripts, expected) in table {
        let server = Server::new(scripts);
        let mut told = Vec::new();
        let request = Session::new().get(server.url("/")).retries(5);
        let length = request.download_with(&path, |done, total| told.push((done, total))).unwrap();
        assert_eq!(fs::read(&path).unwrap().len() as u64, length, "{row}");
        assert_eq!(told, expected, "{row}");
    }
}
