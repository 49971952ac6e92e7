//! URLs, timeouts, limits and retries as they stand in configuration files.
#![cfg(feature = "serde")]

use std::time::Duration;

use hostpool::{Jitter, Limits, Method, Retry, RetryCount, Session, Timeout, Url};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The part of a program's configuration that is about its client.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Config<U = Url, T = Timeout, L = Limits, R = Retry> {
    url: U,
    timeout: T,
    limits: L,
    retries: R,
}

#[test]
fn a_file() {
    let text = r#"
        url = "https://user:secret@api.example/v1/"

        [timeout]
        pool = 0
        connect = "2.5s"
        read = 0.25
        head = "unlimited"
        total = "1m30s"
        min_rate = { bytes = 1000, per = "30 s" }

        [limits]
        max_body = "unlimited"
        head_fields = 50
        drain_time = "1s"

        [retries]
        total = 5
        redirect = "off"
        read = "unlimited"
        allowed_methods = ["GET", "purge"]
        status_forcelist = [502, 503]
        backoff_factor = "200ms"
        jitter = { added = "50ms" }
        raise_on_status = false
        remove_headers_on_redirect = ["X-Key"]
    "#;
    let config: Config = toml::from_str(text).unwrap();
    let seconds = Duration::from_secs_f64;
    let timeout = Timeout::new().pool(seconds(0.0)).connect(seconds(2.5)).read(seconds(0.25)).head(Duration::MAX);
    let retries = Retry::new(5).redirect(RetryCount::Off).status_forcelist([502, 503]).raise_on_status(false);
    let retries = retries.allowed_methods([Method::GET, Method::from_bytes(b"purge").unwrap()]);
    let retries = retries.backoff_factor(seconds(0.2)).jitter(Jitter::Added(seconds(0.05)));
    let expected = Config {
        url: Url::parse("https://user:secret@api.example/v1/").unwrap(),
        timeout: timeout.total(seconds(90.0)).min_rate(1000, seconds(30.0)),
        limits: Limits::new().max_body(u64::MAX).head_fields(50).drain_time(seconds(1.0)),
        retries: retries.remove_headers_on_redirect(["X-Key"]),
    };
    assert_eq!(config, expected);
    let builder = Session::builder().base_url(&config.url).timeout(config.timeout).limits(config.limits);
    builder.retries(config.retries).build().unwrap();
}

