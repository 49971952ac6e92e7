//! Reports to the caller how much of a body was sent.

use std::sync::Arc;

use crate::sync::Mutex;

type Told = dyn FnMut(u64, Option<u64>) + Send;

/// The caller's function that is told. Clones share the function.
#[derive(Clone)]
pub(crate) struct Progress(Arc<Mutex<Box<Told>>>);

impl Progress {
    pub(crate) fn new(told: impl FnMut(u64, Option<u64>) + Send + 'static) -> Progress {
        Progress(Arc::new(Mutex::new(Box::new(told))))
    }

    /// Calls the function, unless it is running: for a clone of the request in another thread, or because it sends a
    /// request itself.
    pub(super) fn tell(&self, sent: u64, total: Option<u64>) {
        if let Some(mut told) = self.0.try_lock() {
            (*told)(sent, total);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;
    use crate::body::{Body, Chunking};

    /// Returns what is told while `step` bytes leave at a time.
    fn told(mut body: Body, step: usize, twice: bool) -> Vec<(u64, Option<u64>)> {
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = told.clone();
        body.set_progress(Some(Progress::new(move |sent, total| log.lock().push((sent, total)))));
        body.prepare().unwrap();
        for _ in 0..=usize::from(twice) {
            body.rewind().unwrap();
            let mut outgoing = body.outgoing();
            loop {
                let len = outgoing.piece().unwrap().len().min(step);
                if len == 0 {
                    break;
                }
                outgoing.advance(len);
            }
        }
        let told = told.lock();
        told.clone()
    }

    /// A body, how many bytes leave at a time, and what is told: the counts, and the total.
    type Row<'a> = (&'a str, Body, usize, &'a [u64], Option<u64>);

    #[test]
    fn what_is_told() {
        let chunked = |chunking, mut body: Body| {
            body.set_chunking(chunking).unwrap();
            body
        };
        let reader = || Body::reader(Cursor::new("12345"));
        let table: [Row<'_>; 7] = [
            ("bytes", Body::from("12345"), 2, &[0, 2, 4, 5], Some(5)),
            ("a seekable reader", Body::seekable(Cursor::new("12345")), 3, &[0, 3, 5], Some(5)),
            // 5\r\n12345\r\n0\r\n\r\n: the framing does not count.
            ("chunks", reader(), 4, &[0, 1, 5], None),
            ("one by one", reader(), 1, &[0, 1, 2, 3, 4, 5], None),
            ("chunks of a size", chunked(Chunking::Exactly(2), Body::from("12345")), 6, &[0, 2, 4, 5], None),
            ("bytes in chunks", chunked(Chunking::Always, Body::from("12345")), 99, &[0, 5], None),
            ("nothing", Body::from(""), 9, &[0], Some(0)),
        ];
        for (id, body, step, expected, total) in table {
            let expected: Vec<_> = expected.iter().map(|&sent| (sent, total)).collect();
            assert_eq!(told(body, step, false), expected, "{id}");
        }
        assert!(told(Body::empty(), 1, false).is_empty());
    }

    #[test]
    fn a_replay_begins_again() {
        let long = vec![7; 1 << 20];
        for body in [Body::from(long.clone()), Body::seekable(Cursor::new(long.clone()))] {
            let told = told(body, 1 << 17, true);
            let starts = told.iter().filter(|(sent, _)| *sent == 0).count();
            assert_eq!((starts, told.last()), (2, Some(&(1 << 20, Some(1 << 20)))));
        }
        let told = told(Body::factory(|| Ok(std::io::repeat(7).take(1 << 20)), None), 100_000, true);
        let sent: Vec<u64> = told.iter().map(|(sent, _)| *sent).collect();
        assert_eq!(sent.iter().filter(|&&sent| sent == 0).count(), 2);
        assert_eq!(sent.iter().filter(|&&sent| sent == 1 << 20).count(), 2);
        assert_eq!(sent.windows(2).filter(|pair| pair[0] > pair[1]).count(), 1, "forward but for the replay");
    }
}
