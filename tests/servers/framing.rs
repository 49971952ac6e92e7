//! Heads, chunks and trailers that break a rule: what is accepted, what is refused, what it costs.

use std::thread;

use hostpool::{
    CloseReason, ConnectionPool, ErrorKind, Limit, Limits, Method, PoolManager, PoolStats, RequestBuilder, Retry,
    Session, Strictness, Violation,
};

use crate::support::{GIVE_UP, Server, Step, answer, answers, ok};

const BOTH: [Strictness; 2] = [Strictness::Tolerant, Strictness::Strict];

/// The three ways to send a request, one connection a host each.
enum Client {
    Session(Session, PoolManager),
    Pool(ConnectionPool),
    Manager(PoolManager),
}

/// A client to send requests with.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Session,
    Pool,
    Manager,
}

const KINDS: [Kind; 3] = [Kind::Session, Kind::Pool, Kind::Manager];

impl Client {
    /// Builds the clients with that strictness, or the default.
    fn new(kind: Kind, server: &Server, strictness: Option<Strictness>) -> Client {
        let manager = PoolManager::builder().limit(1).timeout(GIVE_UP).retries(Retry::off());
        match kind {
            Kind::Session => {
                let connector = manager.build().unwrap();
                let session = Session::builder().connector(connector.clone()).timeout(GIVE_UP);
                let session =
                    strictness.into_iter().fold(session, |session, strictness| session.strictness(strictness));
                Client::Session(session.build().unwrap(), connector)
            }
            Kind::Pool => {
                let pool = ConnectionPool::builder(server.url("")).limit(1).timeout(GIVE_UP).retries(Retry::off());
                let pool = strictness.into_iter().fold(pool, |pool, strictness| pool.strictness(strictness));
                Client::Pool(pool.build().unwrap())
            }
            Kind::Manager => {
                let manager =
                    strictness.into_iter().fold(manager, |manager, strictness| manager.strictness(strictness));
                Client::Manager(manager.build().unwrap())
            }
        }
    }

    /// One of each kind, with the defaults.
    fn each(server: &Server) -> [Client; 3] {
        KINDS.map(|kind| Client::new(kind, server, None))
    }

    fn request(&self, method: &Method, url: &str) -> RequestBuilder {
        match self {
            Client::Session(session, _) => session.request(method.clone(), url),
            Client::Pool(pool) => pool.request(method.clone(), url),
            Client::Manager(manager) => manager.request(method.clone(), url),
        }
    }

    fn stats(&self) -> PoolStats {
        match self {
            Client::Session(_, manager) | Client::Manager(manager) => manager.stats(),
            Client::Pool(pool) => pool.stats(),
        }
    }
}

/// The caller's result, and the fate of the connection.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    /// Status, body, lines left out, and whether the connection serves again, or why not.
    Answers(u16, &'static str, usize, Result<(), CloseReason>),
    Fails(Violation),
}

use Outcome::{Answers, Fails};

/// The rule is the same under both settings.
fn both(id: &'static str, response: &'static str, outcome: Outcome) -> Row {
    Row { id, method: Method::GET, response, tolerant: outcome.clone(), strict: outcome }
}

/// `Strict` refuses it.
fn tolerated(id: &'static str, response: &'static str, tolerant: Outcome, violation: Violation) -> Row {
    Row { id, method: Method::GET, response, tolerant, strict: Fails(violation) }
}

struct Row {
    id: &'static str,
    method: Method,
    response: &'static str,
    tolerant: Outcome,
    strict: Outcome,
}

