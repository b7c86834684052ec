//! The actors package knows nothing of HTTP, by what is linked into it.

use std::process::Command;

/// Crates that speak HTTP.
const HTTP: &[&str] =
    &["actix-web", "actix-http", "actix-router", "awc", "h2", "http", "hyper", "reqwest", "ureq"];

/// Returns the crates of a `cargo tree --prefix none` that speak HTTP.
fn http_crates(tree: &str) -> Vec<&str> {
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    names.filter(|name| HTTP.contains(name)).collect()
}

#[test]
fn the_actors_package_has_no_http_crate_in_its_tree() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--package", "anteroom-actors"])
        .args(["--edges", "normal,build", "--prefix", "none", "--all-features"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let tree = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(tree.contains("mini-moka "), "not the tree of the actors package: {tree}");
    assert_eq!(http_crates(&tree), Vec::<&str>::new());
}

#[test]
fn the_dependency_rule_bites() {
    let tree = "anteroom-actors v0.1.0\nhttparse v1.0.0\nhttp v1.3.1\nhyper v1.6.0 (*)\n";
    assert_eq!(http_crates(tree), ["http", "hyper"]);
}
