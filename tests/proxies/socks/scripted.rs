//! SOCKS proxies that follow a script, byte by byte.

use std::time::Duration;

use hostpool::{Bound, CancelToken, ErrorKind, Phase, Proxy, RequestBuilder, Retry, Session, Timeout, Violation};

use super::{ONE, resolving, six};
use crate::support::{Server, Step, eventually, ok, without_hanging};

const METHOD: &[u8] = &[5, 2];
const VERDICT: &[u8] = &[1, 0];
const REPLY: &[u8] = &[5, 0, 0, 1, 127, 0, 0, 1, 0, 80];

/// What this client sends: its methods, its login, and its request.
const SENT: [usize; 3] = [4, 1 + 1 + 4 + 1 + 6, 4 + 1 + 10 + 2];

/// A request for `named.test` through a proxy with a login.
fn get(proxy: &Server) -> RequestBuilder {
    hostpool::get("http://named.test/").proxy(format!("socks5h://user:canary@{}", proxy.addr))
}

/// The steps of a proxy with these answers.
fn answers(parts: [&[u8]; 3]) -> Vec<Step> {
    let steps = SENT.into_iter().zip(parts);
    steps.flat_map(|(len, part)| [Step::Record(len), Step::Send(part.to_vec())]).collect()
}

/// The steps of a proxy that stops after so many bytes of its answers.
fn stops_after(count: usize) -> Vec<Step> {
    let (mut steps, mut left) = (Vec::new(), count);
    for (len, part) in SENT.into_iter().zip([METHOD, VERDICT, REPLY]) {
        let now = left.min(part.len());
        steps.extend([Step::Record(len), Step::Send(part[..now].to_vec())]);
        left -= now;
        if now < part.len() {
            break;
        }
    }
    steps
}

const WHOLE: usize = METHOD.len() + VERDICT.len() + REPLY.len();

fn serves() -> Vec<Step> {
    vec![Step::Request, Step::Send(ok("hello"))]
}

/// S1: answers in any pieces, and addresses of each type in the reply.
#[test]
fn replies_that_open() {
    let name = [&[5, 0, 0, 3, 255][..], &[b'x'; 257]].concat();
    let v6 = [&[5, 0, 0, 4][..], &[0; 18]].concat();
    for reply in [REPLY, &[5, 0, 0, 3, 0, 0, 0], &name, &v6] {
        let proxy = Server::new(vec![[answers([METHOD, VERDICT, reply]), serves()].concat()]);
        assert_eq!(get(&proxy).send().unwrap().text().unwrap(), "hello", "{reply:?}");
        assert_eq!(
            proxy.seen.rest().concat(),
            b"\x05\x02\x00\x02\x01\x04user\x06canary\x05\x01\x00\x03\x0anamed.test\x00\x50"
        );
    }
    // The last byte of each message comes after all others have been read.
    for at in 1..REPLY.len() {
        let mut steps = answers([METHOD, VERDICT, &REPLY[..at]]);
        steps.extend([Step::Tell("half"), Step::Hold, Step::Send(REPLY[at..].to_vec())]);
        let proxy = Server::new(vec![[steps, serves()].concat()]);
        std::thread::scope(|scope| {
            let call = scope.spawn(|| get(&proxy).send());
            proxy.wait_for("half");
            assert!(proxy.seen.requests().is_empty());
            proxy.gate.open();
            assert_eq!(call.join().unwrap().unwrap().text().unwrap(), "hello", "{at}");
        });
    }
}

/// A proxy that stalls at each byte of its answers ends with the bound on connecting, and with the total.
#[test]
fn stalls() {
    for at in 0..WHOLE {
        for (timeout, bound) in [
            (Timeout::new().connect(Duration::from_millis(30)), Bound::Connect),
            (Timeout::from(Duration::from_millis(30)), Bound::Total),
        ] {
            let proxy = Server::new(vec![[stops_after(at), vec![Step::UntilClosed]].concat()]);
            let request = get(&proxy).timeout(timeout);
            let error = without_hanging(move || request.send()).unwrap_err();
            assert_eq!((error.kind(), error.phase()), (&ErrorKind::Timeout(bound), Phase::Proxy), "{at}");
            assert!(error.is_connect() && !error.maybe_processed());
            eventually("the connection is closed", || proxy.seen.open() == 0);
        }
    }
}

