//! Digests against the examples of the RFCs, and dialogues without a network.

use super::*;
use crate::auth::challenge::{Item, Items};

const GET: Asked<'static> = Asked { method: "GET", target: b"/dir/index.html", body: Some(b"") };

fn challenge(text: &str) -> Challenge {
    challenge::strongest([text.as_bytes()].into_iter(), true).unwrap()
}

/// Returns the value of the field that answers a challenge for the `count`th time.
fn answered(challenge_text: &str, who: (&str, &str), asked: &Asked<'_>, count: u32, cnonce: &str) -> String {
    let challenge = challenge(challenge_text);
    let session = Session { nonce: challenge.nonce.clone(), challenge, cnonce: None };
    let who = Login { login: who.0, password: who.1 };
    String::from_utf8(session.answer(who, asked, count, cnonce).unwrap()).unwrap()
}

/// Returns one parameter of that value.
fn param(value: &str, name: &str) -> Option<String> {
    let mut found = Items::new(value.as_bytes()).filter_map(|item| match item {
        Item::Param(known, value) if known == name.as_bytes() => Some(String::from_utf8(value.into_owned()).unwrap()),
        Item::Broken | Item::Token68(_) => panic!("{value}"),
        _ => None,
    });
    let first = found.next();
    assert_eq!(found.next(), None, "{name} twice in {value}");
    first
}

const MUFASA: (&str, &str) = ("Mufasa", "Circle of Life");

