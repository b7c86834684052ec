//! The table in the module's documentation names tests that are there.

use std::fs;
use std::path::Path;

fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("a folder of sources").flatten() {
        let path = entry.path();
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else {
            text.push_str(&fs::read_to_string(&path).expect("UTF-8"));
        }
    }
    text
}

/// Returns section, demand and proof of each row.
fn rows(documentation: &str) -> Vec<[&str; 3]> {
    let lines = documentation.lines().filter_map(|line| line.strip_prefix("//! | "));
    let rows = lines.filter_map(|line| {
        let mut cells = line.trim_end_matches(" |").splitn(3, " | ");
        Some([cells.next()?, cells.next()?, cells.next()?])
    });
    rows.filter(|[section, ..]| section.starts_with('§')).collect()
}

/// RFC 9111 §3 to §5: each row has its section and names a test that is there, or says why it
/// needs none.
#[test]
fn every_row_of_the_checklist_names_its_test_or_its_reason() {
    let documentation = include_str!("../../caching.rs");
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/caching"));
    let rows = rows(documentation);
    assert!(rows.len() > 40, "{} rows", rows.len());
    for [section, demand, proof] in rows {
        let names: Vec<&str> = proof.split('`').skip(1).step_by(2).collect();
        let is_reason = proof.starts_with("Cannot occur: ") || proof.starts_with("Elsewhere: ");
        assert!(is_reason || !names.is_empty(), "{section} {demand}: {proof}");
        for name in names {
            assert!(sources.contains(&format!("fn {name}(")), "{section} {demand}: no {name}");
        }
    }
}
