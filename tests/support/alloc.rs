//! An allocator that counts what each thread asks for, and what of it is still there.
//!
//! Implementing one takes `unsafe`: for the targets that include this, and nothing else.
#![allow(dead_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What one thread has asked for.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    pub calls: usize,
    /// Bytes asked for, all together.
    pub bytes: usize,
    /// Bytes asked for and not given back; below zero where others' were given back.
    pub live: isize,
    /// The most that were there at once, since it was last reset.
    pub peak: isize,
}

thread_local! {
    static COUNT: Cell<Count> = const { Cell::new(Count { calls: 0, bytes: 0, live: 0, peak: 0 }) };
}

/// What this thread has asked for so far.
pub fn counted() -> Count {
    COUNT.get()
}

/// From now on the peak counts from what is there.
pub fn reset_peak() {
    COUNT.set(Count { peak: COUNT.get().live, ..COUNT.get() });
}

fn count(calls: usize, taken: usize, given: usize) {
    // A thread that is ending has no counter any more, and is not the one that is measured.
    let _ = COUNT.try_with(|count| {
        let mut now = count.get();
        now.calls += calls;
        now.bytes += taken;
        now.live += taken as isize - given as isize;
        now.peak = now.peak.max(now.live);
        count.set(now);
    });
}

struct Counting;

// SAFETY: every call is the system allocator's, with the arguments it was given.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size, layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, 0, layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
