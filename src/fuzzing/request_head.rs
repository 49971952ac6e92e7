//! Requests as they leave: an error before anything is sent, or exactly the one request that was asked for.

use std::io::{self, Cursor};
use std::time::Duration;

use super::input::Input;
use super::line::{End, Net, Outbox, Peer, lock};
use super::sent::{self, Sent};
use crate::body::Body;
use crate::client::RequestBuilder;
use crate::headers::Headers;
use crate::net::transport::Probe;
use crate::pools::PoolManager;
use crate::retry::Retry;
use crate::session::Session;
use crate::time::Timeout;
use crate::urls::Url;

/// Names that mean something to the client, and some that do not.
const NAMES: [&str; 16] = [
    "X-A",
    "x-a",
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "User-Agent",
    "Accept",
    "Accept-Encoding",
    "Authorization",
    "Content-Type",
    "Expect",
    "Upgrade",
    "TE",
    "Cookie",
    "Idempotency-Key",
];

/// What the client adds by itself, each at most once.
const OWN: [&str; 9] = [
    "host",
    "accept",
    "accept-encoding",
    "user-agent",
    "authorization",
    "connection",
    "content-type",
    "content-length",
    "transfer-encoding",
];

/// Takes everything down, and answers each request that is complete.
#[derive(Default)]
struct Recorder {
    sent: Vec<u8>,
    most: usize,
    outbox: Outbox,
}

impl Peer for Recorder {
    fn send(&mut self, bytes: &[u8], _: bool) -> io::Result<usize> {
        let len = if self.most == 0 { bytes.len() } else { bytes.len().min(self.most) };
        self.sent.extend_from_slice(&bytes[..len]);
        if sent::read(&self.sent).is_some() {
            self.outbox.push(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            self.outbox.end(End::Eof);
        }
        Ok(len)
    }

    fn recv(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.outbox.recv(buf)
    }

    fn probe(&mut self) -> Probe {
        self.outbox.probe()
    }
}

/// What was asked for.
struct Asked {
    method: http::Method,
    url: Option<Url>,
    fields: Vec<(String, Vec<u8>)>,
    defaults: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    /// The body comes from a reader, which does not know its length.
    read: bool,
}

pub fn request_head(data: &[u8]) {
    let mut input = Input::new(data);
    let net = Net::new([Recorder { most: input.number(40), ..Recorder::default() }]);
    let session = input.flag();
    let defaults = headers(&mut input, 2);
    let method = input.bytes(12);
    let Ok(method) = (if method.is_empty() { Ok(http::Method::POST) } else { http::Method::from_bytes(method) }) else {
        return;
    };
    let url = match input.flag() {
        true => String::from_utf8_lossy(input.bytes(80)).into_owned(),
        false => format!("http://h{}", String::from_utf8_lossy(input.bytes(80))),
    };
    let fields = headers(&mut input, 5);
    let length = input.number(2);
    let params = input.flag().then(|| String::from_utf8_lossy(input.bytes(12)).into_owned());
    let read = input.flag();
    let body = input.rest().to_vec();
    let manager = PoolManager::builder().dialer(net.clone()).retries(Retry::off());
    let builder = if session {
        let connector = manager.build().unwrap();
        let session = Session::builder().connector(connector).headers(defaults.clone()).build();
        session.map(|session| session.request(method.clone(), &*url))
    } else {
        manager.headers(defaults.clone()).build().map(|manager| manager.request(method.clone(), &*url))
    };
    let Ok(builder) = builder else { return };
    let mut fields = fields;
    if length > 0 {
        // Right or, sometimes, wrong.
        fields.append("content-length", (body.len() + length - 1).to_string()).unwrap();
    }
    let url = Url::parse(&url).ok();
    // A pool's are replaced as a whole.
    let defaults = if session { listed(&defaults) } else { Vec::new() };
    let asked = Asked { method, url, fields: listed(&fields), defaults, body, read };
    ask(&net, builder.headers(&fields), params, &asked);
}

fn headers(input: &mut Input<'_>, most: usize) -> Headers {
    let mut headers = Headers::new();
    for _ in 0..input.number(most) {
        let name = match input.byte() {
            known @ 0..=223 => NAMES[usize::from(known) % NAMES.len()].into(),
            _ => String::from_utf8_lossy(input.bytes(10)),
        };
        // What is refused here can be sent by nobody; `headers` is the target for that.
        let _ = headers.append(&name, input.bytes(20));
    }
    headers
}

fn listed(headers: &Headers) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|field| (field.name().to_owned(), field.bytes().to_vec())).collect()
}

