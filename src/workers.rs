//! Threads for work that the caller's thread does not do itself: name lookups under a bound, and submitted requests.
//!
//! The number of threads is bounded. A thread starts when it is needed and ends when it is idle for long. A caller may
//! stop waiting for an answer: work that has begun goes on and its answer is dropped; work that is queued is not begun.
//!
//! The queue is not a channel, because work leaves it from the middle when nobody waits for it any more.

use std::cell::Cell;
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::contain::contain;
use crate::sync::standing::{Condvar, Mutex, MutexGuard, wait_until};
use crate::time::Until;

/// A piece of work: a function, or something that is used again afterwards. It is either run or refused.
pub(crate) trait Work: Send {
    /// Does the work. It catches its own panics.
    fn run(self: Box<Self>);

    /// Ends work that nobody waits for any more, and that was not begun.
    fn refuse(self: Box<Self>);
}

impl<F: FnOnce() + Send> Work for F {
    fn run(self: Box<F>) {
        self();
    }

    fn refuse(self: Box<F>) {
        drop(self);
    }
}

thread_local! {
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether the calling thread is one of any set of workers.
pub(crate) fn is_worker() -> bool {
    IS_WORKER.get()
}

/// A bounded set of threads, and the queue of the work that waits for them: first come, first served.
#[derive(Clone)]
pub(crate) struct Workers(Arc<Shared>);

struct Shared {
    thread: fn() -> thread::Builder,
    limit: usize,
    /// How long a thread waits for work before it ends.
    idle_life: Duration,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    queue: Queue,
    threads: usize,
    idle: usize,
    /// A thread was woken or started for the queue, and has not looked at it yet.
    is_called: bool,
    /// No more work comes. Threads end when the queue is empty.
    is_over: bool,
}

/// Work that no thread has begun, in the order of arrival.
#[derive(Default)]
struct Queue {
    /// Each piece with its number, in the order of the numbers. A piece that was taken out of the middle leaves a gap.
    entries: VecDeque<(u64, Option<Box<dyn Work>>)>,
    gaps: usize,
    next: u64,
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn push(&mut self, work: Box<dyn Work>) {
        self.entries.push_back((self.next, Some(work)));
        self.next += 1;
    }

    fn pop(&mut self) -> Option<Box<dyn Work>> {
        let (_, work) = self.entries.pop_front()?;
        self.close_gaps();
        work
    }

    fn remove(&mut self, id: u64) -> Option<Box<dyn Work>> {
        let at = self.entries.binary_search_by_key(&id, |entry| entry.0).ok()?;
        let work = self.entries[at].1.take()?;
        self.gaps += 1;
        self.close_gaps();
        if self.gaps > self.entries.len() / 2 {
            self.entries.retain(|entry| entry.1.is_some());
            self.gaps = 0;
        }
        Some(work)
    }

    /// Takes out all work from this number on.
    fn take_from(&mut self, first: u64) -> Vec<Box<dyn Work>> {
        (first..self.next).filter_map(|id| self.remove(id)).collect()
    }

    /// Lets the queue begin with a piece of work.
    fn close_gaps(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.1.is_none()) {
            self.entries.pop_front();
            self.gaps -= 1;
        }
    }
}

/// The place of an answer that one caller waits for. Filling it wakes the caller.
pub(crate) struct Answer<T> {
    state: Mutex<Outcome<T>>,
    changed: Condvar,
}

enum Outcome<T> {
    Waiting,
    /// The waiter is told to give up, or has given up.
    Ended,
    Given(T),
}

impl Workers {
    pub(crate) fn new(thread: fn() -> thread::Builder, limit: usize, idle_life: Duration) -> Workers {
        Workers(Arc::new(Shared { thread, limit, idle_life, state: Mutex::default(), work: Condvar::new() }))
    }

