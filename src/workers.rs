//! Threads for work that can neither be interrupted nor given a deadline.
//!
//! There are at most so many; they are started when needed and leave when idle. Whoever waits for an answer may give it
//! up: work that is under way goes on and its answer is dropped, work that is queued is not begun.

use std::collections::BTreeMap;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::contain::contain;
use crate::sync::standing::{Condvar, Mutex, MutexGuard, wait_until};
use crate::time::Until;

type Work = Box<dyn FnOnce() + Send>;

/// A bounded set of threads, and the queue in front of them: first come, first served.
#[derive(Clone)]
pub(crate) struct Workers(Arc<Shared>);

struct Shared {
    thread: fn() -> thread::Builder,
    limit: usize,
    /// How long a thread waits for work before it leaves.
    idle_life: Duration,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    /// By the order of arrival.
    queue: BTreeMap<u64, Work>,
    next: u64,
    threads: usize,
    idle: usize,
}

/// Work that was handed over, and will be answered.
pub(crate) struct Job<T> {
    id: u64,
    workers: Workers,
    answer: Arc<Answer<T>>,
}

/// How far work had come when the wait for it ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unanswered {
    /// No thread was free for it.
    Queued,
    Begun,
}

/// Where the answer is put, and whoever waits for it is woken.
pub(crate) struct Answer<T> {
    state: Mutex<Outcome<T>>,
    changed: Condvar,
}

enum Outcome<T> {
    Waiting,
    /// The waiter is told to give up.
    Interrupted,
    /// What the work gave, or what it panicked with.
    Done(thread::Result<T>),
}

impl Workers {
    pub(crate) fn new(thread: fn() -> thread::Builder, limit: usize, idle_life: Duration) -> Workers {
        Workers(Arc::new(Shared { thread, limit, idle_life, state: Mutex::default(), work: Condvar::new() }))
    }

    /// Hands work over to a thread that is idle, or to a new one; where there is neither, it is queued. Where there is
    /// no thread at all and the system gives none, the caller's does the work, before this returns.
    pub(crate) fn start<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Job<T> {
        let answer = Arc::new(Answer { state: Mutex::new(Outcome::Waiting), changed: Condvar::new() });
        let slot = answer.clone();
        let work = move || slot.set(Outcome::Done(panic::catch_unwind(AssertUnwindSafe(work))));
        let mut state = self.0.state.lock();
        let id = state.next;
        state.next += 1;
        state.queue.insert(id, Box::new(work));
        let mut here = None;
        // One that was notified and has not come yet still counts as idle, and its work as queued.
        if state.queue.len() <= state.idle {
            self.0.work.notify_one();
        } else if state.threads < self.0.limit {
            // Under the lock: nobody may count on a thread that does not come about.
            let shared = self.0.clone();
            match (self.0.thread)().spawn(move || shared.serve()) {
                Ok(_) => state.threads += 1,
                // Those that are there reach it, in the end.
                Err(_) if state.threads > 0 => {}
                Err(_) => here = state.queue.remove(&id),
            }
        }
        drop(state);
        if let Some(work) = here {
            work();
        }
        Job { id, workers: self.clone(), answer }
    }

    /// Threads that are there or about to be.
    #[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
    pub(crate) fn threads(&self) -> usize {
        self.0.state.lock().threads
    }

    /// Work that no thread has begun.
    #[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
    pub(crate) fn queued(&self) -> usize {
        self.0.state.lock().queue.len()
    }
}

impl Shared {
    /// The life of a thread.
    fn serve(&self) {
        while let Some(work) = self.next() {
            // Work catches its own panics. What is left is an answer that nobody wants and that cannot be dropped.
            contain(work);
        }
    }

    /// `None` after too long a wait: the thread is not counted any more, and must end.
    fn next(&self) -> Option<Work> {
        let until = Instant::now().checked_add(self.idle_life);
        let mut late = false;
        let mut state = self.state.lock();
        loop {
            if let Some((_, work)) = state.queue.pop_first() {
                return Some(work);
            }
            if late {
                state.threads -= 1;
                return None;
            }
            state.idle += 1;
            late = wait(&self.work, &mut state, until);
            state.idle -= 1;
        }
    }
}

impl<T> Job<T> {
    /// By which the wait can be interrupted.
    pub(crate) fn answer(&self) -> &Arc<Answer<T>> {
        &self.answer
    }

    /// The answer. Errors if the deadline passes or the wait is interrupted before it is there. A panic of the work
    /// goes on here.
    pub(crate) fn wait(self, until: Until<'_>) -> Result<T, Unanswered> {
        let mut state = self.answer.state.lock();
        while matches!(*state, Outcome::Waiting) && !wait(&self.answer.changed, &mut state, until.at()) {}
        let outcome = mem::replace(&mut *state, Outcome::Interrupted);
        drop(state);
        match outcome {
            Outcome::Done(Ok(answer)) => Ok(answer),
            Outcome::Done(Err(payload)) => panic::resume_unwind(payload),
            Outcome::Waiting | Outcome::Interrupted => {
                let queued = self.workers.0.state.lock().queue.remove(&self.id);
                Err(if queued.is_some() { Unanswered::Queued } else { Unanswered::Begun })
            }
        }
    }
}

