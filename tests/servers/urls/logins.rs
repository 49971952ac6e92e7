//! Which login goes with which request, and how.

use hostpool::{ConnectionPool, ErrorKind, Method, PoolContext, PoolManager};

use super::{head, values};
use crate::support::{Server, answers, ok};

/// `u:p` as Basic credentials.
const BASIC: &str = "Basic dTpw";

/// RW-63: a login in the URL of a pool goes with its requests, as one in the URL of a request does.
#[test]
fn the_login_of_a_pools_url() {
    let server = Server::with(|_| answers(ok("there")));
    let other = Server::with(|_| answers(ok("other")));
    let with = |userinfo: &str| server.url("/").replace("//", &format!("//{userinfo}@"));
    let manager = PoolManager::new();
    let pools = [
        ("builder", ConnectionPool::builder(with("u:p")).build().unwrap()),
        ("encoded", ConnectionPool::builder(with("%75:%70")).build().unwrap()),
        ("function", hostpool::connection_from_url(with("u:p")).unwrap()),
        ("manager", manager.connection_from_url(with("u:p")).unwrap()),
        ("context", manager.connection_from_context(PoolContext::new(with("u:p")).unwrap()).unwrap()),
    ];
    let last = || server.seen.requests().pop().unwrap();
    for (row, pool) in pools {
        let whole = server.url("/whole");
        let own = with("a:b");
        let table = [
            ("a path", pool.get("/"), BASIC),
            ("urlopen", pool.urlopen(Method::GET, "/"), BASIC),
            ("a whole URL", pool.get(&whole), BASIC),
            ("headers of the request's own", pool.get("/").header("X-A", "1"), BASIC),
            ("a login of the request's own", pool.get("/").basic_auth("a", "b"), "Basic YTpi"),
            ("a login in its URL", pool.get(&own), "Basic YTpi"),
            ("a header", pool.get("/").header("Authorization", "own"), "own"),
        ];
        for (case, request, expected) in table {
            request.send().unwrap_or_else(|error| panic!("RW-63 {row}, {case}: {error}"));
            assert_eq!(values(&last(), "Authorization"), [expected], "RW-63 {row}, {case}");
        }
        // A request to another host, through this pool's connections, is not this host's.
        pool.get(other.url("/")).assert_same_host(false).send().unwrap();
        assert!(values(&last(), "Authorization").is_empty(), "RW-63 {row}: for another host");
        assert!(!format!("{pool:?}").contains("u:p"), "RW-63 {row}");
    }
    manager.connection_from_url(server.url("/")).unwrap().get("/").send().unwrap();
    assert!(values(&last(), "Authorization").is_empty(), "RW-63: of that one pool alone");
    manager.get(server.url("/")).send().unwrap();
    assert!(values(&last(), "Authorization").is_empty(), "RW-63: of that one pool alone");
    let builder = ConnectionPool::builder(with("u:p"));
    let headers = hostpool::Headers::from_pairs([("Authorization", "x")]).unwrap();
    let error = builder.headers(headers).build().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidConfig), "two of them: {error}");
}

/// Along a redirect within the host the login goes on.
#[test]
fn the_login_of_a_pools_url_along_a_redirect() {
    let server =
        Server::new(vec![[crate::support::answer(head(302, "Location: /b\r\n")), answers(ok("there"))].concat()]);
    let pool = ConnectionPool::builder(server.url("/").replace("//", "//u:p@")).build().unwrap();
    pool.get("/a").send().unwrap();
    let requests = server.seen.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|request| values(request, "Authorization") == [BASIC]), "RW-63 {requests:?}");
}

#[cfg(feature = "digest-auth")]
mod schemes {
    use hostpool::{Auth, BasicAuth, DigestAuth, ErrorKind, Netrc, Session};
    use md5::{Digest, Md5};

    use super::super::values;
    use super::*;
    use crate::support::{Step, answer};

    const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n";

    /// Logins that come up here.
    const KNOWN: [(&str, &str); 7] =
        [("s", "s"), ("u", "p"), ("u", ""), ("u", "netrc"), ("n", "netrc"), ("r", "r"), ("", "")];

