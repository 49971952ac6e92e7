//! Redirects that count as retries: RED.

use hostpool::{
    Body, ConnectionPool, ErrorKind, Headers, Method, PoolManager, PoolStats, RequestBuilder, Retry, RetryCount,
};

use crate::scripts::{body, in_turn, line_server, lines, outcome, redirect, reply, request_line, tried, values};
use crate::support::{Server, Step, answers, ok};

fn manager(retry: Option<Retry>) -> PoolManager {
    let builder = PoolManager::builder();
    retry.into_iter().fold(builder, |builder, retry| builder.retries(retry)).build().unwrap()
}

fn pool(server: &Server, retry: Option<Retry>) -> ConnectionPool {
    let builder = ConnectionPool::builder(server.url("/"));
    retry.into_iter().fold(builder, |builder, retry| builder.retries(retry)).build().unwrap()
}

/// Of the client, of the request, and how a 303 in front of a 200 ends.
type Followed = (&'static str, Option<Retry>, fn(RequestBuilder) -> RequestBuilder, &'static str, usize);

#[test]
fn followed_or_not() {
    let too_many = "TooManyRedirects";
    let table: Vec<Followed> = vec![
        ("RED-01", None, |request| request.allow_redirects(false), "303", 1),
        ("RED-01 default", None, |request| request, "200", 2),
        ("RED-01 1", Some(1.into()), |request| request, "200", 2),
        ("RED-01 Retry(1)", Some(Retry::new(1)), |request| request, "200", 2),
        ("RED-01 1, not followed", Some(1.into()), |request| request.allow_redirects(false), "303", 1),
        ("RED-04 0", Some(0.into()), |request| request, too_many, 1),
        ("RED-04 0, true", Some(0.into()), |request| request.allow_redirects(true), too_many, 1),
        ("RED-04 0, false", Some(0.into()), |request| request.allow_redirects(false), "303", 1),
        ("RED-04 total", Some(Retry::new(0)), |request| request, too_many, 1),
        ("RED-04 redirect", Some(Retry::new(3).redirect(0)), |request| request, too_many, 1),
        (
            "RED-04 redirect, true",
            Some(Retry::new(3).redirect(0)),
            |request| request.allow_redirects(true),
            too_many,
            1,
        ),
        ("RED-04 redirect, false", Some(Retry::new(3).redirect(0)), |request| request.allow_redirects(false), "303", 1),
        ("RED-06 0", None, |request| request.retries(0), too_many, 1),
        ("RED-06 0, true", None, |request| request.retries(0).allow_redirects(true), too_many, 1),
        ("RED-06 0, false", None, |request| request.retries(0).allow_redirects(false), "303", 1),
        ("RED-06 off", None, |request| request.retries(Retry::off()), "303", 1),
        ("RED-06 off, true", None, |request| request.retries(Retry::off()).allow_redirects(true), "303", 1),
        ("RED-06 off, false", None, |request| request.retries(Retry::off()).allow_redirects(false), "303", 1),
        ("RED-09 more", Some(0.into()), |request| request.retries(1), "200", 2),
        ("RED-09 fewer", Some(1.into()), |request| request.retries(0), too_many, 1),
        ("RED-16", None, |request| request.retries(Retry::new(0).raise_on_redirect(false)), "303", 1),
        ("RED-16 redirect", Some(Retry::new(3).redirect(0).raise_on_redirect(false)), |request| request, "303", 1),
        ("RETI-01", None, |request| request.retries(0), too_many, 1),
        ("RETI-02", None, |request| request.retries(Retry::off()), "303", 1),
        ("RETI-02 redirect", None, |request| request.retries(Retry::new(3).redirect(RetryCount::Off)), "303", 1),
    ];
    for (row, retry, set, expected, requests) in table {
        for preload in [true, false] {
            let server = line_server([redirect(303, "/there"), ok("there")]);
            let (http, pool) = (manager(retry.clone()), pool(&server, retry.clone()));
            for request in [http.get(server.url("/")), pool.get("/")] {
                let before = server.seen.requests().len();
                let answered = set(request).preload_content(preload).send();
                assert_eq!(outcome(&answered), expected, "{row}");
                assert_eq!(server.seen.requests().len() - before, requests, "{row}");
                if let Err(error) = answered {
                    assert_eq!(error.retries().len(), 1, "{row}: the try that was too many is told of");
                    let head = error.head().unwrap();
                    assert_eq!(
                        (head.status().as_u16(), head.headers().get("location")),
                        (303, Some("/there")),
                        "{row}"
                    );
                } else if expected == "303" {
                    assert_eq!(answered.unwrap().text().unwrap(), "moved", "{row}");
                }
            }
        }
    }
}

