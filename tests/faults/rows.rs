//! One row: a peer's script, a request, and what must come of it; and the runner of rows.

use std::io::Read;
use std::time::{Duration, Instant};

use hostpool::{
    CloseReason, Error, ErrorKind, Method, Phase, PoolManager, PoolManagerBuilder, RequestBuilder, Timeout, Violation,
};

use crate::invariants::{CANARY, exclusive, presentable, settled, times};
use crate::memory::Memory;
use crate::support::{GIVE_UP, Seen, Server, Step, answer, eventually, ok};

/// More than a busy machine needs, and less than anything that has forgotten its deadline.
pub const LATE: Duration = Duration::from_secs(5);

/// What a row runs over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Over {
    Sockets,
    Memory,
    /// A transport in memory that takes one byte a send.
    Narrow,
}

const BOTH: &[Over] = &[Over::Sockets, Over::Memory];

/// A scripted server, by sockets or in memory.
pub enum Host {
    Sockets(Server),
    Memory(Memory),
}

impl Host {
    pub fn new(over: Over, scripts: Vec<Vec<Step>>) -> Host {
        match over {
            Over::Sockets => Host::Sockets(Server::new(scripts)),
            Over::Memory => Host::Memory(Memory::new(scripts)),
            Over::Narrow => Host::Memory(Memory::new(scripts).takes(1)),
        }
    }

    pub fn seen(&self) -> &Seen {
        match self {
            Host::Sockets(server) => &server.seen,
            Host::Memory(memory) => &memory.seen,
        }
    }

    pub fn open_gate(&self) {
        match self {
            Host::Sockets(server) => server.gate.open(),
            Host::Memory(memory) => memory.gate.open(),
        }
    }

    pub fn wait_for(&self, what: &str) {
        match self {
            Host::Sockets(server) => server.wait_for(what),
            Host::Memory(memory) => memory.wait_for(what),
        }
    }

    pub fn origin(&self) -> String {
        match self {
            Host::Sockets(server) => server.url(""),
            Host::Memory(_) => "http://memory.example".into(),
        }
    }

    /// With a secret in it.
    pub fn url(&self, path: &str) -> String {
        self.origin().replace("://", &format!("://user:{CANARY}@")) + path
    }

    /// One connection at a time, so that a unit which is lost is missed at once.
    pub fn client(&self) -> PoolManagerBuilder {
        let builder = PoolManager::builder()
            .retries(hostpool::Retry::off())
            .limit(1)
            .total_limit(1)
            .pool_timeout(GIVE_UP)
            .timeout(GIVE_UP);
        match self {
            Host::Sockets(_) => builder,
            Host::Memory(memory) => builder.dialer(memory.clone()),
        }
    }
}

/// What must come of a row's request.
#[derive(Clone, Debug)]
pub enum Expected {
    /// An error of this kind, in one of these phases.
    Fails(ErrorKind, Vec<Phase>),
    /// A response with this status and body, and whether its connection carries the next request.
    Answers(u16, String, bool),
}

#[derive(Clone, Debug)]
pub struct Row {
    pub id: &'static str,
    pub over: &'static [Over],
    /// What the first connection does.
    pub script: Vec<Step>,
    /// Behind its script the first connection would serve another request.
    pub stays: bool,
    /// Scripts of the next connections, before one that behaves.
    pub then: Vec<Vec<Step>>,
    /// A request comes first, so that the row's is sent on a used connection.
    pub warm: bool,
    pub method: Method,
    pub headers: Vec<(&'static str, &'static str)>,
    pub body: Vec<u8>,
    pub timeout: Timeout,
    /// The least time that the row takes.
    pub least: Duration,
    /// The body is read by `bytes`, with its limit.
    pub whole: bool,
    pub expected: Expected,
    /// Of an error: whether the request may have been processed. `None` is not asked.
    pub processed: Option<bool>,
    pub replayed: u64,
    /// Why the row's connection is closed.
    pub closed: Option<CloseReason>,
}

impl Row {
    pub fn new(id: &'static str, script: Vec<Step>, expected: Expected) -> Row {
        Row {
            id,
            over: BOTH,
            script,
            stays: matches!(expected, Expected::Answers(..)),
            then: Vec::new(),
            warm: false,
            method: Method::GET,
            headers: Vec::new(),
            body: Vec::new(),
            timeout: Timeout::from(GIVE_UP),
            least: Duration::ZERO,
            whole: false,
            processed: matches!(expected, Expected::Fails(..)).then_some(true),
            expected,
            replayed: 0,
            closed: None,
        }
    }

    pub fn over(self, over: &'static [Over]) -> Row {
        Row { over, ..self }
    }

    /// On a connection that has carried a request, and is not looked at before the next.
    pub fn warm(self) -> Row {
        Row { warm: true, ..self }
    }

    pub fn method(self, method: Method) -> Row {
        Row { method, ..self }
    }

    pub fn body(self, body: impl Into<Vec<u8>>) -> Row {
        Row { body: body.into(), ..self }
    }

    pub fn timeout(self, timeout: Timeout, least: Duration) -> Row {
        Row { timeout, least, ..self }
    }

    pub fn closed(self, reason: CloseReason) -> Row {
        Row { closed: Some(reason), ..self }
    }

    fn scripts(&self) -> Vec<Vec<Step>> {
        let mut first = if self.warm { answer(ok("warm")) } else { Vec::new() };
        first.extend(self.script.iter().cloned());
        if self.stays {
            first.extend(answer(ok("same")).into_iter().chain([Step::UntilClosed]));
        }
        let good = [answer(ok("clean")), vec![Step::UntilClosed]].concat();
        [vec![first], self.then.clone(), vec![good]].concat()
    }