/// What the response may end with `Err`: the server closes where the body is delimited by that.
fn fetch(client: &Client, request: RequestBuilder) -> Outcome {
    let result = request.send().and_then(|mut response| response.load().map(drop).map(|()| response));
    let response = match result {
        Ok(response) => response,
        Err(error) => match error.kind() {
            ErrorKind::Protocol(violation) => return Fails(*violation),
            _ => panic!("{error}"),
        },
    };
    let stats = client.stats();
    let closed = CLOSED.into_iter().find(|reason| stats.closed(*reason) > 0);
    let (status, dropped) = (response.status().as_u16(), response.dropped_lines());
    let body = response.text().unwrap();
    // Bodies of these tests are constants.
    Answers(status, body.leak(), dropped, closed.map_or(Ok(()), Err))
}

const CLOSED: [CloseReason; 4] =
    [CloseReason::Tolerated, CloseReason::NotReusable, CloseReason::UnexpectedBytes, CloseReason::Failed];

/// The setting is the default, the client's, or the request's own, which stands against that of its client.
fn run(rows: Vec<Row>) {
    use Strictness::{Strict, Tolerant};
    let settings = [
        (None, None),
        (Some(Tolerant), None),
        (Some(Strict), None),
        (Some(Strict), Some(Tolerant)),
        (None, Some(Strict)),
    ];
    for Row { id, method, response, tolerant, strict } in &rows {
        for ((of_client, own), kind) in settings.into_iter().flat_map(|setting| KINDS.map(|kind| (setting, kind))) {
            let row = format!("{id} {kind:?} {of_client:?} {own:?}");
            let expected = if own.or(of_client) == Some(Strict) { strict } else { tolerant };
            let server = Server::new(vec![[answer(response), answer(ok("same"))].concat(), answers(ok("new"))]);
            let client = Client::new(kind, &server, of_client);
            let request = client.request(method, &server.url("/"));
            let request = own.into_iter().fold(request, |request, own| request.strictness(own));
            assert_eq!(fetch(&client, request), *expected, "{row}");
            let kept = matches!(expected, Answers(.., Ok(())));
            let next = client.request(&Method::GET, &server.url("/")).send().unwrap();
            assert_eq!(next.text().unwrap(), if kept { "same" } else { "new" }, "{row}");
        }
    }
}

const TOLERATED: Result<(), CloseReason> = Err(CloseReason::Tolerated);

/// RW-10, RW-40.
#[test]
fn statuses_and_versions() {
    run(vec![
        tolerated(
            "RW-10 999",
            "HTTP/1.1 999 Request denied\r\nContent-Length: 2\r\n\r\nno",
            Answers(999, "no", 0, Ok(())),
            Violation::StatusCode,
        ),
        tolerated(
            "RW-10 600",
            "HTTP/1.1 600\r\nContent-Length: 0\r\n\r\n",
            Answers(600, "", 0, Ok(())),
            Violation::StatusCode,
        ),
        both("RW-10 99", "HTTP/1.1 099 x\r\nContent-Length: 0\r\n\r\n", Fails(Violation::StatusCode)),
        both("RW-10 1000", "HTTP/1.1 1000 x\r\nContent-Length: 0\r\n\r\n", Fails(Violation::StatusLine)),
        tolerated(
            "RW-40 1.2",
            "HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            Answers(200, "hi", 0, Ok(())),
            Violation::StatusLine,
        ),
        tolerated(
            "RW-40 1.9",
            "HTTP/1.9 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            Answers(200, "hi", 0, Ok(())),
            Violation::StatusLine,
        ),
        both("RW-40 2.0", "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", Fails(Violation::StatusLine)),
        both("RW-40 1.10", "HTTP/1.10 200 OK\r\nContent-Length: 2\r\n\r\nhi", Fails(Violation::StatusLine)),
    ]);
}