#[test]
fn examples_of_the_rfcs() {
    let of_7616 = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
                   nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                   opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\", algorithm=";
    let (md5, sha256) = (format!("{of_7616}MD5"), format!("{of_7616}SHA-256"));
    let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
    let old = "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
               opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
    let of_2617 = format!("{old}, qop=\"auth,auth-int\"");
    let table = [
        ("RFC 7616 3.9.1 MD5", &*md5, MUFASA, cnonce, "8ca523f5e9506fed4657c9700eebdbec"),
        (
            "RFC 7616 3.9.1 SHA-256",
            &sha256,
            MUFASA,
            cnonce,
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
        ("RFC 2617 3.5", &of_2617, ("Mufasa", "Circle Of Life"), "0a4f113b", "6629fae49393a05397450978507c4ef1"),
        // The RFC itself prints e966c932, which is the digest of something else.
        ("RFC 2069 2.4", old, ("Mufasa", "CircleOfLife"), "", "1949323746fe6a43ef61f9606e7febea"),
    ];
    for (row, text, who, cnonce, expected) in table {
        let value = answered(text, who, &GET, 1, cnonce);
        assert_eq!(param(&value, "response").as_deref(), Some(expected), "{row}");
        let asked = challenge(text);
        for (name, known) in [("realm", &asked.realm), ("nonce", &asked.nonce), ("opaque", &asked.opaque.unwrap())] {
            assert_eq!(param(&value, name).unwrap().as_bytes(), &**known, "{row}: {name}");
        }
        assert_eq!(param(&value, "qop").is_some(), row != "RFC 2069 2.4", "{row}");
    }
    let value = answered(&md5, MUFASA, &GET, 1, cnonce);
    assert_eq!(
        value,
        "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", \
         nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", uri=\"/dir/index.html\", algorithm=MD5, qop=auth, \
         nc=00000001, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", \
         response=\"8ca523f5e9506fed4657c9700eebdbec\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
    );
}

/// Section 3.9.2 with the values of erratum 4897. The RFC prints values of a shortened SHA-512.
#[test]
fn names_that_are_hashed() {
    let text = "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, \
                nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", \
                opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", charset=UTF-8, userhash=true";
    let asked = Asked { target: b"/doe.json", ..GET };
    let who = ("J\u{e4}s\u{f8}n Doe", "Secret, or not?");
    let value = answered(text, who, &asked, 1, "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v");
    for (name, expected) in [
        ("username", "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"),
        ("response", "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"),
        ("userhash", "true"),
    ] {
        assert_eq!(param(&value, name).as_deref(), Some(expected), "{name}");
    }
    assert_eq!(param(&value, "username*"), None);
}

/// The values come from Python's hashlib.
#[test]
fn other_forms() {
    let asked = Asked { method: "POST", target: b"/x?y", body: Some(b"body") };
    let table = [
        ("MD5-sess", "auth", "f79970128a3fc71fd3c9f7c9bab07ddf"),
        ("MD5-sess", "", "12b6ddc887a3abfd014774dad429e3dd"),
        ("md5", "auth-int", "843d8fcaea136cb172a86cf544c51c80"),
        ("SHA-256-sess", "auth", "1397cf6ebf22fba22a7dc3549d7bbc15236a021f2b778bbd16563bf8dbeafd60"),
        ("sha-256", "auth-int", "afd8cdab70dd9c62054585592072dc4bb440e7f3b9e2038a9a5df023a62bae7d"),
        ("SHA-512-256-SESS", "auth", "8668a7fc08620d6077640d70372a63fb4d11706d0f1ce8eb2dae18f043d6b3a1"),
        ("SHA-512-256-sess", "", "907f25104b45843a5205e7ec225f808ac673ac2a67e54f3ee20125b2ee6b4bb5"),
        ("SHA-512-256", "auth-int", "9503bcaf8dc0050b26285c457aa089ff9df23ea22ac1f8949b75c64e7e40f50b"),
    ];
    for (algorithm, qop, expected) in table {
        let text = format!("Digest realm=r, nonce=N, algorithm={algorithm}, qop=\"{qop}\"");
        let value = answered(&text, ("u", "p"), &asked, 2, "C");
        assert_eq!(param(&value, "response").as_deref(), Some(expected), "{text}");
        assert_eq!(param(&value, "algorithm").as_deref(), Some(algorithm), "as the server spells it");
        assert_eq!(param(&value, "qop").as_deref(), Some(qop).filter(|qop| !qop.is_empty()), "{text}");
        assert_eq!(param(&value, "cnonce").as_deref(), Some("C"), "{text}: a key cannot be made without it");
    }
    assert!(value_without_bytes("auth-int").is_none() && value_without_bytes("auth").is_some());
}

fn value_without_bytes(qop: &str) -> Option<Vec<u8>> {
    let challenge = challenge(&format!("Digest realm=r, nonce=N, qop=\"{qop}\""));
    let session = Session { nonce: challenge.nonce.clone(), challenge, cnonce: None };
    session.answer(Login { login: "u", password: "p" }, &Asked { body: None, ..GET }, 1, "C")
}

#[test]
fn how_names_and_values_are_written() {
    let table = [
        ("plain", "", "user", "username=\"user\""),
        ("E9 quotes", "", "a\"b\\c", "username=\"a\\\"b\\\\c\""),
        ("not ASCII, server of old", "", "J\u{e4}s", "username=\"J\u{e4}s\""),
        ("not ASCII", ", charset=UTF-8", "J\u{e4}s\u{f8}n Doe", "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe,"),
        ("ASCII all the same", ", charset=UTF-8", "a b", "username=\"a b\""),
    ];
    for (row, more, login, expected) in table {
        let value = answered(&format!("Digest realm=r, nonce=n{more}"), (login, "p"), &GET, 1, "c");
        assert!(value.starts_with(&format!("Digest {expected}")), "{row}: {value}");
    }
    // The hashed text has no backslashes; the sent text has them again.
    let text = "Digest realm=\"a \\\"b\\\" \\\\c\", nonce=\"n\\o\", opaque=\"\\\"\"";
    let value = answered(text, ("u", "p"), &Asked { target: b"/\"x\"", ..GET }, 1, "c");
    assert!(value.contains("realm=\"a \\\"b\\\" \\\\c\", nonce=\"no\", uri=\"/\\\"x\\\"\""), "E9 {value}");
    assert!(value.ends_with("opaque=\"\\\"\""), "{value}");
    let key = hash::Hash::Md5.of(&[b"u", b"a \"b\" \\c", b"p"]).unwrap();
    let what = hash::Hash::Md5.of(&[b"GET", b"/\"x\""]).unwrap();
    assert_eq!(param(&value, "response"), hash::Hash::Md5.of(&[key.as_bytes(), b"no", what.as_bytes()]), "E9");
}

#[test]
fn protection_spaces() {
    let origin = Url::parse("http://h:8080/").unwrap().origin().clone();
    let table = [
        ("", "/any", true),
        ("  ", "/any", true),
        ("/", "/any?x", true),
        ("/a", "/a", true),
        ("/a", "/a/b", true),
        ("/a", "/a?b", true),
        ("/a", "/ab", false),
        ("/a/", "/a", false),
        ("/x /a", "/a", true),
        ("http://h:8080/a", "/a/b", true),
        ("http://h:8080", "/a", true),
        ("http://h/a", "/a", false),
        ("https://h:8080/a", "/a", false),
        ("//h:8080/a", "/a", false),
        ("http://other/", "/a", false),
        ("a", "/a", false),
    ];
    for (domain, target, expected) in table {
        assert_eq!(covers(domain.as_bytes(), &origin, target.as_bytes()), expected, "{domain:?} {target}");
    }
    assert!(!covers(b"\xff", &origin, b"/"));
}

/// Draws 1, 2, 3 and so on.
fn counting() -> impl Fn(&mut [u8]) -> io::Result<()> {
    let drawn = std::cell::Cell::new(0);
    move |bytes| {
        drawn.set(drawn.get() + 1);
        bytes.fill(drawn.get());
        Ok(())
    }
}

fn headers(name: &str, value: &str) -> Headers {
    let mut headers = Headers::new();
    headers.append(name, value).unwrap();
    headers
}

/// Says the next request. Returns `nonce:nc:cnonce`, or an empty text.
fn say(dialogue: &mut Dialogue, random: Random<'_>) -> String {
    let Some(value) = dialogue.say(&GET, random).unwrap() else { return String::new() };
    let value = String::from_utf8(value).unwrap();
    let count = param(&value, "nc").map(|count| u32::from_str_radix(&count, 16).unwrap());
    let cnonce = param(&value, "cnonce").unwrap_or_default();
    format!("{}:{}:{}", param(&value, "nonce").unwrap(), count.unwrap_or(0), cnonce.get(..2).unwrap_or_default())
}

fn refused(dialogue: &mut Dialogue, challenge: &str) -> bool {
    let challenge = format!("Digest realm=r, qop=\"auth\", {challenge}");
    dialogue.hear(StatusCode::UNAUTHORIZED, &headers("WWW-Authenticate", &challenge), true)
}

fn accepted(dialogue: &mut Dialogue, info: &str) {
    assert!(!dialogue.hear(StatusCode::OK, &headers("Authentication-Info", info), true));
}

fn origin(url: &str) -> Arc<Origin> {
    Url::parse(url).unwrap().shared_origin().clone()
}

#[test]
fn a_dialogue() {
    let auth = DigestAuth::new("u", "p");
    let (home, random) = (origin("http://h"), counting());
    let call = |at: &Arc<Origin>| Dialogue::new(&auth.clone(), Asker::Server, at);

    let mut first = call(&home);
    assert_eq!(say(&mut first, &random), "", "nothing is known");
    assert!(refused(&mut first, "nonce=n1"));
    assert_eq!(say(&mut call(&home), &random), "", "nothing is taken yet");
    assert_eq!(say(&mut first, &random), "n1:1:01");
    accepted(&mut first, "");

    // Any clone answers without a challenge, but only at that origin.
    let mut second = call(&home);
    assert_eq!(say(&mut second, &random), "n1:2:02");
    accepted(&mut second, "nextnonce=\"n2\"");
    assert_eq!(say(&mut call(&home), &random), "n2:1:03");
    for other in ["http://h:81", "https://h", "http://sub.h"] {
        assert_eq!(say(&mut call(&origin(other)), &random), "", "B262 {other}");
    }

    // An old nonce gets another answer, and so does the next one that is old by then, but not a third.
    let mut third = call(&home);
    assert_eq!(say(&mut third, &random), "n2:2:04");
    assert!(refused(&mut third, "nonce=n3, stale=true"));
    assert_eq!(say(&mut third, &random), "n3:1:05");
    assert!(refused(&mut third, "nonce=n4, stale=TRUE"));
    assert_eq!(say(&mut third, &random), "n4:1:06");
    assert!(!refused(&mut third, "nonce=n5, stale=true"));
    assert_eq!(say(&mut call(&home), &random), "", "what was refused is not said again");

    // A wrong password is not answered again. For the next URL there is one more answer.
    let mut fourth = call(&home);
    assert_eq!(say(&mut fourth, &random), "");
    assert!(refused(&mut fourth, "nonce=n6"));
    assert_eq!(say(&mut fourth, &random), "n6:1:07");
    assert!(!refused(&mut fourth, "nonce=n7"), "A11.5");
    fourth.leave();
    assert!(refused(&mut fourth, "nonce=n6"));
    assert_eq!(say(&mut fourth, &random), "n6:2:08", "a nonce that comes back is counted on");

    // A challenge that cannot be answered is not.
    let mut fifth = call(&home);
    assert!(!refused(&mut fifth, "nonce=n8, algorithm=X"));
    assert!(!fifth.hear(StatusCode::UNAUTHORIZED, &Headers::new(), true));
    assert!(!fifth.hear(StatusCode::PROXY_AUTHENTICATION_REQUIRED, &headers("WWW-Authenticate", "x"), true));
}

/// The key of a session is made once: all its requests have the cnonce of the first, and a next nonce keeps the key.
#[test]
fn a_session() {
    let auth = DigestAuth::new("u", "p");
    let (home, random) = (origin("http://h"), counting());
    let mut first = Dialogue::new(&auth, Asker::Server, &home);
    assert!(refused(&mut first, "nonce=n1, algorithm=MD5-sess"));
    assert_eq!(say(&mut first, &random), "n1:1:01");
    accepted(&mut first, "");
    let mut second = Dialogue::new(&auth, Asker::Server, &home);
    assert_eq!(say(&mut second, &random), "n1:2:01");
    accepted(&mut second, "nextnonce=n2");
    let mut third = Dialogue::new(&auth, Asker::Server, &home);
    let value = String::from_utf8(third.say(&GET, &random).unwrap().unwrap()).unwrap();
    let md5 = |parts: &[&[u8]]| hash::Hash::Md5.of(parts).unwrap();
    let cnonce = "01".repeat(16);
    let key = md5(&[md5(&[b"u", b"r", b"p"]).as_bytes(), b"n1", cnonce.as_bytes()]);
    let what = md5(&[b"GET", GET.target]);
    let response = md5(&[key.as_bytes(), b"n2", b"00000001", cnonce.as_bytes(), b"auth", what.as_bytes()]);
    assert_eq!(param(&value, "response"), Some(response), "{value}");
}

#[test]
fn where_there_is_no_randomness() {
    for algorithm in ["MD5", "MD5-sess"] {
        let mut dialogue = Dialogue::new(&DigestAuth::new("u", "p"), Asker::Server, &origin("http://h"));
        assert!(refused(&mut dialogue, &format!("nonce=n, algorithm={algorithm}")));
        let error = dialogue.say(&GET, &|_| Err(io::Error::other("none left"))).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Io, "A17.3");
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let auth = DigestAuth::new("u", "p");
    let home = origin("http://h");
    for n in 0..10 * DigestAuth::NONCES {
        assert_eq!(auth.count(&home, n.to_string().as_bytes()), Some(1));
    }
    assert_eq!(auth.0.places.lock()[&home].nonces.len(), DigestAuth::NONCES);
    for n in 1..3 * DigestAuth::PLACES {
        auth.count(&origin(&format!("http://h:{n}")), b"n");
        assert!(auth.0.places.lock().len() <= DigestAuth::PLACES);
    }
    // A count that is full does not start over.
    auth.0.places.lock().get_mut(&origin("http://h:380")).unwrap().nonces[0].1 = u32::MAX;
    assert_eq!(auth.count(&origin("http://h:380"), b"n"), None);
}

#[test]
fn what_is_refused_and_shown() {
    assert!(DigestAuth::new("a\r\nX: y", "p").check().is_err());
    let auth = DigestAuth::new("user", "canary");
    let mut dialogue = Dialogue::new(&auth, Asker::Server, &origin("http://h"));
    assert!(refused(&mut dialogue, "nonce=n"));
    let value = dialogue.say(&GET, &counting()).unwrap().unwrap();
    let shown = format!("{auth:?} {dialogue:?} {}", String::from_utf8(value).unwrap());
    assert!(shown.contains("user") && !shown.contains("canary"), "A18 {shown}");
}

/// The table of logins of URLs and of netrc is bounded, and a dialogue outlives its place there.
#[test]
fn logins_of_others() {
    let auth = DigestAuth::new("Mufasa", "Circle of Life");
    assert!(Arc::ptr_eq(&auth.of("Mufasa", "Circle of Life").0, &auth.0), "its own");
    let first = auth.of("u", "p");
    assert!(Arc::ptr_eq(&auth.of("u", "p").0, &first.0), "one that is known");
    assert!(!Arc::ptr_eq(&auth.of("u", "other").0, &first.0), "another password");
    (0..100).for_each(|number| drop(auth.of(&number.to_string(), "p")));
    assert_eq!(auth.0.others.lock().len(), DigestAuth::OTHERS);
    let again = auth.of("u", "p");
    assert!(!Arc::ptr_eq(&again.0, &first.0), "one that was forgotten");
    let [here, there] = ["http://h/", "http://other/"].map(|url| Url::parse(url).unwrap().shared_origin().clone());
    let dialogue = Dialogue::new(&first, Asker::Server, &here);
    assert!(dialogue.is_of(&again, &here), "answers are counted on");
    assert!(!dialogue.is_of(&again, &there) && !dialogue.is_of(&auth.of("u", "other"), &here));
    let none = DigestAuth::without_login();
    assert!(Dialogue::new(&none, Asker::Server, &here).is_of(&none, &here) && !dialogue.is_of(&none, &here));
    assert_eq!((none.login(), none.has_login()), ("", false));
}
