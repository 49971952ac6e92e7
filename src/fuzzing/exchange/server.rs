//! Servers that say what their scripts have for each request, and note down whom they say it to.

use std::io;
use std::sync::{Arc, Mutex};

use http::Method;

use super::super::line::{End, Outbox, Peer, lock};
use super::super::sent;
use super::script::{Script, Turn, Verdict};
use crate::net::transport::Probe;

/// What client and servers tell the oracle.
#[derive(Debug)]
pub(super) struct Board {
    /// Every connection is looked at before it is used again.
    pub(super) probing: bool,
    /// The request that is on its way.
    pub(super) number: usize,
    pub(super) method: Method,
    /// The request's body, as far as it goes, and whether it goes to an end.
    pub(super) body: usize,
    pub(super) whole: bool,
    pub(super) deliveries: Vec<Delivery>,
}

/// A request, or its beginning, that reached a server.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    pub(super) number: usize,
    pub(super) reused: bool,
    pub(super) verdict: Verdict,
    /// Not all of the request could be sent, so that there may be no response.
    pub(super) broken: bool,
    /// Nothing came behind the head.
    pub(super) head_only: bool,
    /// All of the request came.
    pub(super) complete: bool,
    /// The connection was reset after the response, while the request was still coming.
    pub(super) resets: bool,
}

impl Delivery {
    /// A response is due.
    pub(super) fn is_answer(&self) -> bool {
        matches!(self.verdict, Verdict::Answer { .. }) && !self.broken
    }

    /// The response ends before its end. If the request is still leaving by then, that may be an error of sending.
    pub(super) fn may_be_cut(&self) -> bool {
        matches!(self.verdict, Verdict::Answer { whole: false, .. }) && !self.complete
    }

    /// It may say that the server gave up on an idle connection before the request came.
    pub(super) fn is_notice(&self) -> bool {
        self.reused && matches!(self.verdict, Verdict::Answer { status: 408, .. })
    }
}

pub(super) struct Server {
    name: usize,
    script: Script,
    board: Arc<Mutex<Board>>,
    /// What has come of the request that is being received.
    request: Vec<u8>,
    /// Bytes of all requests.
    taken: usize,
    turn: usize,
    /// An answer to an earlier request was left behind, and may be taken for the next: nothing can be said any more.
    tainted: bool,
    outbox: Outbox,
}

impl Server {
    pub(super) fn new(name: usize, script: Script, board: &Arc<Mutex<Board>>) -> Server {
        let board = Arc::clone(board);
        Server {
            name,
            script,
            board,
            request: Vec::new(),
            taken: 0,
            turn: 0,
            tainted: false,
            outbox: Outbox::default(),
        }
    }

    fn turn(&self) -> Option<&Turn> {
        self.script.turns.get(self.turn)
    }

    /// The first byte of a request.
    fn begin(&mut self) {
        let mut board = lock(&self.board);
        let quiet = self.outbox.probe() == Probe::Quiet;
        assert!(quiet || !board.probing, "a request behind what was there before it");
        assert!(!self.outbox.has_told(), "a request on a connection that has failed");
        self.tainted |= !self.outbox.is_empty();
        let name = format!("{}.{}", self.name, self.turn);
        let verdict = match self.turn() {
            _ if self.tainted => Verdict::Wild,
            Some(turn) if !self.outbox.has_ended() => turn.verdict(&name, board.method == Method::HEAD),
            _ => Verdict::Refused,
        };
        let (number, reused) = (board.number, self.turn > 0);
        let resets = self.turn().is_some_and(|turn| turn.early && turn.end() == Some(End::Reset));
        let (broken, head_only, complete) = (false, true, false);
        board.deliveries.push(Delivery { number, reused, verdict, broken, head_only, complete, resets });
        drop(board);
        if self.turn().is_some_and(|turn| turn.early) {
            self.speak();
        }
    }

    fn speak(&mut self) {
        let head_only = lock(&self.board).method == Method::HEAD;
        let name = format!("{}.{}", self.name, self.turn);
        let Some(turn) = self.script.turns.get(self.turn) else { return self.outbox.end(End::Eof) };
        turn.segments(&name, head_only).iter().for_each(|segment| self.outbox.push(segment));
        if let Some(end) = turn.end() {
            self.outbox.end(end);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.request.is_empty() {
            self.begin();
        }
        self.request.extend_from_slice(bytes);
        self.taken += bytes.len();
        let head = self.request.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
        if let Some(last) = lock(&self.board).deliveries.last_mut() {
            last.head_only = head.is_none_or(|len| len == self.request.len());
        }
        let Some(request) = sent::read(&self.request) else { return };
        let mut board = lock(&self.board);
        if let Some(last) = board.deliveries.last_mut() {
            last.complete = true;
        }
        assert_eq!(request.len, self.request.len(), "bytes behind a request");
        assert!(board.whole, "a body that broke was taken for a whole one");
        assert_eq!(request.body.len(), board.body);
        assert_eq!((&*request.target, &*request.method), (&*format!("/{}", board.number), board.method.as_str()));
        drop(board);
        if !self.turn().is_some_and(|turn| turn.early) {
            self.speak();
        }
        self.request.clear();
        self.turn += 1;
    }

    fn fail(&mut self) -> io::Error {
        if let Some(last) = lock(&self.board).deliveries.last_mut().filter(|_| !self.request.is_empty()) {
            last.broken = true;
        }
        self.outbox.end(End::Reset);
        io::ErrorKind::ConnectionReset.into()
    }
}

impl Peer for Server {
    fn room(&self, offered: usize) -> usize {
        match self.script.room {
            0 => offered,
            // Large bodies would come in very many pieces.
            room => room.max(offered / 64),
        }
    }

    fn send(&mut self, bytes: &[u8], watched: bool) -> io::Result<usize> {
        if self.script.stalls && watched && !self.request.is_empty() && !self.outbox.is_empty() {
            return Ok(0);
        }
        let left = self.script.breaks.map_or(usize::MAX, |breaks| breaks.saturating_sub(self.taken));
        match bytes.len().min(left) {
            0 => Err(self.fail()),
            len => {
                self.take(&bytes[..len]);
                Ok(len)
            }
        }
    }

    fn recv(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.outbox.recv(buf)
    }

    fn probe(&mut self) -> Probe {
        self.outbox.probe()
    }
}