    /// Puts work into the queue, and calls a thread to it. If there is no thread and the system gives none, the caller's
    /// thread does the work before this returns. Returns the number of the first piece; the others follow.
    pub(crate) fn give(&self, all: impl IntoIterator<Item = Box<dyn Work>>) -> u64 {
        let mut state = self.0.state.lock();
        let first = state.queue.next;
        all.into_iter().for_each(|work| state.queue.push(work));
        let wakes = self.0.call(&mut state);
        // Nobody else would ever take it.
        let here = if state.threads == 0 { state.queue.take_from(first) } else { Vec::new() };
        drop(state);
        if wakes {
            self.0.work.notify_one();
        }
        here.into_iter().for_each(Work::run);
        first
    }

    /// Takes work out of the queue, to run or to refuse it. Returns `None` if it has begun.
    pub(crate) fn take(&self, id: u64) -> Option<Box<dyn Work>> {
        self.0.state.lock().queue.remove(id)
    }

    /// Takes work out of the queue and refuses it, unless it has begun.
    pub(crate) fn refuse(&self, id: u64) {
        if let Some(work) = self.take(id) {
            work.refuse();
        }
    }

    /// Says that no more work comes. The threads do what is queued, and end.
    pub(crate) fn end(&self) {
        self.0.state.lock().is_over = true;
        self.0.work.notify_all();
    }

    /// Returns how many threads there are at most.
    pub(crate) fn limit(&self) -> usize {
        self.0.limit
    }

    /// Returns the number of threads, those that are about to start included.
    #[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
    pub(crate) fn threads(&self) -> usize {
        self.0.state.lock().threads
    }

    /// Returns whether no more work comes.
    #[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
    pub(crate) fn is_over(&self) -> bool {
        self.0.state.lock().is_over
    }

    /// Returns the number of pieces of work that no thread has begun.
    #[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
    pub(crate) fn queued(&self) -> usize {
        let queue = &self.0.state.lock().queue;
        queue.entries.len() - queue.gaps
    }
}

impl Shared {
    /// Calls one thread to the queue, if work is in it: an idle one, or a new one. That thread calls the next one. So
    /// while all processors are busy, threads that are awake take the work, and the others are not woken for nothing.
    ///
    /// Returns whether the caller has to notify an idle thread. It does so without the lock, which that thread takes.
    #[must_use]
    fn call(self: &Arc<Shared>, state: &mut State) -> bool {
        if state.queue.is_empty() || state.is_called {
            return false;
        }
        state.is_called = state.idle > 0;
        if state.is_called {
            return true;
        }
        if state.threads < self.limit {
            let shared = self.clone();
            // Under the lock, so that no other caller counts on a thread that fails to start. If there are others, one
            // of them takes the work later.
            if (self.thread)().spawn(move || shared.serve()).is_ok() {
                state.threads += 1;
                state.is_called = true;
            }
        }
        false
    }

    /// Does work until a thread has to end.
    fn serve(self: &Arc<Shared>) {
        IS_WORKER.set(true);
        let mut was_called = true;
        while let Some(work) = self.next(was_called) {
            // Work catches its own panics. This contains the panic of an unwanted answer that is dropped.
            contain(|| work.run());
            was_called = false;
        }
    }

    /// Waits for work. Returns `None` after `idle_life`, or if no more comes: the thread is no longer counted, and must
    /// end. `was_called` says whether the thread was started for the queue and looks at it for the first time.
    fn next(self: &Arc<Shared>, was_called: bool) -> Option<Box<dyn Work>> {
        let mut until = None;
        let mut late = false;
        let mut state = self.state.lock();
        state.is_called &= !was_called;
        loop {
            if let Some(work) = state.queue.pop() {
                let wakes = self.call(&mut state);
                drop(state);
                if wakes {
                    self.work.notify_one();
                }
                return Some(work);
            }
            if late || state.is_over {
                state.threads -= 1;
                return None;
            }
            // A thread that finds work does not ask the clock.
            let until = *until.get_or_insert_with(|| Instant::now().checked_add(self.idle_life));
            state.idle += 1;
            late = wait(&self.work, &mut state, until);
            state.idle -= 1;
            state.is_called = false;
        }
    }
}

impl<T> Answer<T> {
    pub(crate) fn new() -> Answer<T> {
        Answer { state: Mutex::new(Outcome::Waiting), changed: Condvar::new() }
    }