fn ask(net: &Net<Recorder>, builder: RequestBuilder, params: Option<String>, asked: &Asked) {
    let builder = match (asked.body.is_empty(), asked.read) {
        (true, false) => builder,
        (_, true) => builder.data(Body::reader(Cursor::new(asked.body.clone()))),
        (false, false) => builder.data(Body::from(asked.body.clone())),
    };
    // Nobody could wait for a word that has not come.
    let builder = builder.timeout(Timeout::new().expect(Duration::ZERO));
    let builder = match &params {
        Some(value) => builder.params([("p", value)]),
        None => builder,
    };
    net.begin();
    let result = builder.send();
    let sent = net.peers().iter().flat_map(|peer| lock(peer).sent.clone()).collect::<Vec<u8>>();
    match result {
        // A reader may turn out to be shorter than the user said.
        Err(error) if asked.read => assert!(sent::read(&sent).is_none(), "{error:?} behind {}", sent.escape_ascii()),
        Err(error) => assert!(sent.is_empty(), "{error:?} behind {}", sent.escape_ascii()),
        Ok(response) => {
            let request = sent::read(&sent).expect("an answer to a whole request");
            assert_eq!(request.len, sent.len(), "behind the request: {}", sent[request.len..].escape_ascii());
            assert_eq!(response.method(), &asked.method);
            is_what_was_asked(&request, asked, params.as_deref());
        }
    }
}

fn is_what_was_asked(request: &Sent, asked: &Asked, params: Option<&str>) {
    let url = asked.url.as_ref().expect("no request without a URL");
    assert_eq!(request.method, asked.method.as_str());
    match params {
        None => assert_eq!(request.target, url.target()),
        Some(value) => {
            let query = request.target.split_once('?').map_or("", |(_, query)| query);
            let pairs: Vec<_> = ::url::form_urlencoded::parse(query.as_bytes()).collect();
            assert_eq!(pairs.last().map(|(name, value)| (&**name, &**value)), Some(("p", value)));
            assert!(request.target.starts_with(&url.target()), "{}", request.target);
        }
    }
    assert_eq!(request.body, asked.body);
    let has = |list: &[(String, Vec<u8>)], name: &str| list.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let defaults = asked.defaults.iter().filter(|(name, _)| !has(&asked.fields, name));
    let expected: Vec<_> = defaults.chain(&asked.fields).collect();
    let is_host = |name: &str| name.eq_ignore_ascii_case("host");
    let given = |name: &str| expected.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    // Host goes first, and chunks are named by the client; all others as they were given.
    let is_moved = |name: &str| is_host(name) || name.eq_ignore_ascii_case("transfer-encoding");
    let (ours, own): (Vec<_>, Vec<_>) = request.fields.iter().partition(|(name, _)| given(name));
    let in_order = |list: &[&(String, Vec<u8>)]| -> Vec<_> {
        list.iter().filter(|(name, _)| !is_moved(name)).map(|&(name, value)| (name.clone(), value.clone())).collect()
    };
    assert_eq!(in_order(&ours), in_order(&expected));
    for name in OWN {
        assert!(own.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).count() <= 1, "{name}");
    }
    assert!(own.iter().all(|(name, _)| OWN.contains(&&*name.to_ascii_lowercase())), "{own:?}");
    let host = expected.iter().rfind(|(name, _)| is_host(name)).map(|(_, value)| value.clone());
    let host = host.unwrap_or_else(|| url.origin().host_field().as_bytes().to_vec());
    assert_eq!(request.values("host").next(), Some(&*host));
    assert!(request.fields.first().is_some_and(|(name, _)| is_host(name)));
}