/// RW-10: what counts as an error, and what is tried again.
#[test]
fn a_status_above_599_is_a_server_error() {
    let server = Server::new(vec![answers("HTTP/1.1 999 Request denied\r\nContent-Length: 2\r\n\r\nno")]);
    for client in Client::each(&server) {
        let request = || client.request(&Method::GET, &server.url("/"));
        let status = hostpool::StatusCode::from_u16(999).unwrap();
        let kept = request().send().unwrap().error_for_status_ref().map(drop).unwrap_err();
        let errors = [
            kept,
            request().send().unwrap().error_for_status().unwrap_err(),
            request().raise_for_status(true).send().unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), &ErrorKind::Status(status));
        }
        let before = server.seen.requests().len();
        assert_eq!(request().retries(Retry::new(2).status_forcelist([503])).send().unwrap().status(), 999);
        assert_eq!(server.seen.requests().len(), before + 1, "not listed, not tried again");
        request().retries(Retry::new(2).status_forcelist([999])).send().unwrap_err();
        assert_eq!(server.seen.requests().len(), before + 4, "listed");
    }
}

/// RW-11, RW-14, RW-58: field lines.
#[test]
fn lines_of_a_head() {
    let one = |id, line: &'static str, violation| {
        let response = format!("HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: 2\r\n\r\nhi").leak();
        tolerated(id, response, Answers(200, "hi", 1, TOLERATED), violation)
    };
    let refused = |id, line: &'static str, violation| {
        both(id, format!("HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: 2\r\n\r\nhi").leak(), Fails(violation))
    };
    use Violation::{FieldName, FieldValue, FoldedFraming};
    let kept = "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Credentials : true\r\nContent-Length: 2\r\n\r\nhi";
    let mended = "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi";
    let options = "HTTP/1.1 200 OK\r\nConnection:\r\n x\r\nContent-Length: 2\r\n\r\nhi";
    let close = "HTTP/1.1 200 OK\r\nConnection:\r\n close\r\nContent-Length: 2\r\n\r\nhi";
    let said = |option: &str| format!("HTTP/1.1 200 OK\r\nConnection: {option}\r\nContent-Length: 2\r\n\r\nhi").leak();
    let folded = |fold: &str| format!("HTTP/1.1 200 OK\r\nA: b\r\n {fold}\r\nContent-Length: 2\r\n\r\nhi").leak();
    let ends = Answers(200, "hi", 0, Err(CloseReason::NotReusable));
    let fold = "HTTP/1.1 200 OK\r\nA: b\r\n \r\nContent-Length: 2\r\n\r\nhi";
    let router = "HTTP/1.0 200 OK\nServer: GoAhead-Webs\r\nPragma: no-cache\nContent-Length: 2\n\nhi";
    run(vec![
        tolerated("RW-11 blank before the colon", kept, Answers(200, "hi", 0, Ok(())), FieldName),
        tolerated("RW-11 blank in a field about framing", mended, Answers(200, "hi", 0, TOLERATED), FieldName),
        one("RW-11 PHP", "PHP Warning:  PHP Startup: no such file", FieldName),
        one("RW-11 no colon", "no colon here", FieldName),
        one("RW-11 empty name", ": x", FieldName),
        one("RW-11 Latin-1 name", "N\u{e9}: x", FieldName),
        one("RW-11 control byte", "X: a\x0bb", FieldValue),
        one("RW-11 white space first", " X: y", FieldName),
        one("RW-11 with its folds", "bad\r\n more\r\n\tContent: x", FieldName),
        refused("RW-11 NUL", "X: a\0b", FieldValue),
        refused("RW-11 lone CR", "X: a\rb", FieldValue),
        refused("RW-11 only blanks", " \t", FieldName),
        refused("RW-11 only CR", "\r", FieldName),
        refused("RW-11 a fold of nothing beside another fault", "A: b\r\n \r\nC : d", FieldName),
        both("a fold of nothing", fold, Answers(200, "hi", 0, TOLERATED)),
        both("a fold", folded("x: y"), Answers(200, "hi", 0, Ok(()))),
        both("a fold that others may take for a length", folded("Content-Length: 9"), Answers(200, "hi", 0, TOLERATED)),
        both("a fold that others may take for options", folded("Connection : x"), Answers(200, "hi", 0, TOLERATED)),
        refused("RW-11 bad name of a length", "Content Length\x01-: 5\r\nContent -Length: 9", FieldName),
        refused("RW-11 bad value of a coding", "Transfer-Encoding: chunked\x01", FieldValue),
        refused("RW-11 bad name of options", " Connection: close", FieldName),
        refused("RW-11 two lengths", "Content-Length : 3", Violation::ConflictingContentLength)
            .strictly(Fails(FieldName)),
        tolerated("RW-14 close", close, ends.clone(), FoldedFraming),
        tolerated("RW-14 another option", options, Answers(200, "hi", 0, TOLERATED), FoldedFraming),
        refused("RW-14 length", "Content-Length:\r\n 2", FoldedFraming),
        refused("RW-14 coding", "Transfer-Encoding:\r\n chunked", FoldedFraming),
        both("RW-58 close;", said("close;"), ends.clone()),
        both("RW-58 closed", said("closed"), ends.clone()),
        both("RW-58 quotes", said("\"close\""), ends),
        both("RW-58 another", said("x-close"), Answers(200, "hi", 0, Ok(()))),
        both("lone LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", Answers(200, "hi", 0, TOLERATED)),
        // A router's web server, a shop's cookie, two servers' own idea of a name.
        both("RW-11 GoAhead", router, Answers(200, "hi", 0, Err(CloseReason::NotReusable))),
        one("RW-11 a cookie", "Set-Cookie: a=b\x01c; Path=/", FieldValue),
        one("RW-11 en-US", "en-US Content-Type: text/xml", FieldName),
        one("RW-11 PHP's header()", "X-Foo;: hello", FieldName),
    ]);
}

