//! A cookies.txt that other programs read and write.

use std::fs;
use std::process::Command;

use hostpool::{CookieJar, Url};

use crate::program;

fn filled() -> CookieJar {
    let jar = CookieJar::new();
    let set = |url: &str, cookie: &str| jar.set(&Url::parse(url).unwrap(), cookie).unwrap();
    set("https://www.example.com/a/b", "z=1; Secure; HttpOnly; Max-Age=86400");
    set("https://www.example.com/a/b", "a=2 \"x\"; Domain=example.com; Path=/");
    set("http://127.0.0.1/", "ip=3; Path=/x y");
    set("https://www.example.com/", "empty=");
    set("https://www.example.com/", "__Host-h=7; Secure; Path=/");
    jar
}

/// curl reads what the jar writes, and the jar what curl writes.
#[test]
fn curl_agrees() {
    let Some(curl) = program("curl", &["curl"], "--version") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours.txt"), folder.path().join("theirs.txt"));
    let jar = filled();
    jar.save_netscape(&ours).unwrap();
    // A file URL sends nothing, but curl writes the jar that it has read.
    let page = folder.path().join("page");
    fs::write(&page, "").unwrap();
    let status = Command::new(curl)
        .args(["--silent", "--fail", "-b"])
        .arg(&ours)
        .arg("-c")
        .arg(&theirs)
        .arg(format!("file://{}", page.display()))
        .status()
        .unwrap();
    assert!(status.success());
    let again = CookieJar::new();
    assert_eq!(again.add_netscape_file(&theirs).unwrap(), 0, "{}", fs::read_to_string(&theirs).unwrap());
    let sorted = |jar: &CookieJar| {
        let mut cookies: Vec<_> = jar.to_vec().iter().map(|cookie| format!("{cookie:?} {}", cookie.value())).collect();
        cookies.sort();
        cookies
    };
    assert_eq!(sorted(&again), sorted(&jar));
}

#[cfg(feature = "cookies")]
const READ_AND_WRITE: &str = "
import http.cookiejar, sys
jar = http.cookiejar.MozillaCookieJar(sys.argv[1])
jar.load(ignore_discard=True, ignore_expires=True)
for cookie in jar:
    print(cookie.domain, cookie.path, cookie.secure, cookie.has_nonstandard_attr('HTTPOnly'), cookie.name, cookie.value)
jar.save(sys.argv[2], ignore_discard=True, ignore_expires=True)
";

/// Without the public suffix list a jar keeps no cookies of a domain.
/// Python's MozillaCookieJar reads what the jar writes, and the jar what Python writes.
#[test]
#[cfg(feature = "cookies")]
fn python_agrees() {
    let Some(python) = program("Python", &["python3"], "--version") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours.txt"), folder.path().join("theirs.txt"));
    let jar = filled();
    jar.save_netscape(&ours).unwrap();
    let output = Command::new(python).args(["-c", READ_AND_WRITE]).arg(&ours).arg(&theirs).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    for line in [
        "www.example.com /a True True z 1",
        ".example.com / False False a 2 \"x\"",
        "127.0.0.1 /x y False False ip 3",
        "www.example.com / False False empty ",
        "www.example.com / True False __Host-h 7",
    ] {
        assert!(listed.lines().any(|listed| listed == line), "{line} in {listed}");
    }
    let again = CookieJar::new();
    assert_eq!(again.add_netscape_file(&theirs).unwrap(), 0);
    assert_eq!(again.len(), jar.len());
}
