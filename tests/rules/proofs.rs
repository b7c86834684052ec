//! The tables `tests/CASES.md` and `tests/FAULTS.md` are complete, and name tests that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The cases from users of other caches that this version answers for.
const CASES: [&str; 79] = [
    "A-1", "A-2", "A-3", "A-4", "A-5", "A-6", "A-7", "A-8", "A-9", "A-10", "A-11", "A-12", "A-13",
    "A-14", "A-15", "A-16", "A-17", "A-18", "A-19", "A-20", "A-21", "A-22", "A-23", "A-24", "A-25",
    "A-26", "A-27", "A-28", "A-29", "A-30", "A-31", "A-32", "A-33", "A-34", "A-35", "A-36", "A-37",
    "A-38", "A-39", "A-40", "A-41", "A-42", "A-43", "A-44", "A-45", "A-46", "A-47", "A-48", "A-49",
    "A-50", "A-51", "A-52", "A-53", "A-54", "A-55", "A-56", "A-57", "A-58", "A-59", "A-60", "A-61",
    "A-62", "A-63", "A-64", "A-65", "A-66", "A-67", "A-68", "A-69", "A-70", "A-71", "A-72", "A-73",
    "A-74", "A-75", "A-76", "A-77", "A-78", "A-79",
];

/// The faults of levels, upstream, clients and the process itself, and what would poison a cache.
const FAULTS: [&str; 76] = [
    "Redis killed",
    "Redis stopped",
    "Redis black-holed",
    "Redis slow",
    "Redis OOM, READONLY, LOADING, MISCONF, BUSY",
    "Redis output buffer full",
    "Redis maxclients",
    "Redis authentication fails",
    "Redis value of a wrong type",
    "corrupt payload",
    "huge entry",
    "PostgreSQL killed or stopped",
    "PostgreSQL black-holed or slow",
    "PostgreSQL read-only, connection limit",
    "SQLite locked",
    "disk full",
    "SQLite corrupt, truncated, not a database",
    "SQLite read-only, no permission",
    "Redis or PostgreSQL away during a purge",
    "kill -9 during writes",
    "connect refused",
    "DNS failure, TLS error, wrong certificate",
    "hang, no first byte",
    "429 with Retry-After",
    "4xx",
    "5xx, 529",
    "one failure, then well",
    "closed, reset, garbage, bad header",
    "truncated body, chunked without end, bad chunk",
    "wrong Content-Length",
    "stream cut",
    "stream ended without its terminal event",
    "error event in a stream",
    "stream stalls",
    "invalid JSON, HTML, empty, error in a 200",
    "huge body",
    "slow drip",
    "gzip, broken gzip, bomb",
    "redirect",
    "header injection, 256 KiB of headers",
    "many equal requests",
    "disconnect before or in the stream",
    "slow headers, slow body, slow reader",
    "idle connections",
    "huge or many headers, long URI",
    "JSON: syntax, invalid UTF-8, NaN, 100,000 deep",
    "body over the limit",
    "duplicate keys",
    "huge and precise numbers",
    "encodings of the body",
    "request smuggling",
    "methods, targets, hosts",
    "only-if-cached on a miss",
    "panic in a handler or an actor",
    "CPU starvation",
    "file descriptors out",
    "clock jump",
    "SIGTERM under load",
    "second SIGTERM or SIGINT",
    "another process takes over (SIGUSR2)",
    "kill -9 and restart",
    "bad config at start",
    "port in use, log pipe closed, no home directory",
    "mailbox full",
    "memory limit",
    "Range, HEAD, 304, fat GET",
    "Set-Cookie in an answer",
    "private, no-store, Vary: *",
    "an answer to Authorization",
    "an answer that varies by an unkeyed header",
    "another tenant's answer",
    "keys that collide",
    "an unkeyed header that reaches the provider",
    "path tricks",
    "secrets at rest or on show",
    "purges and numbers by anyone",
];