    /// Waits for the answer. Returns `None` if the deadline passes or the wait is interrupted before.
    pub(crate) fn wait(&self, until: Until<'_>) -> Option<T> {
        let mut state = self.state.lock();
        while matches!(*state, Outcome::Waiting) && !until.is_fired() {
            if !wait(&self.changed, &mut state, until.slice_end()) {
                continue;
            }
            if until.slice().is_none() {
                break;
            }
            drop(state);
            until.tick();
            state = self.state.lock();
            if until.is_past() {
                break;
            }
        }
        match mem::replace(&mut *state, Outcome::Ended) {
            Outcome::Given(answer) => Some(answer),
            Outcome::Waiting | Outcome::Ended => None,
        }
    }

    /// Ends the wait for the answer. A wait that has not begun ends at once.
    pub(crate) fn interrupt(&self) {
        drop(self.set(Outcome::Ended));
    }

    /// Gives the answer. Returns it if nobody waits for it any more.
    pub(crate) fn give(&self, answer: T) -> Option<T> {
        match self.set(Outcome::Given(answer)) {
            Outcome::Given(answer) => Some(answer),
            Outcome::Waiting | Outcome::Ended => None,
        }
    }

    /// Sets the outcome, and returns the one that does not count: the first one does. It is not dropped under the lock.
    fn set(&self, outcome: Outcome<T>) -> Outcome<T> {
        let mut state = self.state.lock();
        let other = if matches!(*state, Outcome::Waiting) { mem::replace(&mut *state, outcome) } else { outcome };
        drop(state);
        self.changed.notify_one();
        other
    }
}