/// A proxy that ends at each byte of its answers.
#[test]
fn early_ends() {
    for reset in [false, true] {
        for at in 0..WHOLE {
            // A close that leaves bytes unread resets the connection, too.
            let end = if reset { vec![Step::Reset] } else { vec![] };
            let proxy = Server::new(vec![[stops_after(at), end].concat()]);
            let error = get(&proxy).send().unwrap_err();
            assert_eq!((error.kind(), error.phase()), (&ErrorKind::Disconnected, Phase::Proxy), "{at}: {error:?}");
            assert!(!error.maybe_processed() && !format!("{error} {error:?}").contains("canary"));
        }
    }
    let proxy = Server::new(vec![stops_after(2)]);
    let text = get(&proxy).send().unwrap_err().to_string();
    assert!(text.contains("it ended before its verdict on the login"), "{text}");
    // A Retry asks again.
    let proxy = Server::new(vec![stops_after(5), [answers([METHOD, VERDICT, REPLY]), serves()].concat()]);
    let retry = Retry::new(1);
    assert_eq!(get(&proxy).retries(retry).send().unwrap().text().unwrap(), "hello");
}

/// Bytes that are no SOCKS, refusals before the reply, and bytes after it.
#[test]
fn broken_proxies() {
    let violation = || ErrorKind::Protocol(Violation::SocksMessage);
    let refused = |error: &ErrorKind| matches!(error, ErrorKind::ProxyRefused { status: None, socks_reply: None, .. });
    let broken: [(&str, [&[u8]; 3], &str); 5] = [
        ("HTTP", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b""], "it speaks HTTP"),
        ("SOCKS4", [&[0, 91, 0, 0, 0, 0, 0, 0], b"", b""], "it speaks SOCKS4"),
        ("zeros", [METHOD, VERDICT, &[0; 10]], "it speaks SOCKS4"),
        ("a method that was not offered", [&[5, 1], b"", b""], "the method of authentication 1"),
        ("an unknown address", [METHOD, VERDICT, &[5, 0, 0, 9, 0]], "the unknown type 9"),
    ];
    for (row, parts, words) in broken {
        let proxy = Server::new(vec![answers(parts)]);
        let error = get(&proxy).send().unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&violation(), Phase::Proxy), "{row}");
        assert!(error.to_string().contains(words), "{row}: {error}");
    }
    let refusals: [(&str, [&[u8]; 3], &str); 3] = [
        ("no method", [&[5, 0xFF], b"", b""], "it does not accept a login and a password"),
        ("the login", [METHOD, &[1, 1], b""], "it does not accept this login and password"),
        ("the login, by a proxy with another version", [METHOD, &[5, 0xFF], b""], "this login"),
    ];
    for (row, parts, words) in refusals {
        let proxy = Server::new(vec![answers(parts)]);
        // It does not help to ask again.
        let error = get(&proxy).retries(Retry::new(3)).send().unwrap_err();
        assert!(refused(error.kind()) && error.phase() == Phase::Proxy, "{row}: {error:?}");
        assert!(error.to_string().contains(words) && !format!("{error:?}").contains("canary"), "{row}: {error}");
        assert_eq!(proxy.seen.accepted(), 1, "{row}");
    }
    // A truncated refusal says what it says.
    let proxy = Server::new(vec![answers([METHOD, VERDICT, &[5, 2]])]);
    let error = get(&proxy).send().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ProxyRefused { socks_reply: Some(2), .. }), "{error:?}");

    // C11: what comes after the reply and before the first byte of the client is no answer to it.
    let glued = [REPLY, b"HTTP/1.1 200 OK\r\n\r\n"].concat();
    let proxy = Server::new(vec![[answers([METHOD, VERDICT, &glued]), serves()].concat()]);
    let error = get(&proxy).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Protocol(Violation::BytesInTunnel), Phase::Proxy));
    assert!(proxy.seen.requests().is_empty());
}

