//! A jar in a file.

use std::fs;
use std::time::Duration;

use hostpool::{Cookie, CookieJar, CookieRequest, CookieStore, ErrorKind, SameSite};

use super::{sent, url};

fn filled() -> CookieJar {
    let jar = CookieJar::new();
    let secure = url("https://www.example.com/a/b");
    jar.set(&secure, "z=1; Secure; HttpOnly; SameSite=Lax; Max-Age=86400").unwrap();
    jar.set(&secure, "a=2; Domain=example.com; Path=/").unwrap();
    jar.set(&url("http://127.0.0.1/"), "ip=\"3; Path=/x y").unwrap();
    jar.set(&url("http+unix://%2Frun%2Fa.sock/"), "unix=4").unwrap();
    jar.set(&url("http://[::1]/"), "v6=5").unwrap();
    jar.insert_shared("shared", "6").unwrap();
    jar.store(&secure, &mut [&b"raw\xFF=\xFE; Path=/"[..]].into_iter());
    jar.set(&secure, "__Host-h=7; Secure; Path=/").unwrap();
    jar
}

#[test]
fn a_jar_survives_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cookies.json");
    let jar = filled();
    jar.save(&path).unwrap();
    let again = CookieJar::load(&path).unwrap();
    assert_eq!(again.to_vec(), jar.to_vec(), "A10.12, B224, E19");
    let z = again.get(&url("https://www.example.com/a/"), "z").unwrap();
    assert!(z.host_only() && z.secure() && z.http_only() && z.same_site() == Some(SameSite::Lax), "A10.12");
    for to in ["https://www.example.com/a/b", "http://www.example.com/a", "http://example.com/", "http://127.0.0.1/x y"]
    {
        let sent = |jar: &CookieJar| jar.cookie_header(&CookieRequest::new(&url(to)));
        assert_eq!(sent(&again), sent(&jar), "A10.12: {to}");
    }
    assert_eq!(sent(&again, "http://sub.www.example.com/a/b"), sent(&jar, "http://sub.www.example.com/a/b"), "E19");
    assert!(!sent(&again, "https://sub.www.example.com/a/b").contains("z=1"), "E19");
    // What is there already is overwritten or stays.
    let other = CookieJar::new();
    other.set(&url("https://www.example.com/a/b"), "z=old").unwrap();
    other.set(&url("https://other.example.com/"), "o=1").unwrap();
    other.add_file(&path).unwrap();
    assert_eq!(other.len(), jar.len() + 1, "B224");
    assert_eq!(other.get(&url("https://www.example.com/a/"), "z").unwrap().value(), "1", "B224");
}

#[test]
fn a_file_is_the_users_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cookies.json");
    fs::write(&path, "old").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        filled().save(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600, "B224, E20");
    }
    filled().save(&path).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "E20: nothing is left beside it");
    // A failure leaves what was there.
    let taken = folder.path().join("folder");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("file"), "x").unwrap();
    let error = filled().save(&taken).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Output, "E20");
    assert!(error.to_string().contains(taken.to_str().unwrap()), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "E20");
    assert_eq!(filled().save(folder.path().join("none/cookies.json")).unwrap_err().kind(), &ErrorKind::Output);
    assert_eq!(filled().save("/").unwrap_err().kind(), &ErrorKind::Output);
    let error = CookieJar::load(folder.path().join("none.json")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidConfig) && error.to_string().contains("none.json"), "{error}");
    let error = CookieJar::load(taken.join("file")).unwrap_err();
    assert!(error.kind() == &ErrorKind::Decode && error.to_string().contains("folder/file"), "{error}");
}

fn cookie(changes: &[(&str, serde_json::Value)]) -> String {
    let mut cookie = serde_json::json!({
        "name": "n", "value": "v", "domain": "www.example.com", "host_only": true, "path": "/", "expires": null,
        "secure": false, "http_only": false, "same_site": null,
    });
    for (key, value) in changes {
        match value.as_str() {
            Some("-") => drop(cookie.as_object_mut().unwrap().remove(*key)),
            _ => cookie[*key] = value.clone(),
        }
    }
    serde_json::json!({ "cookies": [cookie] }).to_string()
}

