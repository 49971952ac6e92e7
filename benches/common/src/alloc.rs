//! The counting allocator: of the whole process, with the feature `count` alone.
//!
//! It sees what Rust allocates; a C library's memory it does not.

/// What was allocated so far.
#[derive(Clone, Copy, Default)]
pub struct Heap {
    pub calls: u64,
    pub bytes: u64,
    pub live: u64,
    pub peak: u64,
}

#[cfg(not(feature = "count"))]
pub fn heap() -> Option<Heap> {
    None
}

#[cfg(not(feature = "count"))]
pub fn restart_peak() {}

#[cfg(feature = "count")]
pub use counting::{heap, restart_peak};

#[cfg(feature = "count")]
mod counting {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::Heap;

    static CALLS: AtomicU64 = AtomicU64::new(0);
    static BYTES: AtomicU64 = AtomicU64::new(0);
    static LIVE: AtomicU64 = AtomicU64::new(0);
    static PEAK: AtomicU64 = AtomicU64::new(0);

    pub fn heap() -> Option<Heap> {
        let [calls, bytes, live, peak] = [&CALLS, &BYTES, &LIVE, &PEAK].map(|count| count.load(Relaxed));
        Some(Heap { calls, bytes, live, peak })
    }

    pub fn restart_peak() {
        PEAK.store(LIVE.load(Relaxed), Relaxed);
    }

    struct Counting;

    fn count(bytes: usize) {
        CALLS.fetch_add(1, Relaxed);
        BYTES.fetch_add(bytes as u64, Relaxed);
        let live = LIVE.fetch_add(bytes as u64, Relaxed) + bytes as u64;
        PEAK.fetch_max(live, Relaxed);
    }

    // SAFETY: every call is the system allocator's, with the arguments it was given.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            count(layout.size());
            unsafe { System.alloc(layout) }
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            count(layout.size());
            unsafe { System.alloc_zeroed(layout) }
        }

        unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            LIVE.fetch_sub(layout.size() as u64, Relaxed);
            count(size);
            unsafe { System.realloc(pointer, layout, size) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            LIVE.fetch_sub(layout.size() as u64, Relaxed);
            unsafe { System.dealloc(pointer, layout) }
        }
    }

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;
}
