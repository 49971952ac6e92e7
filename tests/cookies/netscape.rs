//! Jars in the format of curl's and Python's cookies.txt.

#[cfg(unix)]
use std::fs;

use hostpool::{CookieJar, ErrorKind};

use super::url;

fn filled() -> CookieJar {
    let jar = CookieJar::new();
    let secure = url("https://www.example.com/a/b");
    jar.set(&secure, "z=1; Secure; HttpOnly; Max-Age=86400").unwrap();
    jar.set(&secure, "a=2 \"x\"; Domain=example.com; Path=/").unwrap();
    jar.set(&url("http://127.0.0.1/"), "ip=3; Path=/x y").unwrap();
    jar.set(&url("https://www.example.com/"), "empty=").unwrap();
    jar.set(&url("http+unix://%2Frun%2FApp.sock/a/b"), "socket=4").unwrap();
    jar.set(&secure, "__Host-h=7; Secure; Path=/").unwrap();
    jar
}

#[test]
fn a_jar_survives_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cookies.txt");
    let jar = filled();
    jar.insert_shared("shared", "6").unwrap();
    jar.set(&url("https://www.example.com/"), "tab=a\tb").unwrap();
    // A reader takes the dot off, and example.com is another host.
    jar.set(&url("http://.example.com/"), "dot=1").unwrap();
    jar.set(&url("http://$.example.com/"), "dollar=1").unwrap();
    jar.set(&url("https://www.example.com/"), "site=1; SameSite=Lax").unwrap();
    jar.save_netscape(&path).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    }
    let again = CookieJar::load_netscape(&path).unwrap();
    assert_eq!(again.add_netscape_file(&path).unwrap(), 0);
    // SameSite, and the cookies that the format cannot hold.
    let expected = filled();
    expected.set(&url("https://www.example.com/"), "site=1").unwrap();
    assert_eq!(again.to_vec(), expected.to_vec());
    assert!(again.to_vec().iter().any(|cookie| cookie.http_only() && cookie.secure() && cookie.expires().is_some()));
}

#[test]
fn what_is_left_out() {
    let good = ".example.com\tTRUE\t/\tFALSE\t0\tn\tv\r\n";
    let table = [
        ("nothing", String::new(), Some((0, 0))),
        ("comments alone", "# Netscape HTTP Cookie File\n\n# none\n".into(), Some((0, 0))),
        ("a cookie without the first line", good.into(), Some((0, 1))),
        ("with a byte order mark", format!("\u{feff}{good}"), Some((0, 1))),
        ("expired", format!("{good}example.com\tFALSE\t/\tFALSE\t1\told\tv\n"), Some((0, 1))),
        ("bad lines", format!("{good}nonsense\nmore\tof\tit\n"), Some((2, 1))),
        ("white space after the value", good.replace('\r', " "), Some((0, 1))),
        ("a path that is none", format!("{good}example.com\tFALSE\tx\tFALSE\t0\tn2\tv\n"), Some((1, 1))),
        ("a host that is none", format!("{good}a/b\tFALSE\t/\tFALSE\t0\tn2\tv\n"), Some((1, 1))),
        ("a prefix", format!("{good}example.com\tFALSE\t/\tFALSE\t0\t__Secure-n\tv\n"), Some((1, 1))),
        ("JSON", "{\n\"cookies\": []}\n".into(), None),
        ("a page", "<html>\n<p>canary\n".into(), None),
    ];
    for (row, text, expected) in table {
        let jar = CookieJar::new();
        match (jar.add_netscape(&text), expected) {
            (Ok(bad), Some(expected)) => assert_eq!((bad, jar.len()), expected, "{row}"),
            (Err(error), None) => {
                assert_eq!(error.kind(), &ErrorKind::Decode, "{row}");
                assert!(!format!("{error} {error:?}").contains("canary") && jar.is_empty(), "{row}");
            }
            (found, _) => panic!("{row}: {found:?}"),
        }
    }
    let jar = CookieJar::new();
    jar.add_netscape(".github.io\tTRUE\t/\tFALSE\t0\tn\tv\n").unwrap();
    assert!(jar.to_vec()[0].host_only(), "a public suffix");
    let error = CookieJar::load_netscape("/no/such/cookies.txt").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidConfig), "{error}");
}