#[test]
fn where_it_leads() {
    let scheme = "InvalidRedirect";
    // The Location, how the call ends, and the second request.
    let table = [
        ("RED-03 a path", "/there?q=1", "200", "GET /there?q=1"),
        ("RED-03 relative", "there", "200", "GET /a/there"),
        ("RED-03 up", "../there", "200", "GET /there"),
        ("RED-03 a query", "?q=1", "200", "GET /a/b?q=1"),
        ("RED-18", "/there?q=1#part", "200", "GET /there?q=1"),
        ("RED-18 nothing else", "#part", "200", "GET /a/b?x=y"),
        ("RED-15", "ftp://127.0.0.1/", scheme, ""),
        ("RED-15 another", "irc://h/", scheme, ""),
        ("PM-22", "custom:x", scheme, ""),
    ];
    for (row, location, expected, line) in table {
        let server = line_server([redirect(302, location), ok("there")]);
        let (http, pool) = (manager(None), pool(&server, None));
        for request in [http.get(server.url("/a/b?x=y")), pool.get("/a/b?x=y")] {
            let before = server.seen.requests().len();
            let answered = request.send();
            assert_eq!(outcome(&answered), expected, "{row}");
            let next = lines(&server).get(before + 1).cloned().unwrap_or_default();
            assert_eq!(next, line, "{row}");
            if let Ok(response) = &answered {
                assert_eq!(response.url().fragment(), None, "RED-18 {row}: nor does the response's URL have one");
            }
            if let Err(error) = answered {
                assert!(error.to_string().contains("it leads to another scheme than http(s)"), "{row}: {error}");
                assert_eq!(error.head().unwrap().headers().get("location"), Some(location), "{row}");
            }
        }
        let server = line_server([redirect(302, location)]);
        let left = http.get(server.url("/")).allow_redirects(false).send().unwrap();
        assert_eq!((left.status().as_u16(), left.headers().get("location")), (302, Some(location)), "{row}");
    }
}

#[test]
fn to_another_host() {
    // Of the request, of the manager, and how it ends.
    let table: Vec<(&str, Option<Retry>, &str)> = vec![
        ("RED-07 0", Some(0.into()), "TooManyRedirects"),
        ("RED-07 1", Some(1.into()), "200"),
        ("RED-07 default", None, "200"),
    ];
    for (row, retry, expected) in table {
        let there = Server::new(vec![answers(ok("there"))]);
        let here = line_server([redirect(302, &there.url("/x"))]);
        let http = manager(retry.clone());
        let answered = http.get(here.url("/")).send();
        assert_eq!(outcome(&answered), expected, "{row}");
        assert_eq!(there.seen.accepted(), usize::from(expected == "200"), "{row}");
        if let Ok(response) = answered {
            assert_eq!(response.url().as_str(), there.url("/x"), "{row}");
            assert_eq!(response.remote_addr(), Some(there.addr), "{row}");
            let last = http.pool_stats()[0].0.to_string();
            assert_eq!(last, there.url(""), "{row}: the pool that was used last");
        }
        // A pool of one host has no connections to another.
        let alone = pool(&here, retry).get("/").send();
        assert_eq!(outcome(&alone), "HostChanged", "{row}");
        assert_eq!(alone.unwrap_err().head().unwrap().status(), 302, "{row}");
    }
}

