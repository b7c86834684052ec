//! The allocator of the gateway's process: jemalloc, which gives freed memory back to the system within
//! a second (DESIGN K1). A process chooses it for itself: the binary and the benchmark of its memory take
//! in this file.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// jemalloc's settings, which it reads under this name only; an exported `malloc_conf` is ignored. A thread
/// keeps for itself what it frees only up to 2 KiB a piece: bodies, which several threads handle, would
/// lie in the cache of each. And no more than 32 of a size: a megabyte less in some twenty threads.
#[expect(unsafe_code, reason = "jemalloc finds its settings by the name of a symbol")]
#[unsafe(export_name = "_rjem_malloc_conf")]
static ALLOCATOR_SETTINGS: &[u8; 103] =
    b"background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0,tcache_max:2048,tcache_nslots_small_max:32\0";