/// Waits, and returns whether the wait ended because of `until`. `None` means no bound.
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

    /// Gives work whose answer can be waited for.
    fn start<T: Send + 'static>(workers: &Workers, work: impl FnOnce() -> T + Send + 'static) -> Arc<Answer<T>> {
        let answer = Arc::new(Answer::new());
        let place = answer.clone();
        workers.give([Box::new(move || drop(place.give(work()))) as Box<dyn Work>]);
        answer
    }

    /// Work leaves the queue in the order in which it came, or by its number. What leaves from the middle takes no room.
    #[test]
    fn numbers() {
        let (mut queue, told) = (Queue::default(), Arc::new(std::sync::Mutex::new(Vec::new())));
        let ids: Vec<u64> = (0..100)
            .map(|n| {
                let told = told.clone();
                queue.push(Box::new(move || told.lock().unwrap().push(n)));
                queue.next - 1
            })
            .collect();
        for &id in ids[10..90].iter().rev() {
            queue.remove(id).unwrap().run();
            assert!(queue.remove(id).is_none());
            assert!(queue.gaps * 2 <= queue.entries.len());
        }
        assert_eq!(told.lock().unwrap().drain(..).collect::<Vec<_>>(), (10..90).rev().collect::<Vec<_>>());
        queue.remove(ids[0]).unwrap().refuse();
        while let Some(work) = queue.pop() {
            work.run();
        }
        assert_eq!(*told.lock().unwrap(), (1..10).chain(90..100).collect::<Vec<_>>());
        assert_eq!((queue.entries.len(), queue.gaps), (0, 0));
    }

    /// Work begins in the order in which it came.
    #[test]
    fn the_queue() {
        let workers = workers(1, LONG);
        let (release, released) = channel::<()>();
        let (tell, told) = channel();
        let first = start(&workers, move || released.recv());
        let [second, third] = [2, 3].map(|n| {
            let tell: Sender<i32> = tell.clone();
            start(&workers, move || tell.send(n).unwrap())
        });
        assert_eq!(third.wait(by(Duration::ZERO)), None);
        release.send(()).unwrap();
        assert_eq!((first.wait(by(LONG)), second.wait(by(LONG))), (Some(Ok(())), Some(())));
        drop(tell);
        assert_eq!(told.iter().collect::<Vec<_>>(), [2, 3]);
        assert_eq!((workers.threads(), workers.queued()), (1, 0));
    }

    /// Tells when the thread ends that holds this as a thread-local.
    struct Ends(Sender<()>);

    impl Drop for Ends {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    thread_local! {
        static ENDS: std::cell::RefCell<Option<Ends>> = const { std::cell::RefCell::new(None) };
    }

    /// A thread without work ends, and the next work gets a new thread.
    #[test]
    fn threads_leave() {
        let workers = workers(8, Duration::ZERO);
        for _ in 0..3 {
            let (tell, told) = channel();
            let job = start(&workers, move || ENDS.with_borrow_mut(|ends| *ends = Some(Ends(tell))));
            assert_eq!(job.wait(by(LONG)), Some(()));
            told.recv_timeout(LONG).unwrap();
            assert_eq!(workers.threads(), 0);
        }
    }

    /// Each thread that is called calls the next one: four pieces of work that wait for each other get four threads, and
    /// once these are idle, no other.
    #[test]
    fn threads_call_each_other() {
        let workers = workers(8, LONG);
        for _ in 0..20 {
            let meeting = Arc::new(std::sync::Barrier::new(4));
            let jobs = [(); 4].map(|()| {
                let meeting = meeting.clone();
                start(&workers, move || {
                    meeting.wait();
                })
            });
            jobs.into_iter().for_each(|job| assert_eq!(job.wait(by(LONG)), Some(())));
            let all_idle = || {
                let state = workers.0.state.lock();
                state.idle == state.threads
            };
            while !all_idle() {
                thread::yield_now();
            }
        }
        assert_eq!(workers.threads(), 4);
    }

    /// Work that was given before the end is done. Then the threads leave, also those that would wait for long.
    #[test]
    fn the_end() {
        let workers = workers(1, LONG);
        let (release, released) = channel::<()>();
        let (tell, told) = channel();
        let first = start(&workers, move || {
            ENDS.with_borrow_mut(|ends| *ends = Some(Ends(tell)));
            released.recv()
        });
        let second = start(&workers, || 2);
        workers.end();
        release.send(()).unwrap();
        assert_eq!((first.wait(by(LONG)), second.wait(by(LONG))), (Some(Ok(())), Some(2)));
        told.recv_timeout(LONG).unwrap();
        assert_eq!(workers.threads(), 0);
    }

    /// A thread that waits for work gets it.
    #[test]
    fn threads_stay_for_a_while() {
        let workers = workers(8, LONG);
        let id = || thread::current().id();
        let first = start(&workers, id).wait(by(LONG)).unwrap();
        while workers.0.state.lock().idle == 0 {
            thread::yield_now();
        }
        assert_eq!(start(&workers, id).wait(by(LONG)), Some(first));
        assert_eq!(workers.threads(), 1);
    }

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on being dropped");
        }
    }

    /// A panic of an answer that nobody wants ends with it. The thread goes on. The first outcome counts.
    #[test]
    fn unwanted_answers() {
        let workers = workers(1, LONG);
        let (release, released) = channel::<()>();
        let (begin, begun) = channel();
        let job = start(&workers, move || {
            begin.send(()).unwrap();
            released.recv().unwrap();
            Bomb
        });
        begun.recv_timeout(LONG).unwrap();
        job.interrupt();
        assert!(job.wait(by(LONG)).map(mem::forget).is_none());
        release.send(()).unwrap();
        assert_eq!(start(&workers, || 7).wait(by(LONG)), Some(7));
        assert_eq!(workers.threads(), 1);

        let answer = Answer::new();
        assert_eq!(answer.give(1), None);
        assert_eq!(answer.give(2), Some(2));
        answer.interrupt();
        assert_eq!(answer.wait(by(LONG)), Some(1));
        assert_eq!(answer.give(3), Some(3));
    }

    /// RW-61: no system has room for a stack of this size, so the caller's thread does the work.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn no_thread_to_be_had() {
        let workers = Workers::new(|| thread::Builder::new().stack_size(1 << 62), 8, LONG);
        for _ in 0..3 {
            let job = start(&workers, || thread::current().id());
            assert_eq!((workers.threads(), workers.queued()), (0, 0));
            assert_eq!(job.wait(by(LONG)), Some(thread::current().id()));
        }
    }
}