/// What is sent, and what of it is sent to another host and to the same.
type Left = (&'static str, &'static [(&'static str, &'static str)], Option<Retry>, &'static [&'static str]);

#[test]
fn what_stays_behind() {
    let secrets: &[(&str, &str)] =
        &[("Authorization", "a"), ("Proxy-Authorization", "p"), ("Cookie", "c=1"), ("X-A", "1")];
    let lower: &[(&str, &str)] =
        &[("authorization", "a"), ("proxy-authorization", "p"), ("cookie", "c=1"), ("x-a", "1")];
    let upper: &[(&str, &str)] =
        &[("AUTHORIZATION", "a"), ("PROXY-AUTHORIZATION", "p"), ("COOKIE", "c=1"), ("X-A", "1")];
    let keyed: &[(&str, &str)] = &[("X-API-Secret", "s"), ("Authorization", "a"), ("X-A", "1")];
    let list = || Some(Retry::new(3).remove_headers_on_redirect(["x-api-secret"]));
    let table: &[Left] = &[
        ("RED-10", secrets, None, &["x-a"]),
        ("RED-10 RT-23", lower, None, &["x-a"]),
        ("RED-10 upper", upper, None, &["x-a"]),
        ("RED-10 not the list's", keyed, None, &["x-api-secret", "x-a"]),
        // The list of urllib3 takes the place of its default; here no word of the caller's sends credentials elsewhere.
        ("RED-12 RT-23", keyed, list(), &["x-a"]),
    ];
    let watched = ["authorization", "proxy-authorization", "cookie", "x-api-secret", "x-a"];
    for (row, sent, retry, kept) in table {
        let mut headers = Headers::new();
        sent.iter().for_each(|(name, value)| headers.append(name, value).unwrap());
        for at_client in [false, true] {
            let there = Server::new(vec![answers(ok("there"))]);
            let here = line_server([redirect(302, "/again"), redirect(302, &there.url("/"))]);
            // The list and the headers are the request's, or the client's.
            let (client, own) = if at_client { (retry.clone(), None) } else { (None, retry.clone()) };
            let builder = client.into_iter().fold(PoolManager::builder(), |builder, retry| builder.retries(retry));
            let http = if at_client { builder.headers(headers.clone()) } else { builder }.build().unwrap();
            let request = http.get(here.url("/"));
            let request = if at_client { request } else { request.headers(&headers) };
            let request = own.into_iter().fold(request, |request, retry| request.retries(retry));
            assert_eq!(outcome(&request.send()), "200", "{row}");

            let arrived = |request: &str| -> Vec<&str> {
                watched.into_iter().filter(|name| !values(request, name).is_empty()).collect()
            };
            let there = there.seen.requests();
            assert_eq!(arrived(&there[0]), *kept, "{row}");
            for request in here.seen.requests() {
                assert_eq!(arrived(&request).len(), sent.len(), "{row}: within the host all is kept");
            }
        }
        assert_eq!(headers.len(), sent.len(), "{row}: the caller's are not changed");
    }
}

#[test]
fn methods_and_bodies() {
    let table = [
        (303, "POST", "GET", ""),
        (303, "PUT", "GET", ""),
        (301, "POST", "POST", "abc"),
        (302, "POST", "POST", "abc"),
        (307, "POST", "POST", "abc"),
        (308, "PUT", "PUT", "abc"),
    ];
    for (status, method, next, sent) in table {
        let server = line_server([redirect(status, "/there"), ok("there")]);
        let method: Method = method.parse().unwrap();
        let request = pool(&server, None).urlopen(method.clone(), "/").data("abc").header("Content-Language", "en");
        request.send().unwrap();
        let requests = server.seen.requests();
        assert_eq!(request_line(&requests[1]), format!("{next} /there"), "{status} {method}");
        assert_eq!(body(&requests[1]), sent, "{status} {method}");
        assert_eq!(values(&requests[1], "content-language").is_empty(), sent.is_empty(), "{status} {method}");
    }
}

