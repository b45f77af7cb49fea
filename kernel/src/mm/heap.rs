//! The kernel's heap: size classes in front of a `linked_list_allocator` heap.
//!
//! Small requests are a pop and a push on a free list of their class; large ones, which are rare, go
//! to the list allocator, whose operations take time in proportion to its free blocks. The heap
//! grows by mapping frames at its end and never shrinks. What may be refused ([`refusable`], or large) it does not grow into
//! the kernel's reserve for; what Rust takes to be infallible it does.
//!
//! Invariant: a block on a class's free list is unused and at least the class's size.

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use linked_list_allocator::Heap;
use luge_memory::layout::{KERNEL_HEAP_BYTES, KERNEL_HEAP_START};
use luge_memory::size_class::{CHUNK_BYTES, Class, class_of};

use super::frames;
use crate::arch::lock::Lock;
use crate::arch::paging::{self, Access, Caching, PAGE_BYTES};

/// From this size on, in bytes, a request is one that may be refused (bodies, output): the heap does not
/// grow into the kernel's reserve for it. Whoever cannot bear a refusal must ask for less, or at boot.
pub const BULK: usize = 16 << 10;
/// How much the heap grows by at least, in bytes.
const GROWTH: u64 = 1 << 20;

/// Whether what is asked for now may be refused, however small it is.
static MAY_REFUSE: AtomicBool = AtomicBool::new(false);

/// Does what asks for memory and bears a refusal: the heap does not grow into the kernel's reserve for it. Not to be
/// nested.
pub fn refusable<R>(ask: impl FnOnce() -> R) -> R {
    MAY_REFUSE.store(true, Relaxed);
    let answer = ask();
    MAY_REFUSE.store(false, Relaxed);
    answer
}

struct KernelHeap {
    free: [Option<NonNull<FreeBlock>>; Class::COUNT],
    large: Heap,
    mapped_to: u64,
    in_use: usize,
}

struct FreeBlock {
    next: Option<NonNull<FreeBlock>>,
}

// SAFETY: the pointers are to blocks that belong to the heap alone; the lock around it keeps others
// out.
unsafe impl Send for KernelHeap {}

static HEAP: Lock<KernelHeap> = Lock::new(KernelHeap {
    free: [None; Class::COUNT],
    large: Heap::empty(),
    mapped_to: KERNEL_HEAP_START,
    in_use: 0,
});

/// Allocates; null when there is no memory.
pub fn allocate(layout: Layout) -> *mut u8 {
    if layout.size() >= BULK && scenario::refuses_bulk() {
        return core::ptr::null_mut();
    }
    #[cfg(feature = "scenarios")]
    if (layout.size() >= BULK || MAY_REFUSE.load(Relaxed)) && super::refusals::this_one() {
        return core::ptr::null_mut();
    }
    let mut heap = HEAP.lock();
    let block = match class_of(layout.size(), layout.align()) {
        Some(class) => heap.pop(class),
        None => heap.allocate_large(layout),
    };
    match block {
        Some(block) => {
            heap.in_use += layout.size();
            block.as_ptr()
        }
        None => core::ptr::null_mut(),
    }
}

/// Takes a block back.
///
/// # Safety
/// `block` must have come from [`allocate`] with the same layout, and nobody may use it any more.
pub unsafe fn release(block: NonNull<u8>, layout: Layout) {
    let mut heap = HEAP.lock();
    heap.in_use -= layout.size();
    match class_of(layout.size(), layout.align()) {
        // SAFETY: the block is of this class, as the caller promises, and unused.
        Some(class) => unsafe { heap.push(class, block) },
        // SAFETY: the block came from `large` with this layout, as the caller promises.
        None => unsafe { heap.large.deallocate(block, layout) },
    }
}

/// Bytes handed out.
#[must_use]
pub fn bytes_in_use() -> usize {
    HEAP.lock().in_use
}

/// How far the heap's region is mapped, in bytes.
#[must_use]
pub fn bytes_mapped() -> u64 {
    HEAP.lock().mapped_to - KERNEL_HEAP_START
}