#[test]
fn what_is_no_file_of_cookies_adds_nothing() {
    let texts = [
        String::new(),
        "[]".into(),
        "{}".into(),
        "{\"cookies\": 1}".into(),
        "{\"cookies\": [1]}".into(),
        "{\"cookies\": [{}]}".into(),
        cookie(&[("name", "-".into())]),
        cookie(&[("host_only", "-".into())]),
        cookie(&[("host_only", 1.into())]),
        cookie(&[("secure", "-".into())]),
        cookie(&[("domain", "-".into())]),
        cookie(&[("expires", "soon".into())]),
        cookie(&[("expires", 1e300.into())]),
        cookie(&[("same_site", "canary".into())]),
        cookie(&[("name", "-".into()), ("name_base64", "%".into())]),
        format!("{}canary", cookie(&[])),
        format!("{{\"cookies\": {}", "[".repeat(100_000)),
    ];
    for text in texts {
        let jar = CookieJar::new();
        let error = jar.add_json(&text).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Decode, "E20: {text}");
        assert!(!format!("{error} {error:?}").contains("canary"), "E20: {error}");
        assert!(jar.is_empty() && CookieJar::from_json(&text).is_err(), "E20: {text}");
    }
}

#[test]
fn what_no_server_could_have_set_is_left_out() {
    let past = serde_json::json!(1);
    let table = [
        ("E20", cookie(&[]), 1),
        ("E20", cookie(&[("expires", past)]), 0),
        ("RW-57", cookie(&[("name", "".into())]), 1),
        ("RW-57", cookie(&[("name", "".into()), ("value", "__Host-n=v".into())]), 0),
        ("E20", cookie(&[("name", "".into()), ("value", "".into())]), 0),
        ("E20", cookie(&[("value", "a\r\nX: y".into())]), 0),
        ("E20", cookie(&[("value", "a; b=c".into())]), 0),
        ("E20", cookie(&[("value", "v".repeat(5000).into())]), 0),
        ("E20", cookie(&[("domain", "WWW.example.com".into())]), 0),
        ("E20", cookie(&[("domain", "a/b".into())]), 0),
        ("E20", cookie(&[("domain", "".into())]), 0),
        ("E20", cookie(&[("domain", "0x7f.1".into()), ("host_only", false.into())]), 0),
        ("E20", cookie(&[("domain", "h:80".into())]), 0),
        ("E20", cookie(&[("domain", "u@h".into())]), 0),
        ("E20", cookie(&[("domain", "http+unix://a/".into())]), 0),
        ("E20", cookie(&[("path", "x".into())]), 0),
        ("E20", cookie(&[("path", "/a\nb".into())]), 0),
        ("E20", cookie(&[("path", "/a\tb".into())]), 1),
        ("E20", cookie(&[("name", "__Host-n".into())]), 0),
        ("E20", cookie(&[("name", "__Host-n".into()), ("secure", true.into()), ("host_only", false.into())]), 0),
        ("E20", cookie(&[("name", "__secure-n".into())]), 0),
        ("E20", cookie(&[("domain", serde_json::Value::Null), ("value", "a\nb".into())]), 0),
    ];
    for (id, text, len) in table {
        assert_eq!(CookieJar::from_json(&text).unwrap().len(), len, "{id}: {text}");
    }
    // The list of suffixes grows.
    let jar = CookieJar::from_json(&cookie(&[("domain", "github.io".into()), ("host_only", false.into())])).unwrap();
    assert!(jar.to_vec()[0].host_only(), "E19");
    assert_eq!(
        (sent(&jar, "http://github.io/"), sent(&jar, "http://evil.github.io/")),
        ("n=v".into(), "".into()),
        "E19"
    );
    // Nor does an edited file make a cookie last.
    let jar = CookieJar::from_json(&cookie(&[("expires", i64::MAX.into())])).unwrap();
    let limit = Cookie::builder("n", "v").max_age(Duration::MAX).build().unwrap();
    assert!(jar.to_vec()[0].expires() <= limit.expires(), "E20");
}
