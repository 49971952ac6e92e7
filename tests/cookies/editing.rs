//! Cookies put in, looked at and taken out by hand.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hostpool::{Cookie, CookieJar, CookieRequest, CookieStore, ErrorKind, NoCookies, SameSite};

use super::{sent, url};

#[test]
fn a_set_cookie_field_without_a_jar() {
    let before = SystemTime::now();
    let cookie =
        Cookie::parse("sid=\"a b\"; Domain=.Example.COM; Path=/x; Max-Age=60; Secure; HttpOnly; SameSite=sTrIcT");
    let cookie = cookie.unwrap();
    assert_eq!((&*cookie.name(), &*cookie.value(), cookie.bytes()), ("sid", "\"a b\"", &b"\"a b\""[..]), "RS-11");
    assert_eq!((cookie.domain(), cookie.path()), (Some("example.com"), Some("/x")), "RS-11");
    assert!(cookie.secure() && cookie.http_only() && !cookie.host_only(), "RS-11");
    assert_eq!(cookie.same_site(), Some(SameSite::Strict), "RS-11");
    let left = cookie.expires().unwrap().duration_since(before).unwrap();
    assert!((59..=61).contains(&left.as_secs()), "RS-11: {left:?}");

    let cookie = Cookie::parse("a=").unwrap();
    assert_eq!((&*cookie.value(), cookie.domain(), cookie.path(), cookie.expires()), ("", None, None, None), "RS-11");
    assert!(!cookie.secure() && !cookie.http_only() && cookie.host_only(), "RS-11");
    assert_eq!(cookie.same_site(), None, "RS-11");
    let nameless = Cookie::parse("v; Path=/").unwrap();
    assert_eq!((&*nameless.name(), &*nameless.value(), nameless.path()), ("", "v", Some("/")), "RW-57");
    assert_eq!(Cookie::parse("a=; Max-Age=0").unwrap().expires(), Some(UNIX_EPOCH), "RS-11");
    for field in ["", "=", "__Host-canary", "=__secure-canary", "a=canary\n", "; a=canary"] {
        let error = Cookie::parse(field).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidRequest), "RS-11: {field:?}");
        assert!(!format!("{error} {error:?}").contains("canary"), "RS-11: {field:?}");
    }
}

#[test]
fn a_cookie_by_hand() {
    let end = UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    let builder = Cookie::builder("n", "v").domain(".Example.com").path("/p").expires(end);
    let cookie = builder.secure(true).http_only(true).same_site(SameSite::None).build().unwrap();
    let text = "Cookie(n=***; Domain=example.com; Path=/p; Expires=Tue, 02 Oct 2096 07:06:40 GMT; \
                Secure; HttpOnly; SameSite=None)";
    assert_eq!(format!("{cookie:?}"), text);
    assert_eq!(cookie.expires(), Some(end));
    assert!(Cookie::builder("n", "v").max_age(Duration::MAX).build().unwrap().expires().unwrap() < end);
    for (name, value) in [
        ("", ""),
        ("", "__Host-v"),
        ("a=b", "v"),
        ("a;b", "v"),
        ("a\n", "v"),
        (" a", "v"),
        ("a", "v;"),
        ("a", "\0"),
        ("a", "v "),
    ] {
        assert!(Cookie::builder(name, value).build().is_err(), "{name:?}={value:?}");
        assert!(CookieJar::new().insert_shared(name, value).is_err(), "{name:?}={value:?}");
    }
    for path in ["", "x", "/;", "/\n"] {
        assert!(Cookie::builder("n", "v").path(path).build().is_err(), "{path:?}");
    }
    for domain in ["", ".", "a;b", "a b\n"] {
        assert!(Cookie::builder("n", "v").domain(domain).build().is_err(), "{domain:?}");
    }
    let jar = CookieJar::new();
    let h = url("https://h.test/a/b");
    jar.insert(&h, Cookie::builder("n", "v").build().unwrap()).unwrap();
    assert_eq!((sent(&jar, "http://h.test/a/"), sent(&jar, "http://h.test/")), ("n=v".into(), String::new()));
    let refused = [
        Cookie::builder("n", "v").domain("other.test").build().unwrap(),
        Cookie::builder("__Host-n", "v").build().unwrap(),
    ];
    for cookie in refused {
        assert!(matches!(jar.insert(&h, cookie).unwrap_err().kind(), ErrorKind::InvalidRequest));
    }
    let secure = Cookie::builder("n", "v").secure(true).build().unwrap();
    assert!(jar.insert(&url("http://h.test/"), secure).is_err());
    // A jar keeps none for ever.
    jar.insert(&h, cookie_for_ever()).unwrap();
    assert!(jar.get(&h, "ever").unwrap().expires() < cookie_for_ever().expires(), "A10.7");
    // One out of a jar is for whom it is given, not for whom it was.
    let moved = jar.get(&h, "n").unwrap();
    jar.insert(&url("http://g.test/a/"), moved).unwrap();
    assert_eq!(sent(&jar, "http://g.test/a/"), "n=v");
}

