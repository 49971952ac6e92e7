//! Where the next chunks of a body are expected to begin and to end.
//!
//! Servers send large bodies in chunks of one size. After two equal chunks the next ones are expected to be equal too.
//! Then one scattered receive puts their data together and the framing between them aside. The decoder sees all framing
//! as before and decides alone. Where an expectation was wrong, the bytes from there on are put into one row.

use std::array::from_fn;
use std::io::{self, IoSliceMut};

use super::wire::Wire;
use crate::net::transport::Wait;

/// The most chunks that end in one receive.
const CHUNKS: usize = 16;

/// The longest framing between two chunks that is put aside.
const FRAMING: usize = 24;

/// The smallest chunk that is received apart. To move a smaller one costs less than two more buffers in the call.
const LEAST: usize = 2048;

/// The framing that was put aside.
pub(super) type Aside = [[u8; FRAMING]; CHUNKS];

pub(super) const NOTHING_ASIDE: Aside = [[0; FRAMING]; CHUNKS];

/// The sizes of the last chunks.
#[derive(Debug, Default)]
pub(super) struct Pattern {
    /// The size of the last chunk, and the length of the framing before it.
    size: u32,
    framing: u8,
    /// The framing since the last data.
    begun: u8,
    /// The two last chunks were equal.
    repeats: bool,
}

impl Pattern {
    /// Notes that the decoder has taken so much framing, and how much data follows.
    pub(super) fn note(&mut self, taken: usize, data: u64) {
        if taken == 0 {
            return;
        }
        self.begun = self.begun.saturating_add(u8::try_from(taken).unwrap_or(u8::MAX));
        if data > 0 {
            // A chunk that no buffer holds whole is not expected.
            let size = u32::try_from(data).ok().filter(|&size| size < 1 << 30).unwrap_or(0);
            let framing = std::mem::take(&mut self.begun);
            self.repeats = (size, framing) == (self.size, self.framing);
            (self.size, self.framing) = (size, framing);
        }
    }

    /// Returns how to receive into a buffer of `room` bytes, where `left` bytes of data come first. Returns `None` if
    /// nothing is known about the next chunks, or if the buffer ends before the next one.
    pub(super) fn layout(&self, left: u64, room: usize) -> Option<Layout> {
        let (size, framing) = (usize::try_from(self.size).ok()?, usize::from(self.framing));
        if !self.repeats || size < LEAST || framing > FRAMING {
            return None;
        }
        let left = usize::try_from(left).ok()?;
        let rest = framing.checked_sub(usize::from(self.begun)).filter(|&rest| rest > 0)?;
        let behind = room.checked_sub(left)?.checked_sub(rest)?;
        let more = (behind / (size + framing)).min(CHUNKS - 1);
        Some(Layout { left, rest, size, framing, chunks: 1 + more, last: behind - more * (size + framing) })
    }
}

/// How one receive is scattered: the rest of a chunk and the framing after it, then whole chunks with theirs, then
/// whatever comes.
#[derive(Debug)]
pub(super) struct Layout {
    left: usize,
    rest: usize,
    size: usize,
    framing: usize,
    /// How many of the chunks end here.
    chunks: usize,
    last: usize,
}

impl Layout {
    /// Returns how many chunks are expected to end here.
    pub(super) fn chunks(&self) -> usize {
        self.chunks
    }

    /// Returns how much data is expected of the chunk with this number. After the last chunk that ends here anything
    /// may follow.
    pub(super) fn data(&self, chunk: usize) -> usize {
        match chunk {
            0 => self.left,
            chunk if chunk == self.chunks => self.last,
            _ => self.size,
        }
    }

    /// Returns the length of the framing that is expected after this chunk.
    pub(super) fn framing(&self, chunk: usize) -> usize {
        if chunk == 0 { self.rest } else { self.framing }
    }

    /// Returns whether another chunk of the expected size begins.
    pub(super) fn fits(&self, taken: usize, chunk: usize, data: u64) -> bool {
        taken == self.framing(chunk) && data == self.size as u64
    }

