//! Scripted servers, and what each of their answers is worth to whoever asked.

use super::super::input::{Input, pieces};
use super::super::line::End;

/// Interim responses a client puts up with before a final one.
const INTERIM: usize = 100;

/// One connection.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// Bytes of a request taken at once; 0 is all of them.
    pub(super) room: usize,
    /// There is no room while a response waits to be read.
    pub(super) stalls: bool,
    /// The connection fails behind so many bytes of requests.
    pub(super) breaks: Option<usize>,
    /// One for each request that comes.
    pub(super) turns: Vec<Turn>,
}

/// What is said to one request.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    /// Said at the first byte of the request, not behind its last.
    pub(super) early: bool,
    splits: Vec<u8>,
    parts: Vec<Part>,
    end: Option<End>,
}

#[derive(Clone, Debug)]
enum Part {
    Interim { status: u16, count: usize },
    Final(Final),
    Blank,
    Raw(Vec<u8>),
}

#[derive(Clone, Debug)]
struct Final {
    status: u16,
    framing: Framing,
    old: bool,
    close: bool,
    /// A body although the request was a HEAD.
    heedless: bool,
    len: usize,
    /// Bytes at the end that never come.
    cut: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Framing {
    Length,
    Chunked(usize),
    UntilClose,
}

/// What the request that a turn belongs to may get.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// No response.
    Refused,
    /// This one, and of its body no more than that; `whole` says whether it has an end.
    Answer { tag: String, status: u16, body: Vec<u8>, whole: bool },
    /// Bytes by chance came first: whatever they mean.
    Wild,
}

impl Script {
    pub(super) fn read(input: &mut Input<'_>) -> Script {
        let room = input.number(200);
        let stalls = input.flag();
        let breaks = input.option(254);
        let turns = (0..=input.number(3)).map(|_| Turn::read(input)).collect();
        Script { room, stalls, breaks, turns }
    }
}

impl Turn {
    fn read(input: &mut Input<'_>) -> Turn {
        let shape = input.byte();
        let early = shape & 1 == 1;
        let end = [None, None, Some(End::Eof), Some(End::Reset)][usize::from(shape >> 1 & 3)];
        let splits = if shape & 8 == 0 { Vec::new() } else { input.bytes(4).to_vec() };
        // One plain answer is what there is mostly.
        let count = [1, 1, 2, 4][usize::from(shape >> 4 & 3)];
        let mut parts: Vec<_> = (0..count).map(|_| Part::read(input)).collect();
        // Behind a cut nothing comes that could be taken for the rest.
        let cut = parts.iter().position(|part| matches!(part, Part::Final(it) if it.cut > 0));
        parts.truncate(cut.map_or(parts.len(), |at| at + 1));
        Turn { early, splits, parts, end }
    }

    pub(super) fn end(&self) -> Option<End> {
        self.end
    }

    /// The bytes of this turn, in the segments they come in.
    pub(super) fn segments(&self, name: &str, head_only: bool) -> Vec<Vec<u8>> {
        let bytes: Vec<u8> =
            self.parts.iter().enumerate().flat_map(|(at, part)| part.bytes(&tag(name, at), head_only)).collect();
        match self.splits.is_empty() {
            true => self.parts.iter().enumerate().map(|(at, part)| part.bytes(&tag(name, at), head_only)).collect(),
            false => pieces(&bytes, &self.splits).map(<[u8]>::to_vec).collect(),
        }
    }

    pub(super) fn verdict(&self, name: &str, head_only: bool) -> Verdict {
        let mut interim = 0;
        let mut blank = false;
        for (at, part) in self.parts.iter().enumerate() {
            match part {
                Part::Interim { count: 0, .. } => {}
                Part::Interim { count, .. } => {
                    interim += count;
                    blank = false;
                }
                // One is passed over before each response.
                Part::Blank if !blank => blank = true,
                Part::Blank => return Verdict::Refused,
                Part::Raw(bytes) if bytes.is_empty() => {}
                Part::Raw(_) => return Verdict::Wild,
                Part::Final(_) if interim > INTERIM => return Verdict::Refused,
                Part::Final(it) => return self.answer(it, at, name, head_only),
            }
        }
        Verdict::Refused
    }