/// Returns the rows of a file's tables, each as its cells; heads and rules between are left out.
fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|cells| !cells.iter().all(|cell| cell.chars().all(|sign| sign == '-')))
        .collect()
}

/// Returns what is wrong with a table: the first cell of a row says what, the last names tests.
fn mistakes(text: &str, expected: &[&str], tests: &BTreeSet<String>) -> Vec<String> {
    let rows = rows(text);
    let count = |name: &str| rows.iter().filter(|cells| cells.first() == Some(&name)).count();
    let mut found: Vec<_> = expected
        .iter()
        .filter(|name| count(name) != 1)
        .map(|name| format!("{name} is there {} times", count(name)))
        .collect();
    for cells in rows.iter().filter(|cells| cells.first().is_some_and(|name| count(name) == 1)) {
        let (name, proof) = (cells[0], cells[cells.len() - 1]);
        if !expected.contains(&name) {
            // The head of a table.
            if proof != "tests" {
                found.push(format!("{name} is not expected"));
            }
            continue;
        }
        let named: Vec<_> = proof.split('`').skip(1).step_by(2).collect();
        if named.is_empty() && !proof.starts_with("Cannot occur: ") {
            found.push(format!("{name} has no test and no reason"));
        }
        let missing = named.iter().filter(|test| !tests.contains(**test));
        found.extend(missing.map(|test| format!("{name}: there is no test {test}")));
    }
    found
}

/// Returns the names of all tests: in the integration tests, the sources, and the actors package.
fn all_tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = BTreeSet::new();
    for folder in ["tests", "src", "actors/src", "actors/tests"] {
        collect(&root.join(folder), &mut names);
    }
    assert!(names.len() > 100, "the tests were not found");
    names
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of sources").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(tests_in(&fs::read_to_string(&path).expect("UTF-8")));
        }
    }
}

/// Returns the names of the functions that an attribute such as `#[test]` makes a test.
fn tests_in(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_marked = false;
    for line in text.lines().map(str::trim) {
        is_marked |= line.starts_with("#[") && line.contains("test]");
        if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_marked) {
            names.push(
                rest.chars().take_while(|sign| sign.is_alphanumeric() || *sign == '_').collect(),
            );
            is_marked = false;
        }
    }
    names
}

fn table(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_case_has_a_test_or_a_reason() {
    let found = mistakes(&table("CASES.md"), &CASES, &all_tests());
    assert!(found.is_empty(), "tests/CASES.md:\n{}", found.join("\n"));
}

#[test]
fn every_fault_has_a_test() {
    let found = mistakes(&table("FAULTS.md"), &FAULTS, &all_tests());
    assert!(found.is_empty(), "tests/FAULTS.md:\n{}", found.join("\n"));
}

#[test]
fn the_rule_of_the_tables_bites() {
    let tests =
        tests_in("#[test]\nfn there() {}\n#[actix::test]\nasync fn too() {}\nfn helper() {}");
    assert_eq!(tests, ["there", "too"]);
    let tests = tests.into_iter().collect();
    let head = "| case | tests |\n| --- | --- |\n";
    let mistakes = |rows: &str| mistakes(&format!("{head}{rows}"), &["A-1", "A-2"], &tests).len();
    assert_eq!(mistakes("| A-1 | `there`, `too` |\n| A-2 | Cannot occur: no such thing. |"), 0);
    assert_eq!(mistakes("| A-1 | `there` |"), 1, "one is missing");
    assert_eq!(mistakes("| A-1 | `there` |\n| A-1 | `too` |\n| A-2 | `too` |"), 1, "one is double");
    assert_eq!(mistakes("| A-1 | `helper` |\n| A-2 | `too` |"), 1, "no test of that name");
    assert_eq!(mistakes("| A-1 | later |\n| A-2 | `too` |"), 1, "no reason");
    assert_eq!(mistakes("| A-1 | `there` |\n| A-2 | `too` |\n| A-3 | `too` |"), 1, "one too many");
}
