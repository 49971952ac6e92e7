//! This crate, through a `Session` or a `ConnectionPool`, as its users would.

use std::io::Read;

use bench_common::{Client, Fields, Setup, Source};
use hostpool::{
    Body, CancelToken, ConnectionPool, Listener, Method, PoolManager, RequestBuilder, Response, Session, Timeout, TlsConfig,
};

fn main() {
    bench_common::main::<Hostpool>();
}

struct Hostpool {
    way: Way,
    token: Option<CancelToken>,
}

enum Way {
    Session(Session),
    /// A pool of one host, and the number of bytes before the path of its URLs.
    Pool(ConnectionPool, usize),
}

struct Nothing;

impl Listener for Nothing {}

impl Client for Hostpool {
    const NAME: &'static str = "hostpool";
    const HAS_POOLS: bool = true;
    type Handle<'a> = Handle<'a>;

    fn new(setup: &Setup) -> Self {
        if let Some(url) = &setup.pool {
            let pool = ConnectionPool::builder(url).build().expect("the options agree");
            return Hostpool { way: Way::Pool(pool, url.len()), token: None };
        }
        // Some workloads keep a thousand connections idle; a session keeps a hundred by default.
        let mut session = match setup.limit {
            None => Session::builder().max_idle(10_000),
            Some(limit) => {
                let manager = PoolManager::builder().limit(limit).build().expect("the options agree");
                Session::builder().connector(manager)
            }
        };
        if let Some(root) = &setup.root {
            session = session.tls(TlsConfig::builder().root_file(root).build().expect("a certificate"));
        }
        if let Some(bound) = setup.bound {
            let timeout = Timeout::new().total(bound).pool(bound).connect(bound).write(bound).head(bound).read(bound);
            session = session.timeout(timeout);
        }
        if setup.watched {
            session = session.listener(Nothing);
        }
        let token = setup.watched.then(CancelToken::new);
        Hostpool { way: Way::Session(session.build().expect("the options agree")), token }
    }

    fn handle(&self) -> Handle<'_> {
        Handle(self)
    }

    fn unix_url(socket: &str, path: &str) -> String {
        format!("http+unix://{}{path}", socket.replace('/', "%2F"))
    }
}

struct Handle<'a>(&'a Hostpool);

impl Handle<'_> {
    fn request(&self, method: Method, url: &str) -> RequestBuilder {
        match &self.0.way {
            Way::Session(session) => session.request(method, url),
            Way::Pool(pool, skipped) => pool.request(method, &url[*skipped..]),
        }
    }

    fn send(&self, url: &str) -> Response {
        // A builder is not moved once more for a token that is not there.
        let response = match &self.0.token {
            None => self.request(Method::GET, url).send(),
            Some(token) => self.request(Method::GET, url).cancel_with(token).send(),
        };
        let response = response.expect("the server answers");
        assert_eq!(response.status(), 200);
        response
    }
}

/// Reads a small body to its end.
fn read(mut response: Response, body: &mut [u8]) -> usize {
    let mut len = 0;
    while let read @ 1.. = response.read(&mut body[len..]).expect("the body arrives") {
        len += read;
    }
    len
}

impl bench_common::Handle for Handle<'_> {
    fn get(&mut self, url: &str, body: &mut [u8]) -> usize {
        read(self.send(url), body)
    }

    fn get_vec(&mut self, url: &str) -> Vec<u8> {
        self.send(url).bytes().expect("the body arrives")
    }

    fn get_fields(&mut self, url: &str, name: &str, body: &mut [u8]) -> Fields {
        let response = self.send(url);
        let count = response.headers().len();
        let value = response.headers().get(name).expect("the field").to_owned();
        Fields { count, value, body: read(response, body) }
    }

    fn open(&mut self, url: &str, connections: usize) {
        // A connection is in use until its body was read.
        let open: Vec<_> = (0..connections).map(|_| self.send(url)).collect();
        open.into_iter().for_each(|response| drop(response.bytes().expect("the body arrives")));
    }

    fn download(&mut self, url: &str, piece: &mut [u8]) -> u64 {
        let mut response = self.send(url);
        let mut total = 0;
        while let read @ 1.. = response.read(piece).expect("the body arrives") {
            total += read as u64;
        }
        total
    }

    fn upload(&mut self, url: &str, source: Source, length: Option<u64>) -> Vec<u8> {
        let body = match length {
            Some(length) => Body::sized(source, length),
            None => Body::reader(source),
        };
        let response = self.request(Method::POST, url).data(body).send().expect("the server answers");
        assert_eq!(response.status(), 200);
        response.bytes().expect("the body arrives")
    }

    fn json(&mut self, url: &str) -> serde_json::Value {
        self.send(url).json().expect("JSON")
    }
}