    /// Receives the data into `buf` and the framing into `aside`.
    pub(super) fn receive(&self, wire: &Wire, buf: &mut [u8], aside: &mut Aside, wait: &Wait<'_>) -> io::Result<usize> {
        let mut bufs: [IoSliceMut<'_>; 2 * CHUNKS + 1] = from_fn(|_| IoSliceMut::new(&mut []));
        let (mut count, mut rest) = (0, buf);
        for (chunk, framing) in aside.iter_mut().enumerate().take(self.chunks) {
            let data;
            (data, rest) = rest.split_at_mut(self.data(chunk));
            bufs[count] = IoSliceMut::new(data);
            bufs[count + 1] = IoSliceMut::new(&mut framing[..self.framing(chunk)]);
            count += 2;
        }
        bufs[count] = IoSliceMut::new(&mut rest[..self.last]);
        wire.recv_scattered(&mut bufs[..=count], wait)
    }

    /// Puts the received bytes into one row again, after the data at the front of `buf`: what is left of the framing
    /// after `chunk`, of which `taken` bytes were used, and everything behind it. `end` is where the row ends.
    pub(super) fn line_up(&self, chunk: usize, taken: usize, end: usize, buf: &mut [u8], aside: &Aside) {
        let start = self.left + chunk * self.size;
        let rest = self.framing(chunk) - taken;
        // From the back: each piece moves towards the end, to where the next one was.
        for next in (chunk + 1..=self.chunks).rev() {
            let between = next - chunk - 1;
            let from = start + between * self.size;
            let to = start + rest + between * (self.size + self.framing);
            let data = self.data(next).min(end.saturating_sub(to));
            if next < self.chunks {
                let after = to + data;
                let framing = self.framing.min(end.saturating_sub(after));
                buf[after..after + framing].copy_from_slice(&aside[next][..framing]);
            }
            if data > 0 {
                buf.copy_within(from..from + data, to);
            }
        }
        let rest = rest.min(end - start);
        buf[start..start + rest].copy_from_slice(&aside[chunk][taken..taken + rest]);
    }
}

#[cfg(all(test, unix, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;

    use proptest::prelude::*;
    use proptest::sample::select;

    use super::super::{BodyReader, Common, Io};
    use super::*;
    use crate::error::ErrorKind;
    use crate::h1::Framing;
    use crate::limits::Limits;
    use crate::net::abort::AbortCell;
    use crate::net::stream::{Socket, Stream};
    use crate::net::transport::{Probe, Transport};
    use crate::strictness::Strictness;
    use crate::time::Until;