    fn answer(&self, it: &Final, at: usize, name: &str, head_only: bool) -> Verdict {
        let tag = tag(name, at);
        let (_, behind_head) = it.bytes(&tag, head_only);
        if it.status == 101 || it.cut > behind_head {
            return Verdict::Refused;
        }
        let answer = |body, whole| Verdict::Answer { tag: tag.clone(), status: it.status, body, whole };
        if head_only || it.is_bodiless() {
            return answer(Vec::new(), true);
        }
        let mut body = filled(&tag, it.len);
        match it.framing {
            Framing::UntilClose => {
                body.truncate(it.len - it.cut.min(it.len));
                let rest = self.parts[at + 1..].iter().enumerate();
                body.extend(rest.flat_map(|(more, part)| part.bytes(&self::tag(name, at + 1 + more), head_only)));
                answer(body, self.end == Some(End::Eof))
            }
            _ => answer(body, it.cut == 0),
        }
    }
}

impl Part {
    fn read(input: &mut Input<'_>) -> Part {
        match input.byte() % 12 {
            0..=6 => Part::Final(Final::read(input)),
            7 | 8 => Part::Interim { status: input.pick(&[100, 102, 103, 199]), count: 6 * input.number(18) },
            9 => Part::Blank,
            _ => Part::Raw(input.bytes(120).to_vec()),
        }
    }

    fn bytes(&self, tag: &str, head_only: bool) -> Vec<u8> {
        match self {
            Part::Interim { status, count } => {
                format!("HTTP/1.1 {status} Wait\r\nX-Tag: {tag}\r\nContent-Length: 5\r\n\r\n")
                    .repeat(*count)
                    .into_bytes()
            }
            Part::Final(it) => it.bytes(tag, head_only).0,
            Part::Blank => b"\r\n".to_vec(),
            Part::Raw(bytes) => bytes.clone(),
        }
    }
}

impl Final {
    fn read(input: &mut Input<'_>) -> Final {
        let shape = input.byte();
        let framing = match shape >> 2 & 3 {
            0 | 1 => Framing::Length,
            2 => Framing::Chunked(1 + input.number(70)),
            _ => Framing::UntilClose,
        };
        let len = match input.byte() {
            // More than fits the read-ahead.
            large @ 240..=255 => 16_000 + 200 * usize::from(large - 240),
            small => usize::from(small),
        };
        Final {
            status: input.pick(&[200, 200, 404, 204, 304, 408, 101, 500]),
            framing,
            // HTTP/1.0 has no chunks.
            old: shape & 0x10 != 0 && !matches!(framing, Framing::Chunked(_)),
            close: shape & 0x20 != 0,
            heedless: shape & 0x40 != 0,
            len,
            cut: if shape & 0x80 == 0 { 0 } else { 1 + input.number(100) },
        }
    }

    fn is_bodiless(&self) -> bool {
        matches!(self.status, 204 | 304)
    }

    /// What is sent of it, and how many bytes of that stand behind the head.
    fn bytes(&self, tag: &str, head_only: bool) -> (Vec<u8>, usize) {
        let version = u8::from(!self.old);
        let close = if self.close { "Connection: close\r\n" } else { "" };
        let framing = match self.framing {
            Framing::Length => format!("Content-Length: {}\r\n", self.len),
            Framing::Chunked(_) => "Transfer-Encoding: chunked\r\n".into(),
            Framing::UntilClose => String::new(),
        };
        let head = format!("HTTP/1.{version} {} Tagged\r\nX-Tag: {tag}\r\n{close}{framing}\r\n", self.status);
        let body = match self.framing {
            _ if (head_only || self.is_bodiless()) && !self.heedless => Vec::new(),
            Framing::Chunked(size) => chunks(&filled(tag, self.len), size),
            _ => filled(tag, self.len),
        };
        let whole = [head.as_bytes(), &body].concat();
        (whole[..whole.len() - self.cut.min(whole.len())].to_vec(), body.len())
    }
}

fn tag(name: &str, part: usize) -> String {
    format!("<{name}.{part}>")
}

/// The tag over and over.
fn filled(tag: &str, len: usize) -> Vec<u8> {
    tag.bytes().cycle().take(len).collect()
}

fn chunks(body: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in body.chunks(size) {
        out.extend([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    }
    out.extend(b"0\r\n\r\n");
    out
}
