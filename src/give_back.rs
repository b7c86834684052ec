//! What is asked of jemalloc, the allocator of the binary.

use tikv_jemalloc_ctl::{Access, AsName, arenas};

/// Gives freed pages back to the system now, from every arena. Takes up to some tens of milliseconds.
///
/// An arena whose dirty pages may live for no time gives them back at once (jemalloc's manual,
/// `arena.<i>.dirty_decay_ms`); then they get their time back. `arena.<i>.purge` would do the same, but
/// takes no value, and no safe function is without one. An arena that is not in use refuses.
pub fn give_back() {
    let Ok(count) = arenas::narenas::read() else { return };
    let lasting: Result<isize, _> = "opt.dirty_decay_ms\0".name().read();
    let Ok(lasting) = lasting else { return };
    for arena in 0..count {
        let name = format!("arena.{arena}.dirty_decay_ms\0");
        let name = name.name();
        if name.write(0_isize).is_ok() {
            let _ = name.write(lasting);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_arena_has_its_time_back_after_giving_back() {
        use tikv_jemalloc_ctl::{Access, AsName};

        let decay = || -> isize { "arena.0.dirty_decay_ms\0".name().read().unwrap() };
        let before = decay();
        super::give_back();
        assert_eq!(decay(), before);
    }
}