impl<T> Answer<T> {
    /// The wait for the answer ends, or will not begin.
    pub(crate) fn interrupt(&self) {
        self.set(Outcome::Interrupted);
    }

    fn set(&self, outcome: Outcome<T>) {
        let mut state = self.state.lock();
        // The first word counts. What comes later is dropped, but not under the lock.
        let dropped = if matches!(*state, Outcome::Waiting) { mem::replace(&mut *state, outcome) } else { outcome };
        drop(state);
        self.changed.notify_one();
        drop(dropped);
    }
}

/// True when the wait ended because of `until`; `None` is never.
fn wait<T>(condvar: &Condvar, guard: &mut MutexGuard<'_, T>, until: Option<Instant>) -> bool {
    match until {
        Some(at) => wait_until(condvar, guard, at),
        None => {
            condvar.wait(guard);
            false
        }
    }
}

#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    const LONG: Duration = Duration::from_secs(20);

    fn by(limit: Duration) -> Until<'static> {
        Until::NEVER.or_within(Some(limit), crate::error::Bound::Resolve)
    }

    fn workers(limit: usize, idle_life: Duration) -> Workers {
        Workers::new(thread::Builder::new, limit, idle_life)
    }

    /// Work is begun in the order in which it came, and what was given up before is not begun at all.
    #[test]
    fn the_queue() {
        let workers = workers(1, LONG);
        let (release, released) = channel::<()>();
        let (tell, told) = channel();
        let first = workers.start(move || released.recv());
        let [second, third, fourth] = [2, 3, 4].map(|n| {
            let tell: Sender<i32> = tell.clone();
            workers.start(move || tell.send(n).unwrap())
        });
        assert_eq!(third.wait(by(Duration::ZERO)), Err(Unanswered::Queued));
        release.send(()).unwrap();
        assert_eq!(first.wait(by(LONG)), Ok(Ok(())));
        assert_eq!((second.wait(by(LONG)), fourth.wait(by(LONG))), (Ok(()), Ok(())));
        drop(tell);
        assert_eq!(told.iter().collect::<Vec<_>>(), [2, 4]);
        assert_eq!((workers.threads(), workers.queued()), (1, 0));
    }

    /// Tells of the end of the thread that it is a local of.
    struct Ends(Sender<()>);

    impl Drop for Ends {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    thread_local! {
        static ENDS: std::cell::RefCell<Option<Ends>> = const { std::cell::RefCell::new(None) };
    }

    /// A thread without work leaves, and the next work gets a new one.
    #[test]
    fn threads_leave() {
        let workers = workers(8, Duration::ZERO);
        for _ in 0..3 {
            let (tell, told) = channel();
            let job = workers.start(move || ENDS.with_borrow_mut(|ends| *ends = Some(Ends(tell))));
            assert_eq!(job.wait(by(LONG)), Ok(()));
            told.recv_timeout(LONG).unwrap();
            assert_eq!(workers.threads(), 0);
        }
    }

    /// One that waits for work gets it.
    #[test]
    fn threads_stay_for_a_while() {
        let workers = workers(8, LONG);
        let id = || thread::current().id();
        let first = workers.start(id).wait(by(LONG)).unwrap();
        while workers.0.state.lock().idle == 0 {
            thread::yield_now();
        }
        assert_eq!(workers.start(id).wait(by(LONG)), Ok(first));
        assert_eq!(workers.threads(), 1);
    }

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on being dropped");
        }
    }

    /// A panic is its caller's, or nobody's; the thread goes on.
    #[test]
    fn panics() {
        let workers = workers(1, LONG);
        let job = workers.start(|| -> i32 { panic!("of the work") });
        let payload = panic::catch_unwind(AssertUnwindSafe(|| job.wait(by(LONG)))).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"of the work"));

        let (release, released) = channel::<()>();
        let (begin, begun) = channel();
        let job = workers.start(move || {
            begin.send(()).unwrap();
            released.recv().unwrap();
            Bomb
        });
        begun.recv_timeout(LONG).unwrap();
        job.answer().interrupt();
        assert_eq!(job.wait(by(LONG)).map(mem::forget), Err(Unanswered::Begun));
        release.send(()).unwrap();
        assert_eq!(workers.start(|| 7).wait(by(LONG)), Ok(7));
        assert_eq!(workers.threads(), 1);
    }

    /// RW-61: no system has room for such a stack, so the caller's thread does the work.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn no_thread_to_be_had() {
        let workers = Workers::new(|| thread::Builder::new().stack_size(1 << 62), 8, LONG);
        for _ in 0..3 {
            let job = workers.start(|| thread::current().id());
            assert_eq!((workers.threads(), workers.queued()), (0, 0));
            assert_eq!(job.wait(by(LONG)), Ok(thread::current().id()));
        }
        let job = workers.start(|| -> i32 { panic!("of the work") });
        let payload = panic::catch_unwind(AssertUnwindSafe(|| job.wait(by(LONG)))).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"of the work"));
    }
}
