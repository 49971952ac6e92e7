//! What every error shows and keeps.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use http::{Method, StatusCode};

use super::*;
use crate::urls::InvalidUrl;

#[test]
fn one_word_and_sendable() {
    fn sendable<T: Send + Sync + 'static>() {}
    sendable::<Error>();
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
}

#[test]
fn display_is_one_short_line_without_the_cause() {
    let text = format!("bad\x1b[31m\nline {}", "x".repeat(5000));
    let method = Method::from_bytes("M".repeat(5000).as_bytes()).unwrap();
    let url = Url::parse(&format!("http://h/{}", "p".repeat(5000))).unwrap();
    let file = std::path::PathBuf::from(format!("/a\n{}", "f".repeat(5000)));
    let error = Error::request(text.clone()).with_phase(Phase::Send).with_request(&method, &url);
    let error = error.with_source(crate::files::about(io::Error::other(text.clone()), &file));
    let shown = error.to_string();
    assert!(shown.starts_with("invalid request: bad\\u{1b}[31m\\nline xxx"), "{shown}");
    assert!(shown.contains("...: /a\\nfff") && shown.contains("... (sending the request, MMM"), "{shown}");
    assert!(shown.contains("... http://h/ppp") && shown.ends_with("...)") && shown.len() < 1024, "{shown}");
    assert!(Error::custom(text).to_string().starts_with("bad\\u{1b}[31m\\nline xxx"));
    assert_eq!(error.source().unwrap().to_string().len(), 400);
    assert!(format!("{error:?}").len() < 4096 && format!("{:#?}", [error]).len() < 4096);
}