/// S3: with a login a proxy may still want none, unless that is forbidden. Then the request does not leave.
#[test]
fn logins_that_are_not_taken() {
    let steps = vec![Step::Record(4), Step::Send(vec![5, 0]), Step::Record(SENT[2]), Step::Send(REPLY.to_vec())];
    let proxy = Server::new(vec![[steps, serves()].concat()]);
    assert_eq!(get(&proxy).send().unwrap().text().unwrap(), "hello");
    let proxy = Server::new(vec![vec![Step::Record(3), Step::Send(vec![5, 0]), Step::Rest]]);
    let strict = Proxy::parse(&format!("socks5h://user:canary@{}", proxy.addr)).unwrap().require_auth(true);
    let error = hostpool::get("http://named.test/").proxy(strict).send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Protocol(Violation::SocksMessage));
    eventually("the connection is closed", || proxy.seen.rest().len() == 2);
    assert_eq!(proxy.seen.rest(), [b"\x05\x01\x02".to_vec(), Vec::new()]);
}

/// Another thread ends the wait for a tunnel, by a token and with all calls.
#[test]
fn cancelled() {
    for at in [0, 2, 4, WHOLE - 1] {
        for by_token in [true, false] {
            let steps = [stops_after(at), vec![Step::Tell("asked"), Step::UntilClosed]].concat();
            let (proxy, token, session) = (Server::new(vec![steps]), CancelToken::new(), Session::new());
            let request = session.get("http://named.test/").proxy(format!("socks5h://user:canary@{}", proxy.addr));
            let request = request.cancel_with(&token);
            let call = std::thread::spawn(move || request.send());
            proxy.wait_for("asked");
            match by_token {
                true => token.cancel(),
                false => session.cancel_all(),
            }
            let error = call.join().unwrap().unwrap_err();
            assert!(error.is_cancelled() && error.phase() == Phase::Proxy, "{error:?}");
            eventually("the connection is closed", || proxy.seen.open() == 0);
        }
    }
}

/// A proxy that ends the connection in place of a reply, as some do that know no IPv6, is asked for the next address.
#[test]
fn ends_in_place_of_a_reply() {
    let ask = |len| vec![Step::Record(3), Step::Send(vec![5, 0]), Step::Record(len)];
    let opens = [ask(10), vec![Step::Send(REPLY.to_vec())], serves()].concat();
    for end in [vec![], vec![Step::Reset]] {
        let proxy = Server::new(vec![[ask(22), end].concat(), opens.clone()]);
        let session =
            Session::builder().proxy(format!("socks5://{}", proxy.addr)).resolver(resolving(&[six(1), ONE]).0);
        let session = session.build().unwrap();
        assert_eq!(session.get("http://named.test/").send().unwrap().text().unwrap(), "hello");
    }
    let proxy = Server::new(vec![ask(22), ask(10)]);
    let session = Session::builder().proxy(format!("socks5://{}", proxy.addr)).resolver(resolving(&[six(1), ONE]).0);
    let error = session.build().unwrap().get("http://named.test/").send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Disconnected, Phase::Proxy));
    assert_eq!(proxy.seen.accepted(), 2);
    // The end of a proxy that has replied about an address before is an answer: no other way of a list is tried.
    let replies = [ask(22), vec![Step::Send(vec![5, 5, 0, 1, 0, 0, 0, 0, 0, 0])]].concat();
    let (proxy, second) = (Server::new(vec![replies, ask(10)]), crate::origin("second"));
    let ways = [format!("socks5://{}", proxy.addr), second.url("")].map(|url| Proxy::parse(&url).unwrap());
    let choice = hostpool::ProxyChoice::from_iter(ways);
    let session = Session::builder().choose_proxy(move |_| Ok(choice.clone())).resolver(resolving(&[six(1), ONE]).0);
    let error = session.build().unwrap().get("http://named.test/").send().unwrap_err();
    assert_eq!((error.kind(), error.failed_ways().len()), (&ErrorKind::Disconnected, 0));
    assert_eq!((proxy.seen.accepted(), second.seen.accepted()), (2, 0));
    // An end before that is not about the address.
    let proxy = Server::new(vec![vec![Step::Record(3)]]);
    let session = Session::builder().proxy(format!("socks5://{}", proxy.addr)).resolver(resolving(&[six(1), ONE]).0);
    session.build().unwrap().get("http://named.test/").send().unwrap_err();
    assert_eq!(proxy.seen.accepted(), 1);
}