    fn request(&self, client: &PoolManager, host: &Host) -> RequestBuilder {
        let request = client.request(self.method.clone(), host.url("/row")).header("X-Id", self.id);
        let request = request.header("X-Secret", CANARY).data(self.body.clone()).timeout(self.timeout);
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    fn run(self, over: Over) {
        let id = self.id;
        let host = Host::new(over, self.scripts());
        let probe_after = if self.warm { Duration::MAX } else { Duration::ZERO };
        let client = host.client().probe_after(probe_after).build().unwrap();
        if self.warm {
            assert_eq!(client.get(host.url("/warm")).send().unwrap().text().unwrap(), "warm", "{id}");
        }
        let started = Instant::now();
        let outcome = fetch(self.request(&client, &host), self.whole);
        let taken = started.elapsed();
        assert!(taken >= self.least && taken < self.least + LATE, "{id}: {taken:?}");
        self.judge(&outcome, &host);
        settled(id, client.stats());
        assert_eq!(client.stats().replayed, self.replayed, "{id}");
        let kept = matches!(self.expected, Expected::Answers(_, _, true)) && self.replayed == 0;
        clean(id, &client, &host, if kept { "same" } else { "clean" });
        let stats = client.stats();
        assert!(self.closed.is_none_or(|reason| stats.closed(reason) == 1), "{id}: {stats:?}");
        let accepted = match self.expected {
            Expected::Answers(_, _, true) => 1 + self.then.len(),
            _ => 2 + self.then.len(),
        };
        assert_eq!(host.seen().accepted(), accepted, "{id}: connections");
        assert!(host.seen().peak() == 1 || over == Over::Sockets, "{id}: one connection at a time");
        let seen = || times(&host.seen().requests(), id) as u64;
        match self.script.first() {
            Some(Step::Request) => eventually("its requests", || seen() > self.replayed),
            _ => assert!(self.replayed == 0, "{id}: only what was read can be counted"),
        }
        assert!(seen() <= 1 + self.replayed, "{id}: the server saw it {} times", seen());
    }

    #[track_caller]
    fn judge(&self, outcome: &Result<(u16, Vec<u8>), Error>, host: &Host) {
        let id = self.id;
        match (outcome, &self.expected) {
            (Ok((status, body)), Expected::Answers(code, text, _)) => {
                assert_eq!((status, String::from_utf8_lossy(body)), (code, text.into()), "{id}");
            }
            (Err(error), Expected::Fails(kind, phases)) => {
                assert_eq!(error.kind(), kind, "{id}: {error}");
                assert!(phases.contains(&error.phase()), "{id}: {error}");
                assert_eq!(error.origin().map(ToString::to_string), Some(host.origin()), "{id}");
                let processed = self.processed.unwrap_or(error.maybe_processed());
                assert_eq!(error.maybe_processed(), processed, "{id}: {error}");
                presentable(id, error);
            }
            _ => panic!("{id}: {outcome:?} in place of {:?}", self.expected),
        }
    }
}

/// Sends a request and reads its response to the end, or to its error and on: that is never taken back.
pub fn fetch(request: RequestBuilder, whole: bool) -> Result<(u16, Vec<u8>), Error> {
    let mut response = request.send()?;
    let status = response.status().as_u16();
    if whole {
        return Ok((status, response.bytes()?));
    }
    let mut body = Vec::new();
    let Err(error) = response.read_to_end(&mut body) else { return Ok((status, body)) };
    let error = error.downcast::<Error>().expect("reading a response gives errors of this crate");
    for _ in 0..3 {
        let again = response.read(&mut [0; 64]).expect_err("an error stays an error");
        assert_eq!(Error::from_io(&again).map(Error::kind), Some(error.kind()));
    }
    Err(error)
}

/// A request through the same client; a secret is in it, too.
#[track_caller]
pub fn clean(id: &str, client: &PoolManager, host: &Host, expected: &str) {
    let response = client.get(host.url("/clean")).header("X-Id", "clean").send();
    let text = response.and_then(|response| response.text());
    assert_eq!(text.unwrap_or_else(|error| panic!("{id}: the next request: {error}")), expected, "{id}");
    settled(id, client.stats());
    eventually("the clean request", || times(&host.seen().requests(), "clean") == 1);
}

/// Runs every row over all it can run over.
pub fn run(rows: Vec<Row>) {
    let exclusive = exclusive();
    for row in rows {
        for over in row.over {
            let run = row.clone();
            exclusive.row(&format!("{} ({over:?})", row.id), move || run.run(*over));
        }
    }
}

/// Bytes in answer to a request, on a connection that stays open, and the error they give.
pub fn refused(id: &'static str, response: impl AsRef<[u8]>, kind: ErrorKind, phase: Phase) -> Row {
    Row { stays: true, ..cut(id, response, kind, phase) }
}

/// The same, and then the connection ends.
pub fn cut(id: &'static str, response: impl AsRef<[u8]>, kind: ErrorKind, phase: Phase) -> Row {
    Row::new(id, answer(response), Expected::Fails(kind, vec![phase])).closed(CloseReason::Failed)
}

/// A head that breaks HTTP.
pub fn bad_head(id: &'static str, response: impl AsRef<[u8]>, violation: Violation) -> Row {
    refused(id, response, ErrorKind::Protocol(violation), Phase::Head)
}

/// A response that is fine, its body, and whether its connection carries the next request.
pub fn fine(id: &'static str, response: impl AsRef<[u8]>, body: &str, kept: bool) -> Row {
    Row::new(id, answer(response), Expected::Answers(200, body.into(), kept))
}
