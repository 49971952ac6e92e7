use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Method, StatusCode};

use super::*;
use crate::error::{TlsFault, Violation};
use crate::headers::Headers;

fn error(kind: ErrorKind, phase: Phase, maybe_processed: bool) -> RetryCause {
    RetryCause::Error { kind, phase, maybe_processed }
}

fn connect() -> RetryCause {
    error(ErrorKind::Connect, Phase::Connect, false)
}

fn read() -> RetryCause {
    error(ErrorKind::Timeout(Bound::Read), Phase::Head, true)
}

fn status(code: u16) -> RetryCause {
    RetryCause::Status(StatusCode::from_u16(code).unwrap())
}

fn redirect() -> RetryCause {
    RetryCause::redirect(StatusCode::FOUND, url("/next"), "next")
}

fn url(target: &str) -> Url {
    Url::parse(&format!("http://h{target}")).unwrap()
}

fn after(retry: Retry, causes: impl IntoIterator<Item = RetryCause>) -> Retry {
    causes.into_iter().fold(retry, |retry, cause| retry.increment(&Method::GET, &url("/"), cause))
}

const NONE: RetryCount = RetryCount::Unlimited;
const OFF: RetryCount = RetryCount::Off;

#[test]
fn which_try_is_the_last() {
    let seconds = |retry: Retry, cause: fn() -> RetryCause| {
        let mut retry = retry;
        (1..20).find(|_| {
            retry = after(retry.clone(), [cause()]);
            retry.is_exhausted()
        })
    };
    type Row = (&'static str, Retry, fn() -> RetryCause, Option<usize>);
    let table: &[Row] = &[
        ("RT-02", Retry::new(2).connect(3), connect, Some(3)),
        ("RT-03", Retry::new(3).connect(2), connect, Some(3)),
        ("RT-05", Retry::new(NONE).connect(2), connect, Some(3)),
        ("RT-05 read", Retry::new(NONE).connect(2), read, None),
        ("RT-08", Retry::new(NONE).read(0), read, Some(1)),
        ("RT-09", Retry::new(NONE).status(2), || status(400), Some(3)),
        ("RT-18", Retry::new(0), read, Some(1)),
        ("RT-18 one", Retry::new(1), read, Some(2)),
        ("off", Retry::off(), connect, Some(1)),
        ("redirects", Retry::new(10).redirect(2), redirect, Some(3)),
        ("redirects in all", Retry::new(1), redirect, Some(2)),
        ("other", Retry::new(10).other(0), || error(ErrorKind::Tls, Phase::Tls, false), Some(1)),
        ("never", Retry::new(10), || error(ErrorKind::BodyRead, Phase::Send, true), Some(1)),
    ];
    for (row, retry, cause, last) in table {
        assert_eq!(seconds(retry.clone(), *cause), *last, "{row}");
    }
    assert!(!Retry::new(0).is_exhausted(), "RT-18");
    assert_eq!(after(Retry::new(1), [read()]).total(), RetryCount::AtMost(0), "RT-18");
    assert_eq!(after(Retry::new(NONE), [read()]).total(), NONE);
    assert!(after(Retry::new(0), [read(), read()]).is_exhausted(), "once exhausted it stays so");
}

#[test]
fn kinds_by_how_far_the_request_had_come() {
    let protocol = ErrorKind::Protocol(Violation::StatusLine);
    let table = [
        (ErrorKind::Resolve, Phase::Resolve, false, Some(Kind::Connect)),
        (ErrorKind::Connect, Phase::Connect, false, Some(Kind::Connect)),
        (ErrorKind::Timeout(Bound::Connect), Phase::Connect, false, Some(Kind::Connect)),
        (ErrorKind::Tls, Phase::Tls, false, Some(Kind::Other)),
        (ErrorKind::Timeout(Bound::Connect), Phase::Tls, false, Some(Kind::Other)),
        (ErrorKind::Disconnected, Phase::Send, false, Some(Kind::Connect)),
        (ErrorKind::Disconnected, Phase::Send, true, Some(Kind::Read)),
        (ErrorKind::Disconnected, Phase::Head, true, Some(Kind::Read)),
        // A TLS failure after bytes had left is not a handshake that failed.
        (ErrorKind::Tls, Phase::Head, true, Some(Kind::Read)),
        (ErrorKind::Io, Phase::Head, true, Some(Kind::Read)),
        (protocol, Phase::Head, true, Some(Kind::Read)),
        (ErrorKind::Protocol(Violation::IncompleteHead), Phase::Head, true, Some(Kind::Read)),
        (ErrorKind::Protocol(Violation::ChunkSize), Phase::Body, true, Some(Kind::Read)),
        (ErrorKind::Protocol(Violation::ConflictingContentLength), Phase::Head, true, None),
        (ErrorKind::Protocol(Violation::ContentLength), Phase::Head, true, None),
        (ErrorKind::Protocol(Violation::TransferEncoding), Phase::Head, true, None),
        (ErrorKind::Protocol(Violation::FoldedFraming), Phase::Head, true, None),
        (ErrorKind::Protocol(Violation::FieldName), Phase::Head, true, None),
        (ErrorKind::Protocol(Violation::UnexpectedUpgrade), Phase::Head, true, None),
        (ErrorKind::Timeout(Bound::Head), Phase::Head, true, Some(Kind::Read)),
        (ErrorKind::IncompleteBody { received: 1, expected: Some(2) }, Phase::Body, true, Some(Kind::Read)),
        (ErrorKind::Timeout(Bound::Total), Phase::Connect, false, None),
        (ErrorKind::Timeout(Bound::Pool), Phase::Pool, false, None),
        (
            ErrorKind::PoolTimeout { waited: Duration::ZERO, in_use: 1, held_here: 0, queued: 0 },
            Phase::Pool,
            false,
            None,
        ),
        (ErrorKind::WouldDeadlock { held: 1 }, Phase::Pool, false, None),
        (ErrorKind::Closed, Phase::Pool, false, None),
        (ErrorKind::Closed, Phase::Head, true, None),
        (ErrorKind::InvalidRequest, Phase::Prepare, false, None),
        (ErrorKind::InvalidConfig, Phase::Connect, false, None),
        (ErrorKind::Unsupported, Phase::Connect, false, None),
        (ErrorKind::BodyRead, Phase::Send, false, None),
        (ErrorKind::Custom, Phase::Prepare, false, None),
        (ErrorKind::Decode, Phase::Body, true, None),
        (ErrorKind::LimitExceeded(crate::error::Limit::HeadBytes), Phase::Head, true, None),
    ];
    for (kind, phase, processed, expected) in table {
        assert_eq!(kind_of(&kind, phase, processed), expected, "{kind:?} {phase:?}");
    }
}

/// RW-31: if TLS gives a reason, the reason decides.
#[test]
fn failures_that_last() {
    let of = |phase, lasts| {
        Error::new(ErrorKind::Tls, phase).with_source(crate::error::TlsFailure::new(TlsFault::Other, "why", lasts))
    };
    assert_eq!(depends_on_method(&of(Phase::Tls, true)), None);
    assert_eq!(depends_on_method(&of(Phase::Tls, false)), Some(false));
    assert_eq!(depends_on_method(&of(Phase::Head, true).with_maybe_processed(true)), None);
    assert_eq!(depends_on_method(&of(Phase::Head, false).with_maybe_processed(true)), Some(true));
    let cut = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    assert_eq!(depends_on_method(&Error::new(ErrorKind::Tls, Phase::Tls).with_source(cut)), Some(false));
}

#[test]
fn statuses_and_methods() {
    let post = Method::POST;
    let list = || Retry::new(3).status_forcelist([418, 503]);
    let table: &[(&str, Retry, &Method, u16, bool, bool)] = &[
        ("RT-17", list(), &Method::GET, 418, false, true),
        ("RT-17 method", list(), &post, 418, false, false),
        ("RT-17 status", list(), &Method::GET, 500, false, false),
        ("RT-17 any method", list().any_method(), &post, 418, false, true),
        ("named", list().allowed_methods([Method::POST]), &post, 418, false, true),
        (
            "named in lower case",
            list().allowed_methods([Method::from_bytes(b"post").unwrap()]),
            &post,
            418,
            false,
            true,
        ),
        ("not named", list().allowed_methods([Method::POST]), &Method::GET, 418, false, false),
        ("none is named", list().allowed_methods([]), &Method::GET, 418, false, false),
        ("413", Retry::new(3), &Method::GET, 413, true, true),
        ("429", Retry::new(3), &Method::GET, 429, true, true),
        ("503", Retry::new(3), &Method::GET, 503, true, true),
        ("503 without a word", Retry::new(3), &Method::GET, 503, false, false),
        ("500 with one", Retry::new(3), &Method::GET, 500, true, false),
        ("429, method", Retry::new(3), &post, 429, true, false),
        ("not respected", Retry::new(3).respect_retry_after_header(false), &Method::GET, 429, true, false),
        ("unlimited", Retry::new(NONE), &Method::GET, 429, true, true),
        ("nothing left, asked", Retry::new(0), &Method::GET, 429, true, false),
        ("nothing left, listed", Retry::new(0).status_forcelist([503]), &Method::GET, 503, true, true),
        ("off", Retry::off().status_forcelist([503]), &Method::GET, 503, true, false),
        ("status off", list().status(OFF), &Method::GET, 503, false, false),
    ];
    for (row, retry, method, code, word, expected) in table {
        assert_eq!(retry.is_retry(method, StatusCode::from_u16(*code).unwrap(), *word), *expected, "{row}");
    }
}

#[test]
fn redirects_are_returned_where_they_are_off() {
    let table = [
        ("RT-06 0", Retry::new(0), false),
        ("RT-06 off", Retry::off(), true),
        ("redirect off", Retry::new(3).redirect(OFF), true),
        ("redirect 0", Retry::new(3).redirect(0), false),
    ];
    for (row, retry, returned) in table {
        assert_eq!(retry.returns_redirects(), returned, "{row}");
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// Returns the waits after the first, second, ... of these causes.
fn waits(retry: Retry, causes: &[RetryCause], chance: u64) -> Vec<f64> {
    let mut retry = retry;
    let each = causes.iter().map(|cause| {
        retry = after(retry.clone(), [cause.clone()]);
        let wait = retry.backoff(chance);
        retry = retry.clone().waiting(wait);
        wait.as_secs_f64()
    });
    each.collect()
}

#[test]
fn waits_between_tries() {
    let retry = || Retry::new(NONE).backoff_factor(SECOND);
    let reads = vec![read(); 5];
    let half = u64::MAX / 2;
    type Row<'a> = (&'a str, Retry, &'a [RetryCause], u64, &'a [f64]);
    let table: &[Row<'_>] = &[
        ("none", Retry::new(NONE), &reads, half, &[0.0, 0.0, 0.0, 0.0, 0.0]),
        ("doubled", retry(), &reads, half, &[0.0, 2.0, 4.0, 8.0, 16.0]),
        ("RT-11", retry().backoff_max(SECOND), &reads, half, &[0.0, 1.0, 1.0, 1.0, 1.0]),
        ("RT-14", retry(), &[read(), read(), redirect(), read(), read()], half, &[0.0, 2.0, 0.0, 0.0, 2.0]),
        ("RT-12 least", retry().backoff_jitter(SECOND), &reads[..2], 0, &[0.0, 2.0]),
        ("RT-12 most", retry().backoff_jitter(SECOND), &reads[..2], u64::MAX, &[0.0, 3.0]),
        ("RT-12 cap", retry().backoff_jitter(9 * SECOND).backoff_max(5 * SECOND), &reads[..2], u64::MAX, &[0.0, 5.0]),
        ("full, least", retry().jitter(Jitter::Full), &reads[..3], 0, &[0.0, 0.0, 0.0]),
        ("full, most", retry().jitter(Jitter::Full), &reads[..3], u64::MAX, &[1.0, 2.0, 4.0]),
        ("equal, least", retry().jitter(Jitter::Equal), &reads[..3], 0, &[0.5, 1.0, 2.0]),
        ("equal, most", retry().jitter(Jitter::Equal), &reads[..3], u64::MAX, &[1.0, 2.0, 4.0]),
        ("decorrelated, least", retry().jitter(Jitter::Decorrelated), &reads[..3], 0, &[1.0, 1.0, 1.0]),
        ("decorrelated, most", retry().jitter(Jitter::Decorrelated), &reads[..3], u64::MAX, &[3.0, 9.0, 27.0]),
        (
            "decorrelated, cap",
            retry().jitter(Jitter::Decorrelated).backoff_max(5 * SECOND),
            &reads[..3],
            u64::MAX,
            &[3.0, 5.0, 5.0],
        ),
        ("all chances at once", retry().jitter(Jitter::Full).backoff_max(Duration::ZERO), &reads[..1], half, &[0.0]),
    ];
    for (row, retry, causes, chance, expected) in table {
        assert_eq!(waits(retry.clone(), causes, *chance), *expected, "{row}");
    }
    let many = vec![read(); 200];
    let longest = Retry::new(NONE).backoff_factor(Duration::MAX).backoff_max(Duration::MAX);
    for jitter in [Jitter::None, Jitter::Added(Duration::MAX), Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
        for chance in [0, half, u64::MAX] {
            // No setting overflows.
            waits(longest.clone().jitter(jitter), &many, chance);
        }
    }
}

#[test]
fn retry_after_as_it_comes() {
    // 1994-11-06 08:19:25 GMT.
    let now = UNIX_EPOCH + Duration::from_secs(784_109_965);
    let table: &[(&str, &str, Option<u64>)] = &[
        ("RT-27", "3600", Some(3600)),
        ("leading zeros", "007", Some(7)),
        ("zero", "0", Some(0)),
        ("RT-24 -1", "-1", None),
        ("RT-24 +1", "+1", None),
        ("RT-24 1.0", "1.0", None),
        ("RT-24 superscript", "\u{b2}", None),
        ("words", "soon", None),
        ("empty", "", None),
        ("more than a number holds", "99999999999999999999999999", Some(u64::MAX)),
        ("RT-29 IMF", "Sun, 06 Nov 1994 08:49:37 GMT", Some(1812)),
        ("RT-29 RFC 850", "Sunday, 06-Nov-94 08:49:37 GMT", Some(1812)),
        ("RT-29 asctime", "Sun Nov  6 08:49:37 1994", Some(1812)),
        ("RT-29 no zone", "Sun, 06 Nov 1994 08:49:37", Some(1812)),
        ("past", "Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
        ("long past", "Thu, 01 Jan 1601 00:00:00 GMT", Some(0)),
        ("no date", "Sun, 99 Nov 1994 08:49:37 GMT", None),
        ("a number in front of a date", "06 Nov 1994 08:49:37", None),
    ];
    for (row, value, expected) in table {
        let mut headers = Headers::new();
        headers.append("Retry-After", value.trim().as_bytes()).unwrap();
        assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{row}");
    }
    assert_eq!(retry_after(&Headers::new(), now), None);
    assert_eq!(retry_after(&Headers::new(), SystemTime::UNIX_EPOCH - SECOND), None);
}

#[test]
fn retry_after_as_it_counts() {
    let asked = |seconds| Some(Duration::from_secs(seconds));
    let table = [
        ("RT-15 allowed", Retry::new(3), 120, asked(120)),
        ("RT-15 clipped", Retry::new(3), 121, asked(120)),
        ("RT-15 as long as urllib3's", Retry::new(3).retry_after_max(6 * 3600 * SECOND), 21_601, asked(21_600)),
        ("RT-15 own", Retry::new(3).retry_after_max(SECOND), 3600, asked(1)),
        ("RT-27 not respected", Retry::new(3).respect_retry_after_header(false), 3600, None),
    ];
    for (row, retry, seconds, expected) in table {
        assert_eq!(retry.clamp(asked(seconds)), expected, "{row}");
        assert_eq!(after(retry, [read()]).clamp(asked(seconds)), expected, "RT-26 {row}");
    }
}

#[test]
fn history_has_all_in_order() {
    let causes = [connect(), read(), redirect(), status(503)];
    let mut retry = Retry::new(3);
    for (number, cause) in causes.iter().enumerate() {
        let method = [Method::GET, Method::POST][number % 2].clone();
        retry = retry.increment(&method, &url(&format!("/{number}#part")), cause.clone()).waiting(SECOND);
    }
    assert!(retry.is_exhausted(), "RT-21: the last one is in it");
    for (number, (past, cause)) in retry.history().iter().zip(&causes).enumerate() {
        assert_eq!(past.cause(), cause, "RT-21");
        assert_eq!(past.url().as_str(), format!("http://h/{number}"));
        assert_eq!(past.method().as_str(), ["GET", "POST"][number % 2]);
        assert_eq!(past.waited(), SECOND);
    }
    assert_eq!(retry.history().len(), causes.len());
}

#[test]
fn a_budget_is_shared() {
    let budget = RetryBudget::new(2);
    let taken: Vec<bool> = (0..3).map(|_| budget.clone().take()).collect();
    assert_eq!(taken, [true, true, false]);
    for _ in 0..9 {
        budget.deposit();
    }
    assert!(!budget.take(), "nine tenths are none");
    budget.deposit();
    assert!(budget.take());
    for _ in 0..1000 {
        budget.deposit();
    }
    assert_eq!(budget.left(), 2, "it holds no more than it did");
    let generous = RetryBudget::new(1).per_hundred_calls(100);
    assert!(generous.take() && !generous.take());
    generous.deposit();
    assert!(generous.take());
    assert_ne!(Retry::new(1).budget(&budget), Retry::new(1).budget(&generous));
    assert_eq!(Retry::new(1).budget(&budget), Retry::new(1).budget(budget.clone()));
    assert!(!RetryBudget::new(0).take());
}