impl Row {
    fn strictly(self, strict: Outcome) -> Row {
        Row { strict, ..self }
    }

    fn method(self, method: Method) -> Row {
        Row { method, ..self }
    }
}

/// RW-12, RW-13, RW-51: bodies.
#[test]
fn codings_chunks_and_trailers() {
    let coded =
        |coding: &str, body: &str| &*format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n{body}").leak();
    let chunks = "2\r\nhi\r\n0\r\n\r\n";
    let te = |id, coding: &str, body: &str, outcome| {
        tolerated(id, coded(coding, body), outcome, Violation::TransferEncoding)
    };
    let refused = |id, coding| both(id, coded(coding, chunks), Fails(Violation::TransferEncoding));
    let mended = || Answers(200, "hi", 0, TOLERATED);
    let chunked = |id, body: &str, outcome| both(id, coded("chunked", body), outcome);
    let in_1_0 = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    let fine = |dropped| Answers(200, "hi", dropped, if dropped > 0 { TOLERATED } else { Ok(()) });
    run(vec![
        te("RW-13 identity with a length", "identity\r\nContent-Length: 2", "hi", mended()),
        te("RW-13 chunked twice", "chunked, chunked", chunks, mended()),
        te("RW-13 chunked on two lines", "chunked\r\nTransfer-Encoding: chunked", chunks, mended()),
        te("RW-13 identity, chunked", "identity, chunked", chunks, mended()),
        tolerated("RW-13 chunked from HTTP/1.0", in_1_0, mended(), Violation::TransferEncoding),
        refused("RW-13 chunked, identity", "chunked, identity"),
        refused("RW-13 gzip, chunked", "gzip, chunked"),
        refused("RW-13 gzip", "gzip"),
        refused("RW-13 parameters", "chunked;a=b"),
        refused("RW-13 nothing", ""),
        chunked("RW-12 blanks", "2   \r\nhi\r\n0   \r\n\r\n", fine(0)).strictly(Fails(Violation::ChunkSize)),
        chunked("RW-12 tab", "2\t\r\nhi\r\n0\r\n\r\n", fine(0)).strictly(Fails(Violation::ChunkSize)),
        chunked("RW-12 digit after a blank", "2\r\nhi\r\n0 5\r\n\r\n", Fails(Violation::ChunkSize)),
        chunked("RW-12 blank first", " 2\r\nhi\r\n0\r\n\r\n", Fails(Violation::ChunkSize)),
        chunked("RW-12 lone LF", "2\nhi\r\n0\r\n\r\n", Fails(Violation::ChunkEnd)),
        chunked("RW-51 blank", "2\r\nhi\r\n0\r\nX-Sum : 1\r\n\r\n", fine(0)).strictly(Fails(Violation::Trailer)),
        chunked("RW-51 fold", "2\r\nhi\r\n0\r\nX: 1\r\n 2\r\n\r\n", fine(0)).strictly(Fails(Violation::Trailer)),
        chunked("RW-51 garbage", "2\r\nhi\r\n0\r\ngarbage\r\n\r\n", fine(1)).strictly(Fails(Violation::Trailer)),
        chunked("RW-51 LF", "2\r\nhi\r\n0\r\nX: 1\n\r\n", Fails(Violation::Trailer)),
        chunked("RW-51 LF for the blank line", "2\r\nhi\r\n0\r\n\n", Fails(Violation::Trailer)),
        chunked("RW-51 NUL", "2\r\nhi\r\n0\r\nX\0\r\n\r\n", Fails(Violation::Trailer)),
    ]);
}

