//! The allocator of the gateway's process: jemalloc, which gives freed memory back to the system within
//! a second (DESIGN K1). A process chooses it for itself: the binary and the benchmark of its memory take
//! in this file.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// jemalloc's settings. It reads them under this name only; an exported `malloc_conf` is ignored.
#[expect(unsafe_code, reason = "jemalloc finds its settings by the name of a symbol")]
#[unsafe(export_name = "_rjem_malloc_conf")]
static ALLOCATOR_SETTINGS: &[u8; 60] =
    b"background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0\0";
