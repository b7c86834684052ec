//! How much memory an allocation really takes.

/// Up to here jemalloc has small classes; past it a page is added to each, so that they do not all
/// begin at the same place of the processor's caches.
const LARGEST_SMALL: usize = 14 * 1024;

/// That page.
const PADDING: usize = 4_096;

/// Returns the bytes that jemalloc sets aside for `bytes` of them: its size classes are multiples of
/// 16 up to 128, then four to each doubling (jemalloc(3), "Size classes").
pub(super) const fn allocated(bytes: usize) -> usize {
    if bytes == 0 {
        return 0;
    }
    let spacing = match bytes {
        ..=8 => 8,
        9..=128 => 16,
        _ => 1 << ((bytes - 1).ilog2() - 2),
    };
    let class = bytes.saturating_add(spacing - 1) / spacing * spacing;
    if class > LARGEST_SMALL { class.saturating_add(PADDING) } else { class }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up_to_classes() {
        for (bytes, expected) in [
            (0, 0),
            (1, 8),
            (9, 16),
            (100, 112),
            (128, 128),
            (129, 160),
            (256, 256),
            (257, 320),
            (1_600, 1_792),
            (5_000, 5_120),
            (14_336, 14_336),
            (14_337, 16_384 + 4_096),
            (20_000, 20_480 + 4_096),
            (1 << 20, (1 << 20) + 4_096),
        ] {
            assert_eq!(allocated(bytes), expected, "{bytes}");
        }
    }
}