impl KernelHeap {
    fn pop(&mut self, class: Class) -> Option<NonNull<u8>> {
        if self.free[class.index()].is_none() {
            self.carve(class)?;
        }
        let block = self.free[class.index()]?;
        // SAFETY: a block on the list is unused and holds a `FreeBlock`.
        self.free[class.index()] = unsafe { block.as_ref() }.next;
        Some(block.cast())
    }

    /// # Safety
    /// `block` must be unused and of this class.
    unsafe fn push(&mut self, class: Class, block: NonNull<u8>) {
        let block = block.cast::<FreeBlock>();
        let next = self.free[class.index()];
        // SAFETY: every class is at least 16 bytes, aligned to 16, and the block is unused.
        unsafe { block.write(FreeBlock { next }) };
        self.free[class.index()] = Some(block);
    }

    /// Cuts a chunk into blocks of `class`.
    fn carve(&mut self, class: Class) -> Option<()> {
        let layout = Layout::from_size_align(CHUNK_BYTES, PAGE_BYTES as usize)
            .expect("a few pages are a layout");
        let chunk = self.allocate_large(layout)?;
        for offset in (0..CHUNK_BYTES).step_by(class.bytes()) {
            // SAFETY: the chunk is ours, and every class divides its size.
            unsafe { self.push(class, chunk.add(offset)) };
        }
        Some(())
    }

    fn allocate_large(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        if let Ok(block) = self.large.allocate_first_fit(layout) {
            return Some(block);
        }
        let bytes = (layout.size() + layout.align()) as u64;
        let may_be_refused = layout.size() >= BULK || MAY_REFUSE.load(Relaxed);
        if may_be_refused && !frames::has_room_for_guest(bytes.max(GROWTH)) {
            return None;
        }
        self.grow(bytes)?;
        self.large.allocate_first_fit(layout).ok()
    }

    fn grow(&mut self, bytes: u64) -> Option<()> {
        let bytes = bytes.next_multiple_of(PAGE_BYTES);
        // Near the end of the reserve, no more than is wanted.
        let bytes = match frames::spares_half_of_reserve(GROWTH) {
            true => bytes.max(GROWTH),
            false => bytes,
        };
        let start = self.mapped_to;
        let end = start.checked_add(bytes)?;
        if end > KERNEL_HEAP_START + KERNEL_HEAP_BYTES || !frames::has_frames(bytes) {
            return None;
        }
        // SAFETY: the range lies in the heap's region and was never mapped.
        let mapped = unsafe {
            paging::map(
                start..end,
                Access::ReadWrite,
                Caching::WriteBack,
                // Whoever wants zeroes writes them, as in a block that was used before.
                &mut |_| frames::allocate(),
                &mut frames::allocate_zeroed,
            )
        };
        mapped.expect("the frames were counted before");
        self.mapped_to = end;
        if start == KERNEL_HEAP_START {
            // SAFETY: the range was just mapped for the heap alone.
            unsafe { self.large.init(start as *mut u8, bytes as usize) };
        } else {
            // SAFETY: the range was just mapped and follows what the heap has.
            unsafe { self.large.extend(bytes as usize) };
        }
        Some(())
    }
}

/// A hook for scenarios: has the kernel be refused all that may be refused, as when guests hold all memory and
/// the heap has no large piece left.
pub mod scenario {
    #[cfg(feature = "scenarios")]
    mod on {
        use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

        static REFUSES: AtomicBool = AtomicBool::new(false);

        /// From now on, or no more.
        pub fn refuse_bulk(whether: bool) {
            REFUSES.store(whether, Relaxed);
        }

        pub(in crate::mm::heap) fn refuses_bulk() -> bool {
            REFUSES.load(Relaxed)
        }
    }

    #[cfg(feature = "scenarios")]
    pub use on::refuse_bulk;
    #[cfg(feature = "scenarios")]
    pub(super) use on::refuses_bulk;

    #[cfg(not(feature = "scenarios"))]
    pub(super) const fn refuses_bulk() -> bool {
        false
    }
}
