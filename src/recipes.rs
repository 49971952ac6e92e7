//! How daily tasks are done, one by one.
//!
//! Each example runs as a test of the crate, against a server that is left out here; `url` is its URL.
//!
//! - [Text and JSON](#text-and-json), [queries](#queries), [bodies](#bodies), [headers](#headers)
//! - [Credentials](#credentials), [cookies](#cookies), [redirects](#redirects)
//! - [Statuses and errors](#statuses-and-errors), [timeouts](#timeouts), [retries](#retries)
//! - [Large responses](#large-responses), [downloads](#downloads), [files and forms](#files-and-forms)
//! - [Connections](#connections), [many requests at once](#many-requests-at-once)
//! - [Sockets, certificates, addresses](#sockets-certificates-addresses)
//! - [Hooks and middleware](#hooks-and-middleware), [tests without a server](#tests-without-a-server)
//! - [Pages](#pages), [types of the crate `http`](#types-of-the-crate-http)
//! - [Coming from another client](#coming-from-another-client)
//!
//! # Text and JSON
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n{\"title\": \"Dune\", \"year\": 1965}");
//! let text = hostpool::get(&url).send()?.text()?;
//! assert_eq!(text, r#"{"title": "Dune", "year": 1965}"#);
//!
//! #[derive(serde::Deserialize)]
//! struct Book {
//!     title: String,
//!     year: u32,
//! }
//!
//! let book: Book = hostpool::get(&url).send()?.json()?;
//! assert_eq!((&*book.title, book.year), ("Dune", 1965));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A program that sends more than one request makes a [`Session`] once, so that connections are used again:
//!
//! ```no_run
//! use hostpool::Session;
//!
//! let session = Session::builder().base_url("https://api.example/v1/").build()?;
//! let text = session.get("books/7").send()?.text()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Queries
//!
//! ```
//! use hostpool::Session;
//!
//! #[derive(serde::Serialize)]
//! struct Search<'a> {
//!     q: &'a str,
//!     page: u32,
//! }
//!
//! let session = Session::new();
//! let url = "https://api.example/search";
//! let pairs = session.get(url).params([("q", "a b"), ("page", "2")]).build()?;
//! let value = session.get(url).params(Search { q: "a b", page: 2 }).build()?;
//! assert_eq!(pairs.url().to_string(), "https://api.example/search?q=a+b&page=2");
//! assert_eq!(value.url(), pairs.url());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Bodies
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
//! use std::fs::File;
//!
//! use hostpool::Session;
//!
//! #[derive(serde::Serialize)]
//! struct Book {
//!     title: &'static str,
//! }
//!
//! let session = Session::new();
//! session.post(&url).json(&Book { title: "Dune" }).send()?;
//! session.post(&url).form([("title", "Dune")]).send()?;
//! session.post(&url).form(Book { title: "Dune" }).send()?;
//! session.post(&url).body("raw text").send()?;
//! session.put(&url).header("Content-Type", "image/gif").body(*b"GIF89a").send()?;
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("large.bin");
//! # std::fs::write(&path, "large")?;
//! // A file is sent as it is read. With `expect100` it leaves only if the server wants it.
//! session.put(&url).body(File::open(path)?).expect100(true).send()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Headers
//!
//! Headers are sent in the order and the spelling in which they are added.
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 200 OK\r\nX-Answer: yes\r\nContent-Length: 0\r\n\r\n");
//! use hostpool::Session;
//!
//! // For each request of the session.
//! let session = Session::builder().user_agent("books/1.0").header("X-Client", 7).build()?;
//! // For one request.
//! let pairs = [("X-A", "1"), ("X-B", "2")];
//! let response = session.get(&url).header("Accept", "text/plain").headers(pairs).send()?;
//! assert_eq!(response.headers().get("x-answer"), Some("yes"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Credentials
//!
//! They go to the origin that they are meant for. [`RequestBuilder::trust_origins`] names others for redirects.
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
//! use hostpool::{DigestAuth, Netrc, Session};
//!
//! let session = Session::new();
//! session.get(&url).basic_auth("login", "password").send()?;
//! session.get(&url).bearer_auth("token").send()?;
//! # #[cfg(feature = "digest-auth")]
//! session.get(&url).auth(DigestAuth::new("login", "password")).send()?;
//! // Digest where the server offers it, and otherwise Basic, but not over plain `http`.
//! # #[cfg(feature = "digest-auth")]
//! session.get(&url).any_auth("login", "password").send()?;
//! // The token goes along when this API redirects to its file server, and to no other origin.
//! let request = session.get("https://api.example/file").bearer_auth("token").trust_origins(["https://files.example"]);
//!
//! // `Netrc::from_env()?` reads the user's file.
//! let netrc = Netrc::parse("machine api.example login me password secret")?;
//! let session = Session::builder().netrc(netrc).build()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Cookies
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 200 OK\r\nSet-Cookie: id=7\r\nContent-Length: 0\r\n\r\n");
//! use hostpool::{CookieJar, Session};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("cookies.txt");
//! let jar = if path.exists() { CookieJar::load_netscape(&path)? } else { CookieJar::new() };
//! let session = Session::builder().cookie_jar(jar.clone()).build()?;
//! let response = session.get(&url).send()?;
//! assert_eq!(response.cookie("id").unwrap().value(), "7");
//! assert_eq!(jar.get(response.url(), "id").unwrap().value(), "7");
//! jar.save_netscape(&path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Redirects
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 302 Found\r\nLocation: https://login.example/\r\nContent-Length: 0\r\n\r\n");
//! use hostpool::{RedirectAction, Session};
//!
//! let session = Session::new();
//! // The 302 itself.
//! let response = session.get(&url).allow_redirects(false).send()?;
//! assert_eq!(response.status(), 302);
//!
//! // Each redirect is decided about.
//! let request = session.get(&url).redirect_when(|hop| match hop.to().host() {
//!     "login.example" => RedirectAction::Stop,
//!     _ => RedirectAction::Follow,
//! });
//! let response = request.send()?;
//! assert_eq!(response.redirect_location().as_deref(), Some("https://login.example/"));
//!
//! # let there = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
//! # let head = format!("HTTP/1.1 301 Moved\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n");
//! # let url = example::serve(String::leak(head));
//! // A redirect that was followed is in the history of the response.
//! let response = session.get(&url).send()?;
//! assert_eq!((response.status().as_u16(), response.url().as_str()), (200, &*there));
//! let moved = &response.history()[0];
//! assert_eq!((moved.status().as_u16(), moved.url().as_str()), (301, &*url));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Statuses and errors
//!
//! A status is no error unless the caller says so. The error keeps the start of the body.
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 404 Not Found\r\nContent-Length: 18\r\n\r\n{\"reason\": \"gone\"}");
//! use hostpool::ErrorKind;
//!
//! let error = hostpool::get(&url).send()?.error_for_status().unwrap_err();
//! let head = error.head().unwrap();
//! assert_eq!(head.status(), 404);
//! assert_eq!(head.body(), br#"{"reason": "gone"}"#);
//!
//! #[derive(serde::Deserialize)]
//! struct Problem {
//!     reason: String,
//! }
//!
//! let problem: Problem = serde_json::from_slice(head.body())?;
//! assert_eq!(problem.reason, "gone");
//!
//! // Nobody listens there.
//! let error = hostpool::get("http://127.0.0.1:1/").send().unwrap_err();
//! assert!(error.is_connect() && !error.is_timeout() && !error.maybe_processed());
//! match error.kind() {
//!     ErrorKind::Connect => {}
//!     other => panic!("{other:?}"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Timeouts
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
//! use std::time::Duration;
//!
//! use hostpool::{Session, Timeout};
//!
//! // At most 3 seconds for a connection, at most 10 without a byte from the server.
//! let timeout = Timeout::new().connect(Duration::from_secs(3)).read(Duration::from_secs(10));
//! let session = Session::builder().timeout(timeout).build()?;
//! // At most 30 seconds for everything: pool, retries, redirects, body.
//! session.get(&url).timeout(Duration::from_secs(30)).send()?;
//! // No bound on the whole, but on its speed: at least 1,000 bytes in each 30 seconds.
//! session.get(&url).timeout(timeout.min_rate(1000, Duration::from_secs(30))).send()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Retries
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
//! use std::time::Duration;
//!
//! use hostpool::{Retry, RetryBudget, Session};
//!
//! // Up to three more tries a call, with waits that grow.
//! // All calls together make at most ten more, and one for every ten calls.
//! let retry = Retry::new(3)
//!     .status_forcelist([502, 503, 504])
//!     .backoff_factor(Duration::from_millis(10))
//!     .budget(&RetryBudget::new(10).per_hundred_calls(10));
//! let session = Session::builder().retries(retry).build()?;
//! let error = session.get(&url).send().unwrap_err();
//! assert_eq!((error.head().unwrap().status().as_u16(), error.retries().len()), (503, 4));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Large responses
//!
//! A body is read only when it is asked for. A body that is cut is an error.
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\none\ntwo\n");
//! use std::io::Read;
//!
//! let mut response = hostpool::get(&url).max_body(1 << 20).send()?;
//! let mut first = [0; 2];
//! response.read_exact(&mut first)?;
//! assert_eq!(&first, b"on");
//!
//! for line in hostpool::get(&url).send()?.into_lines() {
//!     assert_eq!(line?.len(), 3);
//! }
//! let mut seen = 0;
//! for chunk in hostpool::get(&url).send()?.into_chunks(4) {
//!     seen += chunk?.len();
//! }
//! assert_eq!(seen, 8);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Downloads
//!
//! The file has its name when it is complete. [`RequestBuilder::download`] goes on where it was cut.
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("file");
//! hostpool::get(&url).send()?.error_for_status()?.save_to(&path)?;
//!
//! let bytes = hostpool::get(&url).retries(5).download_with(&path, |done, total| {
//!     eprintln!("{done} of {total:?}");
//! })?;
//! assert_eq!(bytes, 5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Files and forms
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
//! use hostpool::multipart::{Form, Part};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("report.txt");
//! # std::fs::write(&path, "all is well")?;
//! hostpool::post(&url).files([("report", &path)]).send()?;
//!
//! let form = Form::new()
//!     .text("title", "A report")
//!     .file("report", &path)?
//!     .part("picture", Part::bytes(*b"GIF89a").file_name("a.gif").content_type("image/gif"));
//! hostpool::post(&url)
//!     .multipart(form)
//!     .progress(|sent, total| eprintln!("{sent} of {total:?}"))
//!     .send()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Connections
//!
//! Limits are for all threads together. At a limit callers wait, first come, first served.
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
//! use std::time::Duration;
//!
//! use hostpool::Session;
//!
//! let session = Session::builder()
//!     .limit(8) // to one host
//!     .total_limit(100)
//!     .pool_timeout(Duration::from_secs(2))
//!     .idle_timeout(Duration::from_secs(20))
//!     .build()?;
//! session.get(&url).send()?.text()?;
//! session.get(&url).send()?.text()?;
//!
//! let stats = session.connector().unwrap().stats();
//! assert_eq!((stats.created, stats.reused, stats.idle), (1, 1, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Many requests at once
//!
//! A batch sends them on threads of the session, 16 at once unless [`workers`](crate::ClientBuilder::workers) says
//! something else. Each result comes with the place of its request:
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
//! let session = hostpool::Session::new();
//! let urls = vec![url.clone(); 100];
//! for (place, result) in session.batch(urls.iter().map(|url| session.get(url))) {
//!     match result {
//!         Ok(response) => assert_eq!(response.text()?.len(), 5),
//!         Err(error) => eprintln!("{}: {error}", urls[place]),
//!     }
//! }
//!
//! // One request, and other work meanwhile.
//! let pending = session.submit(session.get(&url));
//! assert_eq!(pending.wait()?.text()?, "hello");
//! # Ok::<(), hostpool::Error>(())
//! ```
//!
//! [`Batch`](crate::Batch) says more: results as they are completed, work on the threads, requests that follow from
//! results. Threads of your own share a session as well; a clone of it is the same session:
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
//! let session = hostpool::Session::new();
//! let load = || session.get(&url).send()?.bytes().map(|body| body.len());
//! let lengths: Vec<hostpool::Result<usize>> = std::thread::scope(|scope| {
//!     // Each thread begins before the first is waited for.
//!     let threads: Vec<_> = (0..10).map(|_| scope.spawn(load)).collect();
//!     threads.into_iter().map(|thread| thread.join().unwrap()).collect()
//! });
//! assert!(lengths.into_iter().all(|length| matches!(length, Ok(5))));
//! # Ok::<(), hostpool::Error>(())
//! ```
//!
//! # Sockets, certificates, addresses
//!
//! ```no_run
//! use std::net::{IpAddr, Ipv4Addr};
//!
//! use hostpool::{ConnectionPool, Session, TlsConfig, Url};
//!
//! let docker = ConnectionPool::unix("/run/docker.sock").build()?;
//! let version = docker.get("/version").send()?.text()?;
//! let the_same = hostpool::get(Url::unix("/run/docker.sock", "/version")?).send()?.text()?;
//!
//! let tls = TlsConfig::builder().root_file("/etc/company/ca.pem").build()?;
//! let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
//! let session = Session::builder().tls(tls).source_address(address).build()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A dialer opens the connections. This one has a fixed address for a name, and opens the stream itself:
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
//! use std::net::{SocketAddr, TcpStream};
//!
//! use hostpool::{Dialer, Session, TcpDialer, dialer_fn};
//!
//! let address: SocketAddr = "192.0.2.7:80".parse()?;
//! # let address = hostpool::Url::parse(&url)?.netloc().parse::<SocketAddr>()?;
//! let dialer = dialer_fn(move |target, context| match target.origin().host() {
//!     "api.example" => Ok(Box::new(TcpStream::connect(address)?)),
//!     _ => TcpDialer::new().dial(target, context),
//! });
//! let session = Session::builder().dialer(dialer).build()?;
//! assert_eq!(session.get("http://api.example/").send()?.text()?, "hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # TLS
//!
//! Certificates are verified. A server with a certificate of its own is trusted by that certificate, and a client shows
//! its own if it is told to. A failure says what is wrong, and has the certificates that were refused.
//!
//! ```no_run
//! use hostpool::{Session, TlsConfig, TlsFault};
//!
//! let tls = TlsConfig::builder()
//!     .trusted_certificate_file("/etc/company/printer.pem")
//!     .client_cert_file("/etc/company/client.pem")
//!     .client_key_file("/etc/company/client.key")
//!     .build()?;
//! let session = Session::builder().tls(tls).build()?;
//! match session.get("https://printer.example/").send() {
//!     Ok(response) => println!("{:?}", response.connection().and_then(|connection| connection.tls)),
//!     Err(error) => match error.tls_failure() {
//!         Some(failure) if failure.fault() == TlsFault::Expired => println!("renew it: {failure}"),
//!         Some(failure) => println!("{failure}"),
//!         None => return Err(error),
//!     },
//! }
//! # Ok::<(), hostpool::Error>(())
//! ```
//!
//! # What a proxy is told
//!
//! A [`Proxy`](crate::Proxy) has its own credentials, headers and TLS configuration. No server gets them, and the proxy
//! gets nothing of an `https` request but host and port.
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 403 Forbidden\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\nContent-Length: 4\r\n\r\npage");
//! use hostpool::{DigestAuth, ErrorKind, Proxy, Session, TlsConfig};
//!
//! let proxy = Proxy::parse("https://proxy.example")?
//!     .auth(DigestAuth::new("login", "password")) // or ("login", "password"), or those of the URL
//!     .header("X-Team", "7")?
//!     .tls(TlsConfig::default()); // that of the session is for the servers
//! let session = Session::builder().proxy(proxy).build()?;
//!
//! // What a proxy says when it refuses a tunnel.
//! # let at = url.trim_end_matches('/');
//! let proxy = Proxy::parse(at)?.tunnel_http(true);
//! let error = session.get("http://www.example.com/").proxy(proxy).send().unwrap_err();
//! if let ErrorKind::ProxyRefused { .. } = error.kind() {
//!     let head = error.head().unwrap();
//!     assert_eq!(head.headers().get("X-Squid-Error"), Some("ERR_ACCESS_DENIED 0"));
//!     assert_eq!(head.body(), b"page");
//! }
//! # assert_eq!(error.status().unwrap(), 403);
//! # Ok::<(), hostpool::Error>(())
//! ```
//!
//! [`AuthScheme`](crate::AuthScheme) is for NTLM and Negotiate. A [`ProxyManager`](crate::ProxyManager) is urllib3's, and a
//! [`ProxyConnector`](crate::ProxyConnector) aiohttp's. `cargo run --example proxy` shows whose fault a failure is.
//!
//! # Hooks and middleware
//!
//! A hook sees each request, those of redirects and retries too. Middleware runs once around a call, and may answer by
//! itself.
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
//! use std::time::Instant;
//!
//! use hostpool::{Error, Session};
//!
//! let session = Session::builder()
//!     .on_request(|request| match request.url().scheme() {
//!         "https" => Ok(()),
//!         _ if request.url().host() == "127.0.0.1" => Ok(()),
//!         _ => Err(Error::custom("only https leaves this machine")),
//!     })
//!     .middleware(|request, next| {
//!         let started = Instant::now();
//!         let what = format!("{} {}", request.method(), request.url());
//!         let response = next.run(request)?;
//!         eprintln!("{what}: {}, {:?}", response.status(), started.elapsed());
//!         Ok(response)
//!     })
//!     .build()?;
//! assert_eq!(session.get(&url).send()?.status(), 200);
//! assert!(session.get("http://api.example/").send().is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A request can carry a value for them, which is not sent:
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
//! use hostpool::Session;
//!
//! #[derive(Clone)]
//! struct Label(&'static str);
//!
//! let session = Session::builder()
//!     .middleware(|request, next| {
//!         let label = request.extensions().get::<Label>().map_or("other", |label| label.0);
//!         eprintln!("{label}: {}", request.url());
//!         next.run(request)
//!     })
//!     .build()?;
//! session.get(&url).extension(Label("books")).send()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Tests without a server
//!
//! Middleware that answers takes the place of the network.
//!
//! ```
//! use hostpool::{Response, Session};
//!
//! let session = Session::builder()
//!     .middleware(|request, _| match request.url().path() {
//!         "/books/7" => Response::builder().json(&[1965]).build(),
//!         _ => Response::builder().status(404).build(),
//!     })
//!     .build()?;
//! assert_eq!(session.get("https://api.example/books/7").send()?.json::<Vec<u32>>()?, [1965]);
//! assert_eq!(session.get("https://api.example/books/8").send()?.status(), 404);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Pages
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 200 OK\r\nLink: </?page=2>; rel=next\r\nContent-Length: 0\r\n\r\n");
//! use hostpool::{Session, Url};
//!
//! let session = Session::new();
//! let (mut next, mut pages) = (Some(Url::parse(&url)?), 0);
//! while let Some(page) = next.take() {
//!     let response = session.get(page).send()?.error_for_status()?;
//!     pages += 1;
//!     let link = response.links().into_iter().find(|link| link.has_rel("next"));
//!     next = link.map(|link| link.url().clone()).filter(|_| pages < 3);
//!     response.text()?;
//! }
//! assert_eq!(pages, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Types of the crate `http`
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest_server.rs")); }
//! # let url = example::serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
//! use hostpool::Session;
//!
//! let session = Session::new();
//! let request = http::Request::post(&url).header("X-A", "1").body("text")?;
//! let response: http::Response<_> = session.execute(request)?.into_http()?;
//! assert_eq!(response.headers()["content-length"], "5");
//!
//! // A request that is made once and sent again.
//! let prepared = session.get(&url).build()?;
//! let again = prepared.try_clone().unwrap();
//! assert_eq!(session.execute(prepared)?.text()?, session.execute(again)?.text()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Coming from another client
//!
//! A name in the search field of these pages leads to its place here, where the other client calls it differently.
//!
//! | requests, urllib3, aiohttp | here |
//! |---|---|
//! | `requests.get(url)` | [`hostpool::get`](crate::get) |
//! | `requests.Session()`, `aiohttp.ClientSession()` | [`Session`] |
//! | `urllib3.PoolManager(num_pools, maxsize, block)`, `http.request(..)` | [`PoolManager`], [`PoolManager::request`] |
//! | `HTTPConnectionPool(host, maxsize=8, block=True)`, `pool.urlopen(..)` | [`ConnectionPool`], [`ConnectionPool::urlopen`] |
//! | `aiohttp.TCPConnector(limit, limit_per_host)` | [`SessionBuilder::total_limit`](crate::ClientBuilder::total_limit), [`limit`](crate::ClientBuilder::limit) |
//! | `aiohttp.TCPConnector(..)`, `aiohttp.UnixConnector(path=..)` for several sessions | [`TcpConnector`](crate::TcpConnector), [`UnixConnector`](crate::UnixConnector) |
//! | `urllib3.ProxyManager(url, proxy_headers)`, `proxy_from_url(url)` | [`ProxyManager`](crate::ProxyManager), [`Proxy::header`](crate::Proxy::header) |
//! | `aiohttp.ProxyConnector(proxy, proxy_auth)`, `proxy=`, `proxy_auth=` | [`ProxyConnector`](crate::ProxyConnector), [`RequestBuilder::proxy`], [`Proxy::auth`](crate::Proxy::auth) |
//! | `HttpNtlmAuth(..)`, `HTTPKerberosAuth()` | [`AuthScheme`](crate::AuthScheme) |
//! | `connector.connect(..)`, `pool._get_conn()` | [`PoolManager::connect`], [`Connection`](crate::Connection) |
//! | `params=`, `data=`, `files=`, `headers=`, `cookies=`, `auth=` | methods of these names of [`RequestBuilder`] |
//! | `data={"a": "1"}` | [`RequestBuilder::form`] |
//! | `timeout=(3, 10)`, `Timeout(connect=3, read=10)` | [`Timeout::connect`], [`Timeout::read`] |
//! | `ClientTimeout(total=30)` | [`Timeout::total`], or a `Duration` for [`RequestBuilder::timeout`] |
//! | `mount("https://", HTTPAdapter(max_retries=Retry(..)))` | [`Retry`], [`SessionBuilder::retries`](crate::ClientBuilder::retries) |
//! | `verify="ca.pem"` | [`TlsConfigBuilder::root_file`](crate::TlsConfigBuilder::root_file) |
//! | `stream=True`, `preload_content=False` | always so: a body is read when it is asked for |
//! | `r.content`, `await r.read()`, `r.data` | [`Response::bytes`] |
//! | `r.text`, `r.json()`, `r.links`, `r.history`, `r.url` | methods of these names of [`Response`] |
//! | `r.iter_lines()`, `r.iter_content(n)`, `r.content.iter_chunked(n)` | [`Response::lines`], [`Response::chunks`] |
//! | `r.raise_for_status()` | [`Response::error_for_status`], or [`RequestBuilder::raise_for_status`] |
//! | `MaxRetryError`, `NewConnectionError`, `ReadTimeoutError` | [`ErrorKind`], [`Error::retries`](crate::Error::retries) |
//! | `FuturesSession`, `ThreadPoolExecutor.submit`, `asyncio.create_task` | [`Session::submit`], [`Pending`](crate::Pending) |
//! | `executor.map(..)`, `as_completed`, `asyncio.gather`, `grequests.map`, `imap` | [`Session::batch`], [`Batch`](crate::Batch) |
//! | `aiohttp.TraceConfig` | [`Listener`](crate::Listener) |
//!
//! | ureq, reqwest::blocking | here |
//! |---|---|
//! | `ureq::get(url).call()?`, `reqwest::blocking::get(url)?` | `hostpool::get(url).send()?` |
//! | `Agent`, `Client` | [`Session`] |
//! | `Agent::config_builder()`, `ClientBuilder` | [`Session::builder`] |
//! | `.query("a", "1")`, `.query(&[("a", "1")])` | [`RequestBuilder::query`], for pairs and values of serde types |
//! | `.send_json(&v)?`, `.json(&v).send()?` | `.json(&v).send()?` |
//! | `.send_form(pairs)?`, `.form(&v).send()?` | [`RequestBuilder::form`], for pairs and values of serde types |
//! | `.send(body)?`, `.body(body).send()?` | [`RequestBuilder::body`] |
//! | `.body_mut().read_json::<T>()?`, `.json::<T>()?` | `.json::<T>()?` |
//! | `.body_mut().with_config().limit(n)` | [`RequestBuilder::max_body`] |
//! | `Err(ureq::Error::StatusCode(404))` | a response: `response.status() == 404` |
//! | an error for each 4xx and 5xx (ureq) | [`SessionBuilder::raise_for_status`](crate::ClientBuilder::raise_for_status) |
//! | `timeout_global`, `timeout_connect`, `timeout_recv_response`, `.connect_timeout(d)` | [`Timeout`] |
//! | `max_idle_connections_per_host`, `pool_max_idle_per_host` | [`SessionBuilder::maxsize`](crate::ClientBuilder::maxsize); [`limit`](crate::ClientBuilder::limit) bounds those in use, too |
//! | `redirect::Policy::custom(..)` | [`RequestBuilder::redirect_when`] |
//! | `redirect_auth_headers(SameHost)` | [`RequestBuilder::trust_origins`] |
//! | `.proxy(Proxy::all(url)?)`, `Proxy::new(url)?`, `.basic_auth(..)` | [`SessionBuilder::proxy`](crate::ClientBuilder::proxy), [`Proxy`](crate::Proxy) |
//! | `multipart::Form`, `Part` | [`multipart`](crate::multipart) |
//! | `copy_to(&mut file)` | [`Response::copy_to`], [`Response::save_to`] |
//! | `Resolver`, `Connector`, `.resolve(host, address)` | [`Dialer`](crate::Dialer), [`dialer_fn`](crate::dialer_fn) |
//!
//! Where the defaults differ, see the table of [`ClientBuilder`](crate::ClientBuilder).

// The documentation links to these.
#[cfg(doc)]
use crate::{ConnectionPool, ErrorKind, PoolManager, RequestBuilder, Response, Retry, Session, Timeout};
