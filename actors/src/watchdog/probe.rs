//! Looking at the process's memory, and giving freed pages back.

use std::sync::Arc;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::model::MemoryReading;

/// Reads the process's memory. Lives on the watchdog's thread.
pub trait MemoryProbe {
    /// Reads now; `threshold_bytes` is what the settings allow. Nothing where the system does not say.
    fn read(&mut self, threshold_bytes: u64) -> Option<MemoryReading>;
}

/// Makes a probe on the watchdog's thread.
pub type ProbeFactory = Arc<dyn Fn() -> Box<dyn MemoryProbe> + Send + Sync>;

/// Has the allocator give freed pages back to the system. Takes up to some tens of milliseconds.
pub type GiveBack = Arc<dyn Fn() + Send + Sync>;

/// Returns the bytes that may be in memory: the threshold, or the control group's limit where there
/// is one and it is lower.
pub fn limit_of(threshold_bytes: u64, group_bytes: Option<u64>) -> u64 {
    group_bytes.map_or(threshold_bytes, |group| group.min(threshold_bytes))
}

/// Asks the operating system.
#[derive(Debug)]
pub struct SystemProbe {
    system: Option<(System, Pid)>,
}

impl SystemProbe {
    /// Creates a probe of this process.
    pub fn new() -> Self {
        Self { system: System::new().ok().zip(sysinfo::get_current_pid().ok()) }
    }
}

impl Default for SystemProbe {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryProbe for SystemProbe {
    fn read(&mut self, threshold_bytes: u64) -> Option<MemoryReading> {
        let (system, pid) = self.system.as_mut()?;
        // This process and its memory alone: all processes would take 200 times as long.
        let what = ProcessRefreshKind::nothing().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[*pid]), false, what);
        let process = system.process(*pid)?;
        let group = process.cgroup_limits().map(|limits| limits.total_memory);
        Some(MemoryReading {
            resident_bytes: process.memory(),
            virtual_bytes: process.virtual_memory(),
            // The group's is never more than the machine has; 0 says that nothing is known.
            limit_bytes: limit_of(threshold_bytes, group.filter(|bytes| *bytes > 0)),
        })
    }
}

/// Returns what makes a [`SystemProbe`].
pub fn system_probe() -> ProbeFactory {
    Arc::new(|| Box::new(SystemProbe::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_bound_counts() {
        for (threshold, group, limit) in
            [(512, None, 512), (512, Some(256), 256), (512, Some(1_024), 512)]
        {
            assert_eq!(limit_of(threshold, group), limit, "{threshold} {group:?}");
        }
    }

    #[test]
    fn this_process_has_memory_within_its_address_space() {
        let reading = SystemProbe::new().read(1 << 50).expect("a system that says");
        assert!(reading.resident_bytes > 1 << 20, "{reading:?}");
        assert!(reading.virtual_bytes >= reading.resident_bytes, "{reading:?}");
        assert!(reading.limit_bytes > reading.resident_bytes, "{reading:?}");
    }
}
