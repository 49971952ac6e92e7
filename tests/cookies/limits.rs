//! How much servers may leave in a jar, and how much of it goes out.

use hostpool::{Cookie, CookieJar};

use super::{sent, url};

fn names(jar: &CookieJar) -> Vec<String> {
    jar.to_vec().iter().map(|cookie| cookie.name().into_owned()).collect()
}

#[test]
fn of_one_cookie() {
    let h = url("http://h/");
    for (id, name, value, fits) in [
        ("A10", 1, 4095, true),
        ("A10", 4096, 0, true),
        ("A10", 1, 4096, false),
        ("A10", 4097, 0, false),
        ("A10", 1, 1_000_000, false),
    ] {
        let field = format!("{}={}; Path=/{}", "n".repeat(name), "v".repeat(value), "p".repeat(1000));
        assert_eq!(CookieJar::new().set(&h, &field).is_ok(), fits, "{id}: {name}+{value}");
        assert_eq!(Cookie::parse(&field).is_ok(), fits, "{id}: {name}+{value}");
    }
    let small = CookieJar::builder().max_cookie_bytes(3).build();
    assert!(small.set(&h, "ab=c").is_ok() && small.set(&h, "ab=cd").is_err(), "A10");
    // Attributes of more than 1024 bytes are as if they were not there.
    for (id, len, path) in [("A10", 1024, 1024), ("A10", 1025, 1)] {
        let jar = CookieJar::new();
        jar.set(&h, &format!("a=b; Path=/{}", "p".repeat(len - 1))).unwrap();
        assert_eq!(jar.to_vec()[0].path().unwrap().len(), path, "{id}: {len}");
    }
    let jar = CookieJar::new();
    jar.set(&h, &format!("a=b; Domain=other; Domain={}", "x".repeat(1025))).unwrap_err();
    jar.set(&h, &format!("a=b; Domain={}", "x".repeat(1025))).unwrap();
    // Nor do the URL's own path and host get longer.
    assert!(jar.set(&url(&format!("http://h/{}/", "p".repeat(1024))), "a=b").is_err(), "A10");
    assert!(jar.set(&url(&format!("http://h/{}/", "p".repeat(1024))), "a=b; Path=/").is_ok(), "A10");
}

#[test]
fn of_what_is_kept() {
    let jar = CookieJar::new();
    for n in 0..500 {
        jar.set(&url(&format!("http://h{}.evil.test/", n % 7)), &format!("n{n}=1")).unwrap();
    }
    #[cfg(feature = "cookies")]
    assert_eq!(jar.len(), 180, "A10: a site counts as one, with all its hosts");
    jar.clear();
    for n in 0..3100 {
        jar.set(&url(&format!("http://h{n}.test/")), "n=1").unwrap();
    }
    assert_eq!(jar.len(), 3000, "A10");
    assert_eq!((sent(&jar, "http://h99.test/"), sent(&jar, "http://h100.test/")), (String::new(), "n=1".into()), "A10");
}

#[test]
fn what_goes_first() {
    let (h, s) = (url("http://h.test/"), url("https://h.test/"));
    let jar = CookieJar::builder().max_per_domain(3).max_cookies(4).build();
    jar.set(&s, "a=1; Secure").unwrap();
    jar.set(&h, "b=1").unwrap();
    jar.set(&h, "c=1; Path=/c").unwrap();
    // Used later than c was set.
    assert_eq!(sent(&jar, "http://h.test/"), "b=1");
    jar.set(&h, "d=1").unwrap();
    assert_eq!(names(&jar), ["a", "b", "d"], "A10: of those that are not Secure the one not used for longest");
    jar.set(&s, "e=1; Secure").unwrap();
    jar.set(&s, "f=1; Secure").unwrap();
    assert_eq!(names(&jar), ["a", "e", "f"], "A10");
    jar.set(&h, "g=1").unwrap();
    assert_eq!(names(&jar), ["a", "e", "f"], "A10: Secure ones stay");
    // Overwriting drives nothing out.
    jar.set(&s, "a=2; Secure").unwrap();
    assert_eq!(names(&jar), ["a", "e", "f"], "A10");
    jar.set(&url("http://g.test/"), "g=1").unwrap();
    jar.set(&url("http://i.test/"), "i=1").unwrap();
    assert_eq!(names(&jar), ["a", "f", "g", "i"], "A10: of all the one not used for longest");
    jar.insert_shared("own", "1").unwrap();
    assert_eq!(jar.len(), 5, "A10: what the caller gives is not counted");
    let none = CookieJar::builder().max_cookies(0).build();
    none.set(&h, "a=1").unwrap();
    assert!(none.is_empty(), "A10");
}