fn cookie_for_ever() -> Cookie {
    Cookie::builder("ever", "v").expires(UNIX_EPOCH + Duration::from_secs(4_000_000_000)).build().unwrap()
}

#[test]
fn shared_cookies_go_to_whom_the_caller_names() {
    let jar = CookieJar::new();
    jar.insert_shared("a", "1").unwrap();
    jar.insert_shared("b", "2").unwrap();
    jar.insert_shared("a", "3").unwrap();
    jar.set(&url("http://h/"), "own=4").unwrap();
    assert_eq!(sent(&jar, "http://h/"), "own=4; a=3; b=2", "CS-07");
    assert_eq!(sent(&jar, "https://other/x"), "a=3; b=2", "CS-07");
    let (h, other) = (url("http://h/"), url("http://other/"));
    let redirected = |to| jar.cookie_header(&CookieRequest::new(to).cross_origin(true));
    assert_eq!(redirected(&h).as_deref(), Some(&b"own=4"[..]), "CS-07");
    assert_eq!(redirected(&other), None, "CS-07");
    // The server's own word is newer.
    jar.set(&h, "a=5; Path=/x").unwrap();
    assert_eq!(sent(&jar, "http://h/x"), "a=5; own=4; b=2", "CS-07");
    assert_eq!(sent(&jar, "http://h/"), "own=4; a=3; b=2", "CS-07");
    let shared = jar.to_vec().into_iter().find(|cookie| cookie.name() == "b").unwrap();
    assert_eq!((shared.domain(), shared.path(), shared.host_only()), (None, None, false), "CS-07");
}

/// CS-22: the session's jar is edited in place.
#[test]
fn looking_and_taking_out() {
    let jar = CookieJar::new();
    assert!(jar.is_empty() && jar.to_vec().is_empty());
    assert_eq!(jar.len(), 0);
    let same = jar.clone();
    for (from, field) in [
        ("http://a.h.test/", "one=1"),
        ("http://h.test/x/", "two=2"),
        ("http://h.test/", "two=3"),
        ("http://xh.test/", "three=4"),
        ("http://127.0.0.1/", "four=5"),
    ] {
        same.set(&url(from), field).unwrap();
    }
    jar.insert_shared("five", "6").unwrap();
    let names = |jar: &CookieJar| jar.into_iter().map(|cookie| cookie.value().into_owned()).collect::<String>();
    assert_eq!((jar.len(), names(&jar)), (6, "123456".into()), "CS-22");
    assert_eq!(jar.get(&url("http://h.test/x/y"), "two").unwrap().value(), "2", "CS-22");
    assert_eq!(jar.get(&url("http://h.test/x/y"), "one"), None, "CS-22");
    let values: Vec<_> = jar.cookies_for(&url("http://h.test/x/y")).iter().map(|c| c.value().into_owned()).collect();
    assert_eq!(values, ["2", "3", "6"], "CS-22");

    assert_eq!(jar.remove("h.test", "/", "two"), 1, "CS-22");
    assert_eq!(jar.remove("h.test", "/", "two"), 0, "CS-22");
    assert_eq!(names(&jar), "12456", "CS-22");
    assert_eq!(jar.clear_domain("0.0.1"), 0, "CS-22");
    assert_eq!(jar.clear_domain("H.test"), 2, "CS-22");
    assert_eq!(names(&jar), "456", "CS-22");
    // The predicate may use the jar.
    jar.retain(|cookie| {
        jar.set(&url("http://127.0.0.1/"), "four=7").unwrap();
        jar.len() == 3 && cookie.name() == "three"
    });
    assert_eq!(names(&jar), "47", "CS-22");
    jar.clear();
    assert!(same.is_empty(), "CS-22");
    assert_eq!(sent(&jar, "http://127.0.0.1/"), "");
}

