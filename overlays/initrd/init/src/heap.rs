//! Memory for a program without a C library: blocks of powers of two from a fixed reserve, kept in a list by size when freed.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::null_mut;

/// The kernel gives pages of this only when they are touched. A hostile GPT can ask for 4 MiB at most.
const RESERVE: usize = 32 << 20;
/// The smallest block has room for a link to the next free one, and serves every alignment that Rust's types have.
const SMALLEST: usize = 16;
/// Sizes from 16 bytes to the whole reserve.
const SIZES: usize = 22;

/// The heap of one thread.
pub struct Heap(UnsafeCell<State>);

struct State {
    free: [*mut Link; SIZES],
    used: usize,
    reserve: Reserve,
}

struct Link(*mut Link);

#[repr(C, align(4096))]
struct Reserve([u8; RESERVE]);

// SAFETY: the program starts no thread and no signal handler, so nobody else is ever inside.
unsafe impl Sync for Heap {}

impl Heap {
    pub const fn new() -> Self {
        Heap(UnsafeCell::new(State { free: [null_mut(); SIZES], used: 0, reserve: Reserve([0; RESERVE]) }))
    }
}

/// Which power of two holds it: its bytes, and the place of its list. None if none does.
fn size(layout: Layout) -> Option<(usize, usize)> {
    let bytes = layout.size().max(layout.align()).max(SMALLEST).checked_next_power_of_two()?;
    let list = (bytes / SMALLEST).trailing_zeros() as usize;
    // Blocks are aligned to their size only up to the reserve's own alignment.
    (list < SIZES && layout.align() <= 4096).then_some((bytes, list))
}

// SAFETY: a block is handed out once until it is freed, is as large as its power of two, and lies at a
// multiple of the layout's alignment: `used` is rounded up to it, and it never exceeds the reserve's.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((bytes, list)) = size(layout) else { return null_mut() };
        // SAFETY: one thread, see above; a link in a list is a block that was freed and has room for it.
        unsafe {
            let state = self.0.get();
            let free = (*state).free[list];
            if !free.is_null() {
                (*state).free[list] = (*free).0;
                return free.cast();
            }
            // Aligned to the block's own size, so that it fits any layout that shares its list.
            let at = (*state).used.next_multiple_of(bytes.min(4096));
            if at + bytes > RESERVE {
                return null_mut();
            }
            (*state).used = at + bytes;
            (&raw mut (*state).reserve).cast::<u8>().add(at)
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some((_, list)) = size(layout) else { return };
        // SAFETY: the caller gives back a block of this layout, which is at least a link's size and alignment.
        unsafe {
            let state = self.0.get();
            let link = block.cast::<Link>();
            link.write(Link((*state).free[list]));
            (*state).free[list] = link;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_apart_aligned_and_used_again() {
        let heap: Box<Heap> = new();
        let (small, page) = (Layout::new::<[u8; 20]>(), Layout::from_size_align(5000, 4096).unwrap());
        // SAFETY: each block is used within its layout and given back once.
        unsafe {
            let a = heap.alloc(small);
            let b = heap.alloc(small);
            assert!(b as usize - a as usize >= 20);
            let c = heap.alloc(page);
            assert_eq!(c as usize % 4096, 0);
            heap.dealloc(a, small);
            assert_eq!(heap.alloc(small), a);
            assert_ne!(heap.alloc(small), a);
        }
    }

    #[test]
    fn the_end_of_the_reserve_is_noticed() {
        let heap: Box<Heap> = new();
        // SAFETY: layouts are not of size zero; no block is used.
        unsafe {
            assert!(heap.alloc(Layout::from_size_align(RESERVE + 1, 1).unwrap()).is_null());
            assert!(heap.alloc(Layout::from_size_align(1, 8192).unwrap()).is_null());
            let quarter = Layout::from_size_align(RESERVE / 4, 1).unwrap();
            assert_eq!((0..5).filter(|_| !heap.alloc(quarter).is_null()).count(), 4);
        }
    }

    /// A heap outside the stack, which is smaller.
    fn new() -> Box<Heap> {
        // SAFETY: zeros are null pointers, no bytes used, an empty reserve: what Heap::new() has.
        unsafe { Box::<Heap>::new_zeroed().assume_init() }
    }
}
