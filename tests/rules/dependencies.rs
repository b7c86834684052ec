//! The actors package knows nothing of HTTP, by what the lock file says of its tree: with all features, and
//! what its tests need. Nothing has to be downloaded to tell.

use std::collections::{BTreeMap, BTreeSet};

const LOCK: &str = include_str!("../../Cargo.lock");

/// Crates that speak HTTP.
const HTTP: &[&str] =
    &["actix-web", "actix-http", "actix-router", "awc", "h2", "http", "hyper", "reqwest", "ureq"];

/// Returns the names of all packages that `package` is built with, itself included.
fn tree<'a>(lock: &'a str, package: &'a str) -> BTreeSet<&'a str> {
    let mut needs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for block in lock.split("[[package]]").skip(1) {
        let name = block.lines().find_map(|line| line.strip_prefix("name = "));
        let name = name.expect("a package has a name").trim_matches('"');
        // Two versions of one crate count as one.
        let listed = block.lines().filter_map(|line| line.trim().strip_prefix('"'));
        let crates = listed.map(|line| line.split([' ', '"']).next().expect("a name"));
        needs.entry(name).or_default().extend(crates);
    }
    let (mut found, mut open) = (BTreeSet::new(), vec![package]);
    while let Some(name) = open.pop() {
        if found.insert(name) {
            open.extend(&needs[name]);
        }
    }
    found
}

fn http_crates<'a>(tree: &BTreeSet<&'a str>) -> Vec<&'a str> {
    tree.iter().copied().filter(|name| HTTP.contains(name)).collect()
}

#[test]
fn the_actors_package_has_no_http_crate_in_its_tree() {
    let tree = tree(LOCK, "anteroom-actors");
    for name in ["mini-moka", "libsqlite3-sys", "openssl-sys", "proptest"] {
        assert!(tree.contains(name), "{name} is not in the tree of the actors package: {tree:?}");
    }
    assert_eq!(http_crates(&tree), Vec::<&str>::new());
}

#[test]
fn the_dependency_rule_bites() {
    assert!(http_crates(&tree(LOCK, "anteroom")).contains(&"actix-http"));
    let lock = "[[package]]\nname = \"a\"\ndependencies = [\n \"b 1.0.0\",\n \"httparse\",\n]\n\
                [[package]]\nname = \"b\"\ndependencies = [\n \"http\",\n \"a\",\n]\n\
                [[package]]\nname = \"http\"\n[[package]]\nname = \"httparse\"\n[[package]]\nname = \"hyper\"\n";
    assert_eq!(http_crates(&tree(lock, "a")), ["http"]);
    assert_eq!(http_crates(&tree(lock, "httparse")), Vec::<&str>::new());
}