/// RW-13: identity without a length is a body up to the end of the connection.
#[test]
fn identity_without_a_length() {
    let response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nall of this";
    let server = Server::new(vec![answer(response)]);
    for client in Client::each(&server) {
        let request = || client.request(&Method::GET, &server.url("/"));
        let expected = Answers(200, "all of this", 0, Err(CloseReason::NotReusable));
        assert_eq!(fetch(&client, request()), expected);
        assert_eq!(fetch(&client, request().strictness(Strictness::Strict)), Fails(Violation::TransferEncoding));
    }
}

/// RW-11, RW-51, RW-37: which fields the caller sees.
#[test]
fn fields_that_are_left() {
    let head =
        "HTTP/1.1 200 OK\r\nA : 1\r\nPHP Warning: x\r\n  y\r\nB: 2\r\n\t 3\r\nTransfer-Encoding: chunked\r\n\r\n";
    let trailers = "0\r\nX-Sum : 1\r\ngarbage\r\n z\r\nY: 1\r\n\t2\r\n\r\n";
    let server = Server::new(vec![answer([head, trailers].concat())]);
    for client in Client::each(&server) {
        let mut response = client.request(&Method::GET, &server.url("/")).send().unwrap();
        assert_eq!(response.dropped_lines(), 1);
        response.load().unwrap();
        assert_eq!(response.dropped_lines(), 2, "with the trailers");
        let shown = |headers: &hostpool::Headers| format!("{headers:?}");
        assert_eq!(shown(response.headers()), "[A: 1, B: 2 3, Transfer-Encoding: chunked]");
        assert_eq!(shown(response.trailers()), "[X-Sum: 1, Y: 1 2]");
        assert_eq!(client.stats().closed(CloseReason::Tolerated), 1);
    }
}