#[test]
fn one_connection_takes_all() {
    // The first answer is not read by anybody, nor is the second at first.
    for (row, first) in [
        ("RED-13", redirect(303, "/there")),
        ("chunked", {
            let head = "HTTP/1.1 303 Said\r\nLocation: /there\r\nTransfer-Encoding: chunked\r\n\r\n";
            format!("{head}5\r\nmoved\r\n0\r\n\r\n").into_bytes()
        }),
    ] {
        let server = line_server([first, ok("there")]);
        let pool = ConnectionPool::builder(server.url("/")).maxsize(2).block(true).build().unwrap();
        let response = pool.urlopen(Method::GET, "/").preload_content(false).send().unwrap();
        assert_eq!((server.seen.accepted(), pool.num_connections(), pool.num_requests()), (1, 1, 2), "{row}");
        let PoolStats { idle, in_use, .. } = pool.stats();
        assert_eq!((idle, in_use), (0, 1), "{row}");
        assert_eq!(response.text().unwrap(), "there");
        let PoolStats { idle, in_use, .. } = pool.stats();
        assert_eq!((idle, in_use), (1, 0), "{row}");
    }
}

#[test]
fn all_that_was_followed_is_told() {
    let chain = [303, 302, 301, 307, 302];
    let target = |number: usize| format!("/{}", number + 1);
    let hops = chain.iter().enumerate().map(|(number, status)| redirect(*status, &target(number)));
    let server = line_server(hops.chain([ok("there")]));
    let response = manager(None).get(server.url("/0")).retries(10).send().unwrap();
    let expected: Vec<_> =
        chain.iter().enumerate().map(|(n, status)| format!("GET /{n} {status} /{}", n + 1)).collect();
    assert_eq!(tried(response.retries()), expected, "RETI-13");
    assert_eq!(response.retries().unwrap().total(), RetryCount::AtMost(5), "RETI-13");
    let statuses: Vec<_> = response.history().iter().map(|head| head.status().as_u16()).collect();
    assert_eq!(statuses, chain, "RETI-13");

    let server = line_server([redirect(303, "/"), ok("there")]);
    let response = pool(&server, None).get("/redirect?target=%2F").send().unwrap();
    assert_eq!(tried(response.retries()), ["GET /redirect?target=%2F 303 /"], "RETI-11");
}

#[test]
fn bodies_that_are_gone() {
    // Two pieces, so that the first is sent and forgotten.
    let reader = || Body::reader(std::io::Cursor::new(vec![b'x'; 256 * 1024]));
    let table =
        [("RETI-19 307", 307, "UnrewindableBody"), ("RETI-19 308", 308, "UnrewindableBody"), ("303", 303, "200")];
    for (row, status, expected) in table {
        let server = line_server([redirect(status, "/there"), ok("there")]);
        let answered = pool(&server, None).put("/").data(reader()).send();
        assert_eq!(outcome(&answered), expected, "{row}");
        if let Err(error) = answered {
            assert!(error.maybe_processed(), "{row}");
            assert_eq!(error.kind(), &ErrorKind::UnrewindableBody);
        }
        let again = Server::new(vec![in_turn([reply(status, "Location: /there\r\n", ""), ok("there")])]);
        let seekable = Body::seekable(std::io::Cursor::new(vec![b'x'; 256 * 1024]));
        pool(&again, None).put("/").data(seekable).send().unwrap();
        let expected = if status == 303 { 0 } else { 256 * 1024 };
        assert_eq!(body(&again.seen.requests()[1]).len(), expected, "{row}");
    }
}

#[test]
fn a_hold_up_is_no_loop() {
    // Whoever asks for no bound is stopped by one that does not end in an hour.
    let server = Server::new(vec![vec![Step::Forever(in_turn([redirect(302, "/again")]))]]);
    let answered = manager(Some(RetryCount::Unlimited.into())).get(server.url("/")).send();
    assert_eq!(outcome(&answered), "TooManyRedirects");
    assert_eq!(server.seen.requests().len(), 51);
}