#[test]
fn of_what_is_sent() {
    let h = url("http://h/");
    let jar = CookieJar::new();
    for n in 0..180 {
        jar.set(&h, &format!("n{n}=1")).unwrap();
    }
    assert_eq!(sent(&jar, "http://h/").split("; ").count(), 150, "A10");
    assert_eq!(jar.cookies_for(&h).len(), 150, "A10");
    jar.clear();
    for n in 0..10 {
        jar.set(&h, &format!("n{n}={}", "v".repeat(1021))).unwrap();
    }
    for n in 10..40 {
        jar.set(&h, &format!("n{n}={}", "v".repeat(1020))).unwrap();
    }
    // 31 of 1024 bytes with 30 separators; another would make 32,830.
    assert_eq!(sent(&jar, "http://h/").len(), 31 * 1024 + 30 * 2, "A10");
    assert!(sent(&jar, "http://h/").starts_with("n9="), "RW-22: the oldest are left out");
}

/// Row RW-22: what is left out, and in which order the rest goes.
#[test]
fn the_least_recently_used_are_left_out() {
    let h = url("http://h/");
    let jar = CookieJar::new();
    for n in 0..3 {
        jar.set(&h, &format!("n{n}={}", "v".repeat(3200 - 3))).unwrap();
    }
    jar.set(&h, "sid=1").unwrap();
    assert_eq!(sent(&jar, "http://h/").len(), 3 * 3200 + 5 + 3 * 2, "RW-22");
    assert!(sent(&jar, "http://h/").ends_with("; sid=1"), "RW-22");

    let jar = CookieJar::builder().max_header_bytes(10).max_sent(2).build();
    jar.set(&h, "a=1").unwrap();
    jar.set(&h, "b=2345").unwrap();
    assert_eq!(sent(&jar, "http://h/"), "b=2345", "RW-22: eleven bytes are too many");
    jar.set(&h, "b=234").unwrap();
    assert_eq!(sent(&jar, "http://h/"), "a=1; b=234", "RW-22: ten are not");
    jar.set(&h, "c=3; Path=/c").unwrap();
    assert_eq!(sent(&jar, "http://h/c"), "c=3; a=1", "RW-22: of those used at the same time the newer one");
    jar.set(&h, "d=4").unwrap();
    assert_eq!(sent(&jar, "http://h/"), "a=1; d=4", "RW-22: b was not used for longest");
    jar.set(&h, "e=5678901234").unwrap();
    assert_eq!(sent(&jar, "http://h/"), "a=1; d=4", "RW-22: one that never fits drives nothing out");
    assert_eq!(jar.cookies_for(&h).len(), 2, "RW-22");
    assert!(jar.get(&h, "b").is_none() && jar.get(&h, "a").is_some(), "RW-22");
    jar.insert_shared("s", "1").unwrap();
    assert_eq!(sent(&jar, "http://h/"), "a=1; s=1", "RW-22: shared ones count");
}

/// Row RW-37: a full jar throws the right cookies out, whatever was used, removed and set again meanwhile.
#[test]
fn a_full_jar_in_motion() {
    let jar = CookieJar::builder().max_cookies(50).build();
    let host = |n: usize| format!("http://h{n}.test/");
    // By their last use, the least recent first.
    let mut model: Vec<usize> = Vec::new();
    let mut state = 1_u32;
    for _ in 0..20_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let n = (state >> 8) as usize % 80;
        let known = model.iter().position(|&known| known == n);
        match state >> 30 {
            0 if known.is_some() => drop(sent(&jar, &host(n))),
            1 if known.is_some() => {
                jar.set(&url(&host(n)), "n=; Max-Age=0").unwrap();
                model.remove(known.unwrap());
                continue;
            }
            _ => jar.set(&url(&host(n)), "n=1").unwrap(),
        }
        known.map(|at| model.remove(at));
        model.push(n);
        if model.len() > 50 {
            model.remove(0);
        }
    }
    let mut kept: Vec<String> = jar.to_vec().iter().map(|cookie| cookie.domain().unwrap().to_owned()).collect();
    let mut expected: Vec<String> = model.iter().map(|n| format!("h{n}.test")).collect();
    kept.sort_unstable();
    expected.sort_unstable();
    assert_eq!(kept, expected, "RW-37");
}