/// One value in place of a table.
#[test]
fn short_forms() {
    let timeout = |text| serde_json::from_str::<Timeout>(text).unwrap();
    for text in ["30", "30.0", r#""30s""#, r#""0.5m""#, r#"{"total": 30}"#] {
        assert_eq!(timeout(text), Timeout::from(Duration::from_secs(30)), "{text}");
    }
    assert_eq!(timeout("{}"), Timeout::new());
    let retry = |text| serde_json::from_str::<Retry>(text).unwrap();
    assert_eq!(retry("{}"), Retry::default());
    assert_eq!((retry("2"), retry(r#"{"total": 2}"#)), (Retry::new(2), Retry::new(2)));
    assert_eq!((retry("false"), retry(r#""off""#)), (Retry::off(), Retry::off()));
    assert_eq!(
        retry(r#"{"total": "unlimited", "allowed_methods": "any"}"#),
        Retry::new(RetryCount::Unlimited).any_method()
    );
    assert_eq!(serde_json::from_str::<Limits>("{}").unwrap(), Limits::new());
}

/// What is written is short where it can be, and can be read by people.
#[test]
fn what_is_written() {
    let minute = Duration::from_secs(60);
    let timeout = Timeout::new().connect(Duration::from_millis(2500)).total(minute).min_rate(9, minute);
    let expected = "total = \"1m\"\nconnect = \"2500ms\"\n\n[min_rate]\nbytes = 9\nper = \"1m\"\n";
    assert_eq!(toml::to_string(&timeout).unwrap(), expected);
    let retry = serde_json::to_value(Retry::new(3).other(RetryCount::Off)).unwrap();
    let expected = serde_json::json!({
        "total": 3, "connect": "unlimited", "read": "unlimited", "redirect": "unlimited", "status": "unlimited",
        "other": "off", "status_forcelist": [], "backoff_factor": "0s", "backoff_max": "2m", "jitter": "none",
        "respect_retry_after_header": true, "retry_after_max": "2m", "raise_on_redirect": true, "raise_on_status": true,
        "remove_headers_on_redirect": [],
    });
    assert_eq!(retry, expected);
    let limits = serde_json::to_value(Limits::new()).unwrap();
    assert_eq!((&limits["max_wire_body"], &limits["drain_time"]), (&"unlimited".into(), &"100ms".into()));
    assert_eq!(limits.as_object().unwrap().len(), 15);
}

/// Each error says what is wrong and what to write, and none repeats a URL.
#[test]
fn what_is_refused() {
    const DURATION: &str = "expected a duration: a number of seconds, a text with a unit such as \"30s\" or \"250ms\"";
    fn error<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
        serde_json::from_str::<T>(json).unwrap_err().to_string()
    }
    let table = [
        (error::<Timeout>(r#"{"conect": 3}"#), "unknown field `conect`, expected one of `total`, `pool`, `connect`"),
        (error::<Timeout>(r#"{"read": 3, "read": 4}"#), "duplicate field `read`"),
        (error::<Timeout>(r#"{"read": "30"}"#), "invalid value: string \"30\""),
        (error::<Timeout>(r#"{"read": "30"}"#), DURATION),
        (error::<Timeout>(r#"{"read": -1}"#), "invalid value: integer `-1`"),
        (error::<Timeout>(r#"{"read": -0.5}"#), "invalid value: floating point `-0.5`"),
        (error::<Timeout>(r#"{"read": 1e300}"#), DURATION),
        (error::<Timeout>(r#"{"read": null}"#), "invalid type: null"),
        (error::<Timeout>(r#"{"read": {"secs": 1, "nanos": 0}}"#), DURATION),
        (error::<Timeout>("true"), "expected a table of timeouts, or one duration for the whole request"),
        (error::<Timeout>(r#""3 parsecs""#), "string \"3 parsecs\""),
        (error::<Timeout>(r#"{"min_rate": 1000}"#), "such as { bytes = 1000, per = \"30s\" }"),
        (error::<Timeout>(r#"{"min_rate": {"bytes": 1}}"#), "missing field `per`"),
        (error::<Timeout>(r#"{"min_rate": {"per": 1}}"#), "missing field `bytes`"),
        (error::<Limits>(r#"{"max_bodi": 3}"#), "unknown field `max_bodi`, expected one of `head_bytes`"),
        (
            error::<Limits>(r#"{"max_body": -3}"#),
            "integer `-3`, expected a number that is not negative, or \"unlimited\"",
        ),
        (error::<Limits>(r#"{"max_body": "1MB"}"#), "string \"1MB\", expected a number that is not negative"),
        (error::<Limits>("7"), "expected a table of limits"),
        (error::<Retry>(r#"{"totl": 3}"#), "unknown field `totl`, expected one of `total`"),
        (error::<Retry>(r#"{"total": 4294967296}"#), "expected a number of tries, \"unlimited\" or \"off\""),
        (error::<Retry>("-1"), "integer `-1`, expected a number of tries"),
        (error::<Retry>("true"), "boolean `true`, expected a number of tries"),
        (error::<Retry>(r#"{"allowed_methods": ["G T"]}"#), "string \"G T\", expected the name of a method"),
        (
            error::<Retry>(r#"{"allowed_methods": "GET"}"#),
            "expected a list of methods such as [\"GET\", \"POST\"], or \"any\"",
        ),
        (error::<Retry>(r#"{"status_forcelist": [99]}"#), "integer `99`, expected a status from 100 to 999"),
        (error::<Retry>(r#"{"jitter": "some"}"#), "string \"some\", expected \"none\", \"full\""),
        (error::<Retry>(r#"{"jitter": {"added": 1, "most": 2}}"#), "unknown field `most`, expected `added`"),
        (error::<Url>(r#""api.example:80/canary""#), "invalid URL: no scheme: write http://api.example:80"),
        (
            error::<Url>(r#""ftp://user:canary@h/""#),
            "invalid URL: the scheme is not http, https, http+unix or https+unix",
        ),
        (error::<Url>(r#""http://user:canary@h:99999/""#), "invalid URL: the port is not a number from 1 to 65535"),
        (error::<Url>("7"), "integer `7`, expected the text of an http, https, http+unix or https+unix URL"),
    ];
    for (error, expected) in table {
        assert!(error.contains(expected), "{error}\n{expected}");
        assert!(!error.contains("canary"), "{error}");
    }
    // In a file the error shows the line.
    let error = toml::from_str::<Timeout>("connect = 3\nread = \"30\"\n").unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains(DURATION), "{error}");
}

fn durations() -> impl Strategy<Value = Duration> {
    let any = (any::<u64>(), 0..1_000_000_000u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos));
    prop_oneof![any, (0..100_000u64).prop_map(Duration::from_millis), Just(Duration::MAX), Just(Duration::ZERO)]
}

/// Counts that a number of TOML can hold, and none.
fn counts() -> impl Strategy<Value = u64> {
    prop_oneof![0..=i64::MAX as u64, Just(u64::MAX)]
}

fn tries() -> impl Strategy<Value = RetryCount> {
    prop_oneof![any::<u32>().prop_map(RetryCount::AtMost), Just(RetryCount::Unlimited), Just(RetryCount::Off)]
}

fn timeouts() -> impl Strategy<Value = Timeout> {
    type Set = fn(Timeout, Duration) -> Timeout;
    const SETTERS: [Set; 9] = [
        Timeout::total,
        Timeout::pool,
        Timeout::connect,
        Timeout::resolve,
        Timeout::tls,
        Timeout::write,
        Timeout::head,
        Timeout::read,
        Timeout::expect,
    ];
    let bounds = proptest::collection::vec((0..SETTERS.len(), durations()), 0..6);
    (bounds, proptest::option::of((counts(), durations()))).prop_map(|(bounds, rate)| {
        let timeout = bounds.into_iter().fold(Timeout::new(), |timeout, (at, time)| SETTERS[at](timeout, time));
        rate.map_or(timeout, |(bytes, per)| timeout.min_rate(bytes, per))
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    type Set = fn(Limits, u64) -> Limits;
    const SETTERS: [Set; 14] = [
        |limits, n| limits.head_bytes(n as usize),
        |limits, n| limits.head_fields(n as usize),
        |limits, n| limits.line_bytes(n as usize),
        |limits, n| limits.status_line_bytes(n as usize),
        |limits, n| limits.interim_responses(n as usize),
        |limits, n| limits.interim_bytes(n as usize),
        |limits, n| limits.trailer_bytes(n as usize),
        |limits, n| limits.trailer_fields(n as usize),
        |limits, n| limits.chunk_line_bytes(n as usize),
        |limits, n| limits.early_response(n as usize),
        Limits::chunk_framing_bytes,
        Limits::max_body,
        Limits::max_wire_body,
        Limits::drain_bytes,
    ];
    (proptest::collection::vec((0..SETTERS.len(), counts()), 0..8), durations()).prop_map(|(set, time)| {
        set.into_iter().fold(Limits::new(), |limits, (at, count)| SETTERS[at](limits, count)).drain_time(time)
    })
}

fn retries() -> impl Strategy<Value = Retry> {
    let counts = [(); 6].map(|()| tries());
    let jitter = prop_oneof![
        Just(Jitter::None),
        Just(Jitter::Full),
        Just(Jitter::Equal),
        Just(Jitter::Decorrelated),
        durations().prop_map(Jitter::Added),
    ];
    let methods = prop_oneof![
        Just(None),
        Just(Some(None)),
        proptest::collection::vec("[A-Za-z-]{1,9}", 0..3).prop_map(|names| Some(Some(names))),
    ];
    let lists =
        (methods, proptest::collection::vec(100..1000u16, 0..4), proptest::collection::vec("[a-z-]{1,9}", 0..3));
    let times = (durations(), durations(), durations());
    (counts, jitter, lists, times, any::<[bool; 3]>()).prop_map(|(counts, jitter, lists, times, flags)| {
        let [total, connect, read, redirect, status, other] = counts;
        let (methods, statuses, names) = lists;
        let retry = Retry::new(total).connect(connect).read(read).redirect(redirect).status(status).other(other);
        let retry = match methods {
            None => retry,
            Some(None) => retry.any_method(),
            Some(Some(names)) => {
                retry.allowed_methods(names.iter().map(|name| Method::from_bytes(name.as_bytes()).unwrap()))
            }
        };
        let retry = retry.status_forcelist(statuses).remove_headers_on_redirect(names).jitter(jitter);
        let retry = retry.backoff_factor(times.0).backoff_max(times.1).retry_after_max(times.2);
        let [respect, redirects, statuses] = flags;
        retry.respect_retry_after_header(respect).raise_on_redirect(redirects).raise_on_status(statuses)
    })
}

fn urls() -> impl Strategy<Value = Url> {
    let text = "https?://([a-z]{1,5}(:[a-z%2F]{0,5})?@)?[a-z]{1,9}(:[1-9][0-9]{0,3})?(/[ a-zA-Z0-9%é\"]{0,9}){0,2}(\\?[a-z=&+]{0,9})?(#[a-z]{0,3})?";
    text.prop_filter_map("a URL", |text| Url::parse(&text).ok())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(url in urls(), timeout in timeouts(), limits in limits(), retries in retries()) {
        let config = Config { url, timeout, limits, retries };
        let json: Config = serde_json::from_str(&serde_json::to_string(&config).unwrap()).unwrap();
        prop_assert_eq!(&json, &config);
        let toml: Config = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
        prop_assert_eq!(toml.url.as_str(), config.url.as_str());
        prop_assert_eq!(&toml, &config);
    }
}
