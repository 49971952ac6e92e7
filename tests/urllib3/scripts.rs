//! Answers, and views of what came of them, that several groups share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hostpool::{DialContext, Dialer, Result, Retry, RetryCause, Target, TcpDialer, Transport, Url};

use crate::support::{Server, Step, refusing};

/// A response of this status with a Content-Length; `fields` are lines that end.
pub fn reply(status: u16, fields: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Said\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A redirect with a short body.
pub fn redirect(status: u16, location: &str) -> Vec<u8> {
    reply(status, &format!("Location: {location}\r\n"), "moved")
}

/// Answers each request of a connection by the next of these, and the last one from then on.
pub fn in_turn(answers: impl IntoIterator<Item = Vec<u8>>) -> Vec<Step> {
    let mut steps: Vec<Step> = answers.into_iter().flat_map(|bytes| [Step::Request, Step::Send(bytes)]).collect();
    let last = steps.split_off(steps.len() - 2);
    steps.push(Step::Forever(last));
    steps
}

/// A server whose every connection answers so.
pub fn line_server(answers: impl IntoIterator<Item = Vec<u8>>) -> Server {
    Server::new(vec![in_turn(answers)])
}

/// The values of a field of a request as it came, in order.
pub fn values<'a>(request: &'a str, name: &str) -> Vec<&'a str> {
    let head = request.split("\r\n\r\n").next().unwrap_or_default();
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

/// What stands behind the head.
pub fn body(request: &str) -> &str {
    request.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// The first line of a request, without its version.
pub fn request_line(request: &str) -> &str {
    request.lines().next().and_then(|line| line.strip_suffix(" HTTP/1.1")).unwrap_or_default()
}

/// The first lines of all requests so far.
pub fn lines(server: &Server) -> Vec<String> {
    server.seen.requests().iter().map(|request| request_line(request).to_owned()).collect()
}

/// How a call ended: its status, or the kind of its error.
pub fn outcome(result: &Result<hostpool::Response>) -> String {
    match result {
        Ok(response) => response.status().as_u16().to_string(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// What was tried, in one word for each: `GET /path 503`, `GET /path 303 /to`, `GET /path Disconnected`.
pub fn tried(retry: Option<&Retry>) -> Vec<String> {
    let past = retry.map(Retry::history).unwrap_or_default().iter();
    past.map(|attempt| {
        let what = match attempt.cause() {
            RetryCause::Status(status) => status.as_u16().to_string(),
            RetryCause::Redirect { status, location, .. } => format!("{} {}", status.as_u16(), location.target()),
            RetryCause::Error { kind, .. } => format!("{kind:?}"),
            _ => String::new(),
        };
        format!("{} {} {what}", attempt.method(), attempt.url().target())
    })
    .collect()
}

/// Connects everybody to one server, and notes whom they asked for.
#[derive(Debug)]
pub struct Always {
    to: Url,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Always {
    /// The dialer, and what was asked of it so far.
    pub fn to(server: &Server) -> (Always, Arc<Mutex<Vec<String>>>) {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        (Always { to: Url::parse(&server.url("/")).unwrap(), asked: asked.clone() }, asked)
    }
}

impl Dialer for Always {
    fn dial(&self, target: &Target<'_>, context: &DialContext<'_>) -> Result<Box<dyn Transport>> {
        let origin = target.origin();
        let asked = format!("{} {} {:?}", origin.scheme(), origin.host(), origin.port());
        self.asked.lock().unwrap().push(asked);
        TcpDialer::new().dial(&Target::from(&self.to), context)
    }
}

/// Is refused so often, and then dials.
#[derive(Debug)]
pub struct Refused {
    left: AtomicUsize,
    nobody: Url,
    _port: socket2::Socket,
}

impl Refused {
    pub fn times(times: usize) -> Refused {
        let (port, address) = refusing();
        let nobody = Url::parse(&format!("http://{address}/")).unwrap();
        Refused { left: AtomicUsize::new(times), nobody, _port: port }
    }
}

impl Dialer for Refused {
    fn dial(&self, target: &Target<'_>, context: &DialContext<'_>) -> Result<Box<dyn Transport>> {
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => TcpDialer::new().dial(&Target::from(&self.nobody), context),
            Err(_) => TcpDialer::new().dial(target, context),
        }
    }
}