/// A printed chain has every text once.
fn chain(error: &Error) -> String {
    let causes = std::iter::successors(Some(error as &dyn StdError), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[test]
fn what_is_shown_of_a_request() {
    let url = Url::parse("http://user:canary@h:81/list?token=canary#canary").unwrap();
    let about = |error: Error| error.with_request(&Method::POST, &url);
    let file = || crate::files::about(io::Error::other("the cause"), Path::new("/some/file"));
    let timeout = Error::timeout(Bound::Connect, Some(Duration::from_secs(30)), Phase::Tls);
    let table = [
        (
            about(Error::new(ErrorKind::Connect, Phase::Connect)),
            "no connection could be opened (connecting, POST http://h:81/list)",
        ),
        (Error::new(ErrorKind::Connect, Phase::Connect), "no connection could be opened (connecting)"),
        (Error::config("why"), "invalid configuration: why"),
        (about(Error::request("why")), "invalid request: why (POST http://h:81/list)"),
        (timeout, "the connect timeout of 30 s passed (in the TLS handshake)"),
        (Error::custom("why"), "why"),
        (Error::custom(file()), "/some/file: the cause"),
        (about(Error::custom(Error::request("why"))), "invalid request: why (POST http://h:81/list)"),
        (about(Error::custom(about(Error::request("why")))), "invalid request: why (POST http://h:81/list)"),
        (
            Error::new(ErrorKind::BodyRead, Phase::Send).with_source(file()),
            "the request's body could not be read: /some/file (sending the request): the cause",
        ),
        (Error::from(io::Error::other("why")), "why"),
        (Error::from(Error::request("why").into_io()), "invalid request: why"),
    ];
    for (error, expected) in table {
        assert_eq!(chain(&error), expected);
        assert!(!format!("{error:?} {error:#?}").contains("canary"), "{error:?}");
    }
}

/// UTIL-12: every kind says what it is, with the host and the cause, and survives inside an `io::Error`.
#[test]
fn every_kind_is_presentable() {
    let url = Url::parse("http://user:canary@h:81/?canary").unwrap();
    let mut shown = std::collections::HashSet::new();
    for kind in kinds() {
        assert!(shown.insert(kind.to_string()), "UTIL-12 {kind:?} reads like another");
        let error = Error::new(kind.clone(), Phase::Send).with_request(&Method::GET, &url).with_source("the cause");
        let check = |error: &Error| {
            let about = "(sending the request, GET http://h:81/)";
            match kind {
                ErrorKind::Custom => assert_eq!(chain(error), format!("the cause {about}")),
                _ => assert_eq!(chain(error), format!("{kind} {about}: the cause")),
            }
            assert_eq!((error.kind(), error.phase()), (&kind, Phase::Send), "UTIL-12");
            assert_eq!((error.method(), error.url()), (Some(&Method::GET), Some(&url)), "UTIL-12");
            assert_eq!(error.origin().map(Origin::host), Some("h"), "UTIL-12");
            assert!(error.cause().is_some() && !format!("{error:?}").contains("canary"), "UTIL-12");
        };
        check(&error);
        check(Error::from_io(&io::Error::from(error)).unwrap());
    }
}

fn kinds() -> [ErrorKind; 37] {
    let header = crate::Headers::new().append("X", "\0").unwrap_err();
    [
        ErrorKind::InvalidUrl(InvalidUrl::NoHost),
        ErrorKind::InvalidHeader(header),
        ErrorKind::InvalidRequest,
        ErrorKind::InvalidConfig,
        ErrorKind::Unsupported,
        ErrorKind::HostChanged,
        ErrorKind::BodyRead,
        ErrorKind::BodyLength { declared: 2, read: 1 },
        ErrorKind::UnrewindableBody,
        ErrorKind::Status(StatusCode::NOT_FOUND),
        ErrorKind::TooManyRedirects,
        ErrorKind::InvalidRedirect,
        ErrorKind::NotUpgraded,
        ErrorKind::WebSocketHandshake,
        ErrorKind::Protocol(Violation::StatusLine),
        ErrorKind::IncompleteBody { received: 1, expected: Some(2) },
        ErrorKind::IncompleteBody { received: 1, expected: None },
        ErrorKind::WebSocket { code: 1002 },
        ErrorKind::WebSocket { code: 1006 },
        ErrorKind::LimitExceeded(Limit::Body),
        ErrorKind::Decode,
        ErrorKind::ContentType,
        ErrorKind::Output,
        ErrorKind::Custom,
        ErrorKind::Panicked,
        ErrorKind::Resolve,
        ErrorKind::AddressRefused,
        ErrorKind::Connect,
        ErrorKind::ProxyRefused { status: Some(StatusCode::FORBIDDEN), socks_reply: None },
        ErrorKind::Tls,
        ErrorKind::Disconnected,
        ErrorKind::Io,
        ErrorKind::Timeout(Bound::Total),
        ErrorKind::PoolTimeout { waited: Duration::from_secs(1), in_use: 1, held_here: 0, queued: 0 },
        ErrorKind::WouldDeadlock { held: 1 },
        ErrorKind::Closed,
        ErrorKind::Cancelled,
    ]
}

/// The codes are a promise: the table of the documentation, the variants and the words are the same.
#[test]
fn codes() {
    let source = include_str!("kind.rs");
    let rows: Vec<_> = source.lines().filter_map(|line| line.trim().strip_prefix("/// | [`")).collect();
    let mut codes = std::collections::HashSet::new();
    for kind in kinds() {
        let code = kind.code();
        let name = format!("{kind:?}");
        let name = name.split(|c: char| !c.is_alphanumeric()).next().unwrap();
        assert!(
            rows.contains(&&*format!("{name}`](Self::{name}) | `{code}` |")),
            "{name} is not in the table as {code}"
        );
        let words = name.chars().flat_map(|c| c.is_uppercase().then_some('_').into_iter().chain(c.to_lowercase()));
        assert_eq!(format!("_{code}"), words.collect::<String>());
        codes.insert(code);
    }
    assert_eq!(codes.len(), rows.len());
}

/// Kinds that are counted or shown: the words of a reason do not make another kind.
#[test]
fn kinds_are_keys() {
    let counts =
        |errors: &[Error]| errors.iter().map(Error::kind).cloned().collect::<std::collections::HashSet<_>>().len();
    assert_eq!(counts(&[Error::request("one"), Error::request("other"), Error::config("one")]), 2);
    let shown = [Bound::Connect.to_string(), Phase::Body.to_string(), Limit::Trailers.to_string()];
    assert_eq!(shown, ["connect", "reading the body", "trailers"]);
    assert_eq!(format!("{:>6}", Bound::Read), "  read");
}

#[test]
fn the_kind_survives_io() {
    let table = [
        (ErrorKind::Timeout(Bound::Read), io::ErrorKind::TimedOut),
        (ErrorKind::IncompleteBody { received: 1, expected: Some(2) }, io::ErrorKind::UnexpectedEof),
        (ErrorKind::Protocol(Violation::ChunkSize), io::ErrorKind::InvalidData),
        (ErrorKind::Closed, io::ErrorKind::NotConnected),
        (ErrorKind::Cancelled, io::ErrorKind::ConnectionAborted),
        (ErrorKind::Tls, io::ErrorKind::Other),
    ];
    for (kind, expected) in table {
        let error = io::Error::from(Error::new(kind.clone(), Phase::Body));
        assert_eq!(error.kind(), expected);
        assert_eq!(Error::from_io(&error).map(Error::kind), Some(&kind));
    }
    let reset = Error::new(ErrorKind::Io, Phase::Body).with_source(io::Error::from(io::ErrorKind::ConnectionReset));
    assert_eq!(reset.into_io().kind(), io::ErrorKind::ConnectionReset);
}