#[test]
fn values_are_not_shown() {
    let jar = CookieJar::new();
    jar.set(&url("http://h/"), "n=canary").unwrap();
    jar.insert_shared("m", "canary").unwrap();
    let builder = Cookie::builder("n", "canary");
    let shown = format!("{jar:?} {jar:#?} {:?} {:#?} {builder:?}", jar.to_vec(), jar.to_vec());
    assert!(shown.contains("n=***") && !shown.contains("canary"), "{shown}");
}

#[test]
fn a_store_is_whatever_keeps_cookies() {
    fn shared<T: Clone + Send + Sync + 'static>(value: T) -> T {
        value
    }
    let stores: [(Arc<dyn CookieStore>, bool); 2] =
        [(Arc::new(shared(CookieJar::default())), true), (Arc::new(shared(NoCookies)), false)];
    for (store, keeps) in stores {
        let h = url("http://h/");
        store.store(&h, &mut [&b"a=1"[..], b"b=2"].into_iter());
        assert_eq!(store.cookie_header(&CookieRequest::new(&h)).is_some(), keeps);
    }
    let h = url("http://h/");
    let request = CookieRequest::new(&h).cross_origin(true);
    assert!(request.is_cross_origin() && request.url() == &h);
}

/// Each thread has a name of its own on every host, and all write one that they share.
#[test]
fn many_threads() {
    const THREADS: usize = 32;
    const ROUNDS: usize = 200;
    let jar = CookieJar::new();
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        for n in 0..THREADS {
            let (jar, barrier) = (&jar, &barrier);
            scope.spawn(move || {
                let hosts: Vec<_> = (0..4).map(|host| url(&format!("http://h{host}.test/"))).collect();
                barrier.wait();
                for round in 0..ROUNDS {
                    let host = &hosts[(n + round) % hosts.len()];
                    jar.set(host, &format!("n{n}={round}; Path=/")).unwrap();
                    jar.set(host, &format!("all={n}; Path=/")).unwrap();
                    let header = jar.cookie_header(&CookieRequest::new(host)).unwrap();
                    let header = String::from_utf8(header).unwrap();
                    let mine = format!("n{n}={round}");
                    assert!(header.split("; ").any(|cookie| cookie == mine), "A10.13: {mine} in {header}");
                    if round % 50 == 0 {
                        jar.retain(|_| true);
                        assert_eq!(jar.clear_expired(), 0);
                    }
                }
            });
        }
    });
    assert_eq!(jar.len(), 4 * (THREADS + 1), "A10.13");
    for host in 0..4 {
        let cookies = jar.cookies_for(&url(&format!("http://h{host}.test/")));
        assert_eq!(cookies.len(), THREADS + 1, "A10.13");
        for n in 0..THREADS {
            let last = (0..ROUNDS).rev().find(|round| (n + round) % 4 == host).unwrap().to_string();
            let name = format!("n{n}");
            assert!(cookies.iter().any(|cookie| cookie.name() == name && cookie.value() == last), "A10.13: {name}");
        }
    }
}
