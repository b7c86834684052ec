//! Every change of the schema can be undone, and both databases get the same changes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Returns what is missing in a folder of migrations.
fn faults(root: &Path) -> Vec<String> {
    let (sqlite, postgres) = (changes(&root.join("sqlite")), changes(&root.join("postgres")));
    let mut faults: Vec<_> = sqlite
        .symmetric_difference(&postgres)
        .map(|change| format!("{change} is there for one database only"))
        .collect();
    for (backend, changes) in [("sqlite", &sqlite), ("postgres", &postgres)] {
        for change in changes {
            for file in ["up.sql", "down.sql"] {
                let text = fs::read_to_string(root.join(backend).join(change).join(file));
                if text.unwrap_or_default().trim().is_empty() {
                    faults.push(format!("{backend}/{change}/{file} is missing or empty"));
                }
            }
        }
    }
    faults
}

fn changes(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn every_migration_goes_up_and_down_on_both_databases() {
    let found = faults(&Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations"));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_migration_rule_bites() {
    let root = tempfile::tempdir().expect("a folder");
    let write = |path: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, "SELECT 1;").expect("a file");
    };
    for path in ["sqlite/1_a/up.sql", "sqlite/1_a/down.sql", "postgres/1_a/up.sql"] {
        write(path);
    }
    assert_eq!(faults(root.path()), ["postgres/1_a/down.sql is missing or empty"]);
    write("postgres/1_a/down.sql");
    assert_eq!(faults(root.path()), Vec::<String>::new());
    write("sqlite/2_b/up.sql");
    write("sqlite/2_b/down.sql");
    assert_eq!(faults(root.path()), ["2_b is there for one database only"]);
}