/// RW-11: what is left out counts against the limits.
#[test]
fn limits_count_what_is_left_out() {
    let table = [
        (Limits::new().head_fields(3), "bad\r\nworse\r\nA: 1\r\n", "", None),
        (Limits::new().head_fields(3), "bad\r\nworse\r\nA: 1\r\nB: 2\r\n", "", Some(Limit::HeadFields)),
        (Limits::new().head_bytes(90), "bad\r\n", "", None),
        (
            Limits::new().head_bytes(90),
            "bad, and of some length, so that it does not fit\r\n",
            "",
            Some(Limit::HeadBytes),
        ),
        (Limits::new().trailer_fields(2), "", "bad\r\nworse\r\n", None),
        (Limits::new().trailer_fields(2), "", "bad\r\nworse\r\nA: 1\r\n", Some(Limit::Trailers)),
        (Limits::new().trailer_bytes(9), "", "bad\r\n c\r\n", None),
        (Limits::new().trailer_bytes(9), "", "bad\r\n cd\r\n", Some(Limit::Trailers)),
    ];
    for (limits, lines, trailers, expected) in table {
        let fields =
            if lines.contains("B:") || lines.contains("worse") { "" } else { "Transfer-Encoding: chunked\r\n" };
        let end = if fields.is_empty() { String::new() } else { format!("0\r\n{trailers}\r\n") };
        let server = Server::new(vec![answer(format!("HTTP/1.1 200 OK\r\n{lines}{fields}\r\n{end}"))]);
        let pool = ConnectionPool::builder(server.url("")).timeout(GIVE_UP).limits(limits).build().unwrap();
        let result = pool.get("/").send().and_then(|response| response.bytes());
        let expected = expected.map(ErrorKind::LimitExceeded);
        assert_eq!(result.err().map(|error| error.kind().clone()), expected, "{lines:?} {trailers:?}");
    }
}