    /// The chunks as a server encodes them: size, extension, and how many of them.
    type Run = (usize, &'static str, usize);

    fn encode(runs: &[Run]) -> (Vec<u8>, Vec<u8>) {
        let (mut body, mut data) = (Vec::new(), Vec::new());
        for &(size, extension, count) in runs {
            for _ in 0..count {
                let chunk: Vec<u8> = (data.len()..data.len() + size).map(|at| (at * 7 / 3) as u8).collect();
                body.extend([format!("{size:x}{extension}\r\n").as_bytes(), &chunk, b"\r\n"].concat());
                data.extend(chunk);
            }
        }
        body.extend(b"0\r\n\r\n");
        (body, data)
    }

    /// Returns the data that is read of a body that arrives in pieces of these sizes, by reads of this size, and what is
    /// left over. The connection stays open or ends after these bytes.
    fn read(bytes: &[u8], pieces: &[usize], room: usize, open: bool) -> (Vec<u8>, Result<Probe, ErrorKind>) {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let wire = Wire::Stream(Stream::new(Arc::new(Socket::new(ours.into())), None));
        let (common, limits, cell) = (Common::default(), Limits::default(), std::sync::Arc::new(AbortCell::new()));
        let mut buffers = common.buffers.take();
        let mut reader = BodyReader::new(Framing::Chunked, Strictness::Tolerant);
        // So much fits into the socket. It is all there before the first read.
        let at_once = bytes.len() < 80_000;
        if at_once {
            peer.write_all(bytes).unwrap();
        }
        let written = open.then(|| peer.try_clone().unwrap());
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let (mut rest, mut sizes) = (if at_once { &[] } else { bytes }, pieces.iter().cycle());
                while !rest.is_empty() {
                    let (piece, behind) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                    // The reader has stopped at a fault.
                    let Ok(()) = peer.write_all(piece) else { return };
                    rest = behind;
                }
            });
            let mut io = Io {
                wire: &wire,
                buffers: &mut buffers,
                limits: &limits,
                until: Until::NEVER,
                read: None,
                cell: &cell,
                registered: std::cell::OnceCell::new(),
            };
            let (mut got, mut buf) = (Vec::new(), vec![0; room]);
            let outcome = loop {
                match reader.read(&mut io, &mut buf) {
                    Ok(0) => break Ok(()),
                    Ok(len) => got.extend_from_slice(&buf[..len]),
                    Err(error) => break Err(error.kind().clone()),
                }
            };
            drop(io);
            let leftover = reader.leftover(&wire, &buffers);
            wire.abort();
            drop(written);
            (got, outcome.map(|()| leftover))
        })
    }

    #[test]
    fn what_is_expected() {
        let mut pattern = Pattern::default();
        // Taken framing, and the data after it.
        for (taken, data, repeats) in [(6, 4096, false), (8, 4096, false), (8, 4096, true), (8, 4095, false)] {
            pattern.note(taken, data);
            assert_eq!(pattern.repeats, repeats);
        }
        pattern.note(8, 4095);
        let shown = |layout: Option<Layout>| {
            layout
                .map(|it| (it.left, it.rest, it.chunks, it.last, it.left + it.rest + (it.chunks - 1) * 4103 + it.last))
        };
        assert_eq!(shown(pattern.layout(95, 16_384)), Some((95, 8, 4, 3972, 16_384)));
        assert_eq!(shown(pattern.layout(95, 103)), Some((95, 8, 1, 0, 103)));
        assert_eq!(shown(pattern.layout(95, 102)), None);
        assert_eq!(shown(pattern.layout(u64::MAX, 16_384)), None);
        assert_eq!(shown(pattern.layout(0, 1 << 20)).map(|it| it.2), Some(CHUNKS));
        // Some of the framing was taken already.
        pattern.note(3, 0);
        assert_eq!(shown(pattern.layout(0, 5000)), Some((0, 5, 2, 892, 5000)));
        pattern.note(5, 0);
        assert_eq!(shown(pattern.layout(0, 5000)), None);
        pattern.note(1000, 5_000_000_000);
        assert_eq!(shown(pattern.layout(5_000_000_000, usize::MAX)), None);
    }

    /// All that is expected arrives at once, and so does each thing that is not.
    #[test]
    fn expectations_that_fail() {
        const SIZE: usize = 4096;
        let rows: [(&str, &[Run]); 8] = [
            ("none", &[(SIZE, "", 20)]),
            ("smaller", &[(SIZE, "", 6), (SIZE - 1, "", 1), (SIZE, "", 6)]),
            ("much smaller", &[(SIZE, "", 6), (1, "", 30), (SIZE, "", 6)]),
            ("larger", &[(SIZE, "", 6), (SIZE + 1, "", 1), (SIZE, "", 6)]),
            ("much larger", &[(SIZE, "", 6), (90_000, "", 3), (SIZE, "", 6)]),
            ("longer framing", &[(SIZE, "", 6), (SIZE, ";x=y", 1), (SIZE, "", 6)]),
            ("shorter framing", &[(SIZE, ";x=y", 6), (SIZE, "", 5), (SIZE, ";x=y", 6)]),
            ("the end", &[(SIZE, "", 9)]),
        ];
        for (row, runs) in rows {
            let (body, data) = encode(runs);
            for room in [16_384, 20_000, 65_536, 1 << 20] {
                let (got, outcome) = read(&body, &[usize::MAX], room, true);
                assert!(got == data && outcome == Ok(Probe::Quiet), "{row}, {room}: {outcome:?}");
                let surplus = [&body, &b"HTTP/1.1"[..]].concat();
                let (got, outcome) = read(&surplus, &[usize::MAX], room, true);
                // If a body does not fit into the socket, its surplus may come after the end was seen.
                assert!(got == data, "{row}, {room}");
                assert!(outcome == Ok(Probe::Readable) || body.len() > 80_000, "{row}, {room}: {outcome:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Large reads give what small ones do, which know nothing of patterns, also of bodies that are broken.
        #[test]
        fn large_reads_give_what_small_ones_do(
            runs in prop::collection::vec(
                (select(&[1, 2047, 2048, 4096, 5000, 16_384, 40_000][..]), select(&["", ";a", ";bcdef=ghijklmnopq"][..]), 1_usize..7),
                0..6,
            ),
            pieces in prop::collection::vec(1_usize..60_000, 1..5),
            room in 16_384_usize..150_000,
            broken in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let (mut body, data) = encode(&runs);
            if let Some((at, byte)) = &broken {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            let small = read(&body, &[usize::MAX], 5000, broken.is_none());
            let large = read(&body, &pieces, room, broken.is_none());
            prop_assert_eq!(large.0 == small.0, true);
            prop_assert_eq!(large.1.is_ok(), small.1.is_ok());
            if broken.is_none() {
                prop_assert_eq!(large.0 == data, true);
            } else if let (Err(one), Err(other)) = (large.1, small.1) {
                prop_assert_eq!(one, other);
            }
        }
    }
}
