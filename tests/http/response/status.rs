//! Statuses as errors.

use std::time::Duration;

use hostpool::{ConnectionPool, ErrorKind, Phase, StatusCode};

use super::fetch;
use crate::support::{GIVE_UP, Server, Step, answers, ok};

fn with_status(status: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Some Reason\r\nX-A: 1\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Row C5: 400 to 599 are errors, with the head and the body; all others are not.
#[test]
fn which_statuses_are_errors() {
    for status in [200, 204, 299, 301, 399, 400, 401, 404, 499, 500, 503, 599] {
        let body = if status == 204 { "" } else { "a body" };
        let (server, response) = fetch(with_status(status, body));
        assert_eq!(response.error_for_status_ref().is_err(), status >= 400);
        if let Err(error) = response.error_for_status_ref() {
            assert_eq!(error.head().unwrap().body(), b"");
        }
        let code = StatusCode::from_u16(status).unwrap();
        let error = match response.error_for_status() {
            Ok(response) => {
                assert!(status < 400, "{status}");
                assert_eq!(response.text().unwrap(), body);
                continue;
            }
            Err(error) => error,
        };
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::Status(code), Phase::Head), "{status}");
        assert!(error.maybe_processed() && error.origin().is_some());
        let head = error.head().unwrap();
        assert_eq!((head.status(), head.reason(), head.body()), (code, "Some Reason", body.as_bytes()));
        assert_eq!((head.headers().get("x-a"), head.method().as_str()), (Some("1"), "GET"));
        assert_eq!(head.url().as_str(), server.url("/dir/page?q=1"));
        assert!(error.to_string().contains(&status.to_string()), "{error}");
    }
}

/// What an error keeps is bounded, and the connection is back or closed before the error is returned.
#[test]
fn the_body_of_an_error() {
    let endless = b"HTTP/1.1 500 Oops\r\n\r\n".to_vec();
    let table = [
        ("small", with_status(500, "short"), 5, true),
        ("just kept", with_status(500, &"x".repeat(65_536)), 65_536, true),
        ("more, drained", with_status(500, &"x".repeat(70_000)), 65_536, true),
        ("much", with_status(500, &"x".repeat(1 << 20)), 65_536, false),
        ("cut", b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n".to_vec(), 3, false),
        ("endless", [&endless[..], &b"x".repeat(1 << 20)].concat(), 65_536, false),
    ];
    for (id, bytes, kept, back) in table {
        // All of it is there when the error is made, so that it is drained or not by its length.
        let script = vec![
            Step::Request,
            Step::Send(bytes),
            Step::Tell("sent"),
            Step::Forever(vec![Step::Request, Step::Send(ok("same"))]),
        ];
        let server = Server::new(vec![script, answers(ok("new"))]);
        let pool = ConnectionPool::builder(server.url("")).timeout(GIVE_UP).build().unwrap();
        let response = pool.get("/").send().unwrap();
        if back {
            server.wait_for("sent");
        }
        let error = response.error_for_status().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Status(StatusCode::INTERNAL_SERVER_ERROR), "{id}");
        assert_eq!(error.head().unwrap().body().len(), kept, "{id}");
        assert_eq!((pool.stats().in_use, pool.stats().idle), (0, usize::from(back)), "{id}");
        let next = pool.get("/").send().unwrap().text().unwrap();
        assert_eq!(next == "same", back, "{id}");
    }
}

/// A body that does not come ends with the request's own bound, and the error is still the status.
#[test]
fn the_body_of_an_error_that_does_not_come() {
    let bytes = "HTTP/1.1 503 Busy\r\nContent-Length: 10\r\n\r\nabc";
    let server = Server::new(vec![vec![Step::Request, Step::Send(bytes.into()), Step::UntilClosed]]);
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    let response = pool.get("/").timeout(Duration::from_millis(700)).send().unwrap();
    let error = response.error_for_status().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Status(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(error.head().unwrap().body(), b"abc");
    assert_eq!(pool.stats().open, 0);
}

/// Of a loaded body too the start is kept, and one that was closed has none.
#[test]
fn loaded_and_closed() {
    let (_server, mut response) = fetch(with_status(500, "oops"));
    response.load().unwrap();
    assert_eq!(response.error_for_status().unwrap_err().head().unwrap().body(), b"oops");
    let (_server, mut response) = fetch(with_status(500, "oops"));
    response.close();
    assert_eq!(response.error_for_status().unwrap_err().head().unwrap().body(), b"");
}

/// Row A18.1: errors are logged. Their text and `Debug` show no credentials, and `Debug` only the start of the body.
#[test]
fn an_error_shows_no_secrets() {
    let body = format!("{}canary", "\"no\" \n\u{20ac}".repeat(32));
    assert_eq!(body.len(), 256 + 32 + 6);
    let bytes = format!("HTTP/1.1 401 No\r\nSet-Cookie: s=canary\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let server = Server::new(vec![answers(bytes)]);
    let url = server.url("/?canary#canary").replace("http://", "http://user:canary@");
    let error = hostpool::get(&*url).send().unwrap().error_for_status().unwrap_err();
    let head = error.head().unwrap();
    assert_eq!(head.body(), body.as_bytes());
    let shown = format!("{error} {error:?} {error:#?} {head:?} {head:#?} {:?}", error.url());
    assert!(!shown.contains("canary"), "{shown}");
    assert!(
        format!("{error:?}").contains(r#"body: "\"no\" \n\u{20ac}"#.replace("\\u{20ac}", "\u{20ac}").as_str()),
        "{error:?}"
    );
    assert!(!error.to_string().contains("no"), "{error}");
}
