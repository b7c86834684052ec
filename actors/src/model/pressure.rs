//! How much memory the process has, and what that means.

/// What one look at the process's memory showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryReading {
    /// Bytes that lie in memory (RSS).
    pub resident_bytes: u64,
    /// Bytes of address space (VMS); most of them may never have been touched.
    pub virtual_bytes: u64,
    /// Bytes that may lie in memory: the threshold, or the control group's limit if that is less.
    pub limit_bytes: u64,
}

impl MemoryReading {
    /// Returns the resident share of the limit in thousandths; may pass 1000.
    pub const fn permille(&self) -> u64 {
        let limit = if self.limit_bytes == 0 { 1 } else { self.limit_bytes };
        self.resident_bytes.saturating_mul(1_000) / limit
    }
}

/// How short memory is, the worst last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum PressureState {
    /// There is enough.
    #[default]
    Nominal,
    /// Four fifths of the limit are in use: caches give memory back.
    Elevated,
    /// Nearly all of it is: what can go goes, and new work waits.
    Critical,
}

impl PressureState {
    /// Returns the word in logs and health.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Nominal => "nominal",
            Self::Elevated => "elevated",
            Self::Critical => "critical",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_the_limit_is_in_thousandths() {
        for (resident_bytes, limit_bytes, permille) in
            [(0, 0, 0), (7, 0, 7_000), (0, 100, 0), (80, 100, 800), (250, 100, 2_500)]
        {
            let reading = MemoryReading { resident_bytes, limit_bytes, virtual_bytes: 1 };
            assert_eq!(reading.permille(), permille, "{reading:?}");
        }
    }
}