/// RW-17: a response that must have no body and announces one ends its connection; one that may, keeps it.
#[test]
fn bodies_where_there_are_none() {
    let ends = || Answers(204, "", 0, TOLERATED);
    let kept = |status| Answers(status, "", 0, Ok(()));
    let early = |fields: &str| {
        &*format!("HTTP/1.1 103 Early\r\n{fields}\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").leak()
    };
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    run(vec![
        both("RW-17 204 in chunks", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", ends()),
        both("RW-17 204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", ends()),
        both("RW-17 204 with length 0", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", kept(204)),
        both("RW-17 304 in chunks", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", kept(304)),
        both("RW-17 304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", kept(304)),
        both("RW-17 HEAD", head, kept(200)).method(Method::HEAD),
        both("RW-17 1xx in chunks", early("Transfer-Encoding: chunked\r\n"), Answers(200, "hi", 0, TOLERATED)),
        both("RW-17 1xx with a length", early("Content-Length: 5\r\n"), Answers(200, "hi", 0, TOLERATED)),
        both("RW-17 1xx with length 0", early("Content-Length: 0\r\n"), Answers(200, "hi", 0, Ok(()))),
        both("RW-17 1xx", early("Link: x\r\n"), Answers(200, "hi", 0, Ok(()))),
        tolerated(
            "RW-17 1xx with a bad line",
            early("bad\r\n"),
            Answers(200, "hi", 0, TOLERATED),
            Violation::FieldName,
        ),
        both("RW-17 CRLF first", "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", Answers(200, "hi", 0, Ok(()))),
    ]);
}

/// RW-17: the rest of an earlier response arrives with the next request. A GET is sent again; a POST is not.
#[test]
fn leftovers_of_an_earlier_response() {
    let table: &[(&str, &Method, &str, &str, u64)] = &[
        (
            "a last chunk after a 304",
            &Method::GET,
            "HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n",
            "0\r\n\r\n",
            1,
        ),
        ("a body after a 304", &Method::GET, "HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", "hello", 1),
        ("a body after HEAD", &Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello", 1),
        ("a CRLF", &Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "\r\n", 0),
    ];
    for (id, method, first, late, replayed) in table {
        let seconds = [Method::GET, Method::POST].into_iter();
        let settings = seconds.flat_map(|second| BOTH.map(|strictness| (second.clone(), strictness)));
        for ((second, strictness), kind) in settings.flat_map(|setting| KINDS.map(|kind| (setting.clone(), kind))) {
            // The late bytes leave once the next request is there, so that no look at the connection finds them.
            let late = [late.as_bytes(), &ok("same")].concat();
            let script = [answer(first), answer(&late), vec![Step::UntilClosed]].concat();
            let server = Server::new(vec![script, answers(ok("new"))]);
            let client = Client::new(kind, &server, Some(strictness));
            client.request(method, &server.url("/")).send().unwrap();
            let result = client.request(&second, &server.url("/")).send().and_then(|response| response.text());
            let again = if second == Method::GET { *replayed } else { 0 };
            match (*replayed, again) {
                (0, _) => assert_eq!(result.unwrap(), "same", "{id}"),
                (_, 1) => assert_eq!(result.unwrap(), "new", "{id}"),
                _ => {
                    let error = result.unwrap_err();
                    assert_eq!(error.kind(), &ErrorKind::Protocol(Violation::StatusLine), "{id}");
                    assert!(error.maybe_processed(), "{id}");
                }
            }
            let stats = client.stats();
            assert_eq!((stats.replayed, stats.closed(CloseReason::UnexpectedBytes)), (again, again), "{id}");
        }
    }
}

/// RW-17: back to back on one connection, from a server that sends a CRLF before each response.
#[test]
fn a_blank_line_before_every_response() {
    let response = "\r\nHTTP/1.1 100 Continue\r\n\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    let server = Server::new(vec![answers(response)]);
    for (at, client) in Client::each(&server).into_iter().enumerate() {
        for _ in 0..20 {
            let request = client.request(&Method::POST, &server.url("/"));
            assert_eq!(request.send().unwrap().text().unwrap(), "hi");
        }
        assert_eq!(server.seen.accepted(), at + 1);
    }
}

/// RW-21.
#[test]
fn a_hundred_interim_responses() {
    let interim = |count: usize, fields: &str| format!("HTTP/1.1 104 Upload Resumption\r\n{fields}\r\n").repeat(count);
    let hi = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    let long = format!("X: {}\r\n", "x".repeat(30_000));
    let table = [
        (interim(20, ""), None),
        (interim(100, ""), None),
        (interim(101, ""), Some(Limit::Interim)),
        (interim(10, &long), Some(Limit::Interim)),
    ];
    for (interim, expected) in table {
        let server = Server::new(vec![answer([&*interim, hi].concat())]);
        for client in Client::each(&server) {
            let result = client.request(&Method::GET, &server.url("/")).send().and_then(|response| response.text());
            let expected = expected.map(ErrorKind::LimitExceeded);
            assert_eq!(result.err().map(|error| error.kind().clone()), expected);
        }
    }
}

/// RW-21: they also come while a body leaves.
#[test]
fn interim_responses_during_an_upload() {
    let mut script = vec![Step::Head];
    for _ in 0..40 {
        script.extend([Step::Send(b"HTTP/1.1 104 Upload Resumption\r\nUpload-Offset: 1\r\n\r\n".to_vec())]);
    }
    script.extend([Step::Body, Step::Send(ok("done"))]);
    let server = Server::new(vec![script]);
    for client in Client::each(&server) {
        let body = vec![b'x'; 6 << 20];
        let request = client.request(&Method::PUT, &server.url("/")).data(body);
        assert_eq!(request.send().unwrap().text().unwrap(), "done");
    }
    assert!(server.seen.requests().iter().all(|request| request.len() > 6 << 20));
}

/// A thread of its own for each client: what one tolerates is no state of another.
#[test]
fn strict_and_tolerant_requests_share_a_client() {
    let server = Server::new(vec![answers("HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 2\r\n\r\nhi")]);
    let manager = PoolManager::builder().timeout(GIVE_UP).retries(Retry::off()).build().unwrap();
    thread::scope(|scope| {
        for strictness in BOTH {
            let (manager, url) = (&manager, server.url("/"));
            scope.spawn(move || {
                for _ in 0..20 {
                    let result = manager.get(&*url).strictness(strictness).send().and_then(|response| response.text());
                    match strictness {
                        Strictness::Tolerant => assert_eq!(result.unwrap(), "hi"),
                        _ => assert_eq!(result.unwrap_err().kind(), &ErrorKind::Protocol(Violation::FieldName)),
                    }
                }
            });
        }
    });
}