    fn hex(text: &str) -> String {
        Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What an Authorization field says: the scheme and whose it is.
    fn said(request: &str) -> String {
        let [value] = values(request, "Authorization")[..] else { return "-".to_owned() };
        if let Ok(basic) = BasicAuth::decode(value) {
            return format!("Basic {}:{}", basic.login(), basic.password());
        }
        let Some(fields) = value.strip_prefix("Digest ") else { return value.to_owned() };
        let field = |name: &str| {
            let mut fields = fields.split(", ").filter_map(|field| field.split_once('='));
            fields.find(|(found, _)| *found == name).map_or("", |(_, value)| value.trim_matches('"')).to_owned()
        };
        // Without a qop, as RFC 2069 has it.
        let made_by = |(login, password): &&(&str, &str)| {
            let (first, second) = (hex(&format!("{login}:r:{password}")), hex(&format!("GET:{}", field("uri"))));
            hex(&format!("{first}:n:{second}")) == field("response") && field("username") == *login
        };
        let (login, password) = KNOWN.iter().find(made_by).expect("it is one of the known logins");
        format!("Digest {login}:{password}")
    }

    fn session(auth: &Option<Auth>, netrc: bool) -> Session {
        let builder = Session::builder();
        let builder = auth.iter().fold(builder, |builder, auth| builder.auth(auth.clone()));
        let logins = "machine 127.0.0.1 login n password netrc machine 127.0.0.1 login u password netrc";
        if netrc { builder.netrc(Netrc::parse(logins).unwrap()) } else { builder }.build().unwrap()
    }

    /// RW-25: every pair of what a session has, what the URL has, what netrc has, and what the request has. The server
    /// asks for a Digest; the two requests of a call say this.
    #[test]
    fn whose_login_and_how() {
        let basic = || Some(Auth::from(("s", "s")));
        let bearer = || Some(Auth::bearer("s"));
        let digest = || Some(Auth::from(DigestAuth::new("s", "s")));
        let no_login = || Some(Auth::from(DigestAuth::without_login()));
        let nothing = || None::<Auth>;
        type Given<'a> = (&'a str, Option<Auth>);
        let rows: [(Given<'_>, &str, bool, &str); 30] = [
            (("none", nothing()), "", false, "-"),
            (("none", nothing()), "", true, "Basic n:netrc"),
            (("none", nothing()), "u:p@", false, "Basic u:p"),
            (("none", nothing()), "u:p@", true, "Basic u:p"),
            (("none", nothing()), "u@", false, "Basic u:"),
            (("none", nothing()), "u@", true, "Basic u:netrc"),
            (("Basic", basic()), "", false, "Basic s:s"),
            (("Basic", basic()), "", true, "Basic s:s"),
            (("Basic", basic()), "u:p@", false, "Basic u:p"),
            (("Basic", basic()), "u:p@", true, "Basic u:p"),
            (("Basic", basic()), "u@", false, "Basic u:"),
            (("Basic", basic()), "u@", true, "Basic u:netrc"),
            (("Bearer", bearer()), "", false, "Bearer s"),
            (("Bearer", bearer()), "", true, "Bearer s"),
            (("Bearer", bearer()), "u:p@", false, "Basic u:p"),
            (("Bearer", bearer()), "u:p@", true, "Basic u:p"),
            (("Bearer", bearer()), "u@", false, "Basic u:"),
            (("Bearer", bearer()), "u@", true, "Basic u:netrc"),
            (("Digest", digest()), "", false, "- Digest s:s"),
            (("Digest", digest()), "", true, "- Digest s:s"),
            (("Digest", digest()), "u:p@", false, "- Digest u:p"),
            (("Digest", digest()), "u:p@", true, "- Digest u:p"),
            (("Digest", digest()), "u@", false, "- Digest u:"),
            (("Digest", digest()), "u@", true, "- Digest u:netrc"),
            (("Digest without a login", no_login()), "", false, "-"),
            (("Digest without a login", no_login()), "", true, "- Digest n:netrc"),
            (("Digest without a login", no_login()), "u:p@", false, "- Digest u:p"),
            (("Digest without a login", no_login()), "u:p@", true, "- Digest u:p"),
            (("Digest without a login", no_login()), "u@", false, "- Digest u:"),
            (("Digest without a login", no_login()), "u@", true, "- Digest u:netrc"),
        ];
        let server = Server::with(|_| answers(head(401, CHALLENGE)));
        let seen = |before: usize| {
            let requests = server.seen.requests();
            requests[before..].iter().map(|request| said(request)).collect::<Vec<_>>().join(" ")
        };
        for ((scheme, auth), userinfo, netrc, expected) in rows {
            let row = format!("RW-25 {scheme}, {userinfo:?}, netrc {netrc}");
            let session = session(&auth, netrc);
            let url = format!("http://{userinfo}{}/", server.addr);
            let before = server.seen.requests().len();
            assert_eq!(session.get(&url).send().unwrap().status(), 401, "{row}");
            assert_eq!(seen(before), expected, "{row}");
            // The request's own stands alone; beside a login in the URL it is an error, and nothing is sent.
            let own = [
                (Auth::from(("r", "r")), "Basic r:r"),
                (Auth::from(DigestAuth::new("r", "r")), "- Digest r:r"),
                (Auth::from(DigestAuth::without_login()), if netrc { "- Digest n:netrc" } else { "-" }),
            ];
            for (auth, expected) in own {
                let before = server.seen.requests().len();
                match session.get(&url).auth(auth).send() {
                    Ok(_) => assert_eq!((seen(before).as_str(), userinfo), (expected, ""), "{row}"),
                    Err(error) => {
                        assert!(matches!(error.kind(), ErrorKind::InvalidRequest), "{row}: {error}");
                        assert_eq!((seen(before).as_str(), userinfo.is_empty()), ("", false), "{row}");
                    }
                }
            }
            let before = server.seen.requests().len();
            session.get(&url).header("Authorization", "own").send().unwrap();
            assert_eq!(seen(before), "own", "{row}: a header");
        }
    }

    /// What is known of a server is known to each login by itself, and spares later calls the challenge.
    #[test]
    fn later_calls() {
        let first = [answer(head(401, CHALLENGE)), answers(ok("in"))].concat();
        let server = Server::with(move |_| first.clone());
        let session = session(&Some(Auth::from(DigestAuth::new("s", "s"))), false);
        let url = |userinfo: &str| format!("http://{userinfo}{}/", server.addr);
        for userinfo in ["u:p@", "u:p@", "", "u:p@"] {
            assert_eq!(session.get(url(userinfo)).send().unwrap().text().unwrap(), "in", "RW-25");
        }
        let said: Vec<_> = server.seen.requests().iter().map(|request| said(request)).collect();
        // The second login is not asked by this server.
        assert_eq!(said, ["-", "Digest u:p", "Digest u:p", "-", "Digest u:p"], "RW-25");
    }

    /// A login that a server puts into a Location is for that place, and goes there by the session's scheme.
    #[test]
    fn along_redirects() {
        let there = Server::with(|_| answers(head(401, CHALLENGE)));
        let to_there = head(302, &format!("Location: http://u:p@{}/\r\n", there.addr));
        let script = [
            vec![Step::Request, Step::Send(head(401, CHALLENGE))],
            answer(head(302, "Location: /b\r\n")),
            answer(to_there),
        ];
        let script = script.concat();
        let here = Server::new(vec![script]);
        let session = session(&Some(Auth::from(DigestAuth::new("s", "s"))), true);
        let url = format!("http://u:p@{}/a", here.addr);
        assert_eq!(session.get(&url).send().unwrap().status(), 401, "RW-25");
        let said = |server: &Server| server.seen.requests().iter().map(|request| said(request)).collect::<Vec<_>>();
        assert_eq!(said(&here), ["-", "Digest u:p", "Digest u:p"], "RW-25: at home");
        assert_eq!(said(&there), ["-", "Digest u:p"], "RW-25: there");
    }

    /// RW-25: a request's own credentials take the place of the client's Authorization header, also before a challenge.
    #[test]
    fn in_place_of_the_clients_header() {
        let server = Server::with(|_| answers(head(401, CHALLENGE)));
        let headers = || hostpool::Headers::from_pairs([("Authorization", "Bearer client")]).unwrap();
        let session = Session::builder().headers(headers()).build().unwrap();
        let manager = PoolManager::builder().headers(headers()).build().unwrap();
        let pool = ConnectionPool::builder(server.url("/")).headers(headers()).build().unwrap();
        let url = server.url("/");
        let own = [
            (Auth::from(DigestAuth::new("r", "r")), "- Digest r:r"),
            (Auth::from(DigestAuth::without_login()), "-"),
            (Auth::from(("r", "r")), "Basic r:r"),
        ];
        for (auth, expected) in own {
            for (client, request) in
                [("session", session.get(&url)), ("manager", manager.get(&url)), ("pool", pool.get("/"))]
            {
                let before = server.seen.requests().len();
                assert_eq!(request.auth(auth.clone()).send().unwrap().status(), 401, "RW-25 {client}");
                let seen: Vec<_> = server.seen.requests()[before..].iter().map(|request| said(request)).collect();
                assert_eq!(seen.join(" "), expected, "RW-25 {client}");
            }
        }
    }
}
