//! Memory for one page: blocks of powers of two, and of each size a list of the free ones.
//!
//! The standard library's allocator is built for long-lived programs and takes 3 KB of Brotli; a
//! page opens one bundle and then asks for a few hundred bytes an event, which this one has at hand.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::cell::UnsafeCell;

#[global_allocator]
static MEMORY: Memory = Memory(UnsafeCell::new(State { free: [0; SIZES], top: 0, end: 0 }));

/// Smallest block, as a power of two; every block starts at a multiple of it.
const SMALLEST: u32 = 4;
/// Blocks of 16 bytes to 1 GiB.
const SIZES: usize = 27;
const PAGE: usize = 64 * 1024;

struct Memory(UnsafeCell<State>);

struct State {
    /// Of each size, the first free block; a free block holds the address of the next.
    free: [usize; SIZES],
    /// What was never handed out.
    top: usize,
    end: usize,
}

// SAFETY: a page's WebAssembly has one thread.
unsafe impl Sync for Memory {}

// SAFETY: a block is at least as long as its layout asks, starts at a multiple of 16, and is in a
// list only between `dealloc` and the next `alloc`.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class(layout) else { return core::ptr::null_mut() };
        // SAFETY: nothing else holds the state: no thread, and nothing here calls out.
        let state = unsafe { &mut *self.0.get() };
        let block = state.free[class];
        if block == 0 {
            return state.fresh(1 << (class as u32 + SMALLEST)) as *mut u8;
        }
        // SAFETY: a block in the list is ours, and its first word names the next.
        state.free[class] = unsafe { *(block as *const usize) };
        block as *mut u8
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(class) = class(layout) else { return };
        // SAFETY: as in `alloc`; the caller gives the block back, so its first word is ours.
        unsafe {
            let state = &mut *self.0.get();
            *(block as *mut usize) = state.free[class];
            state.free[class] = block as usize;
        }
    }
}

impl State {
    /// Memory that was never used; 0 where the host has no more.
    fn fresh(&mut self, size: usize) -> usize {
        if self.end - self.top < size {
            let pages = size.div_ceil(PAGE);
            let before = memory_grow::<0>(pages);
            if before == usize::MAX {
                return 0;
            }
            self.top = before * PAGE;
            self.end = memory_size::<0>() * PAGE;
        }
        let block = self.top;
        self.top += size;
        block
    }
}

/// Which size a layout needs; none beyond 1 GiB and for alignments that nobody here asks for.
fn class(layout: Layout) -> Option<usize> {
    let size = layout.size().max(1 << SMALLEST);
    let class = (usize::BITS - (size - 1).leading_zeros() - SMALLEST) as usize;
    (class < SIZES && layout.align() <= 1 << SMALLEST).then_some(class)
}
