//! The sources as the rules see them: without comments and without tests.

use std::fs;
use std::path::Path;

/// One file of the product.
#[derive(Debug)]
pub struct Source {
    /// Its path from the root of the repository, with `/`.
    pub path: String,
    /// Its lines without comments; those of tests are empty.
    pub lines: Vec<String>,
}

impl Source {
    /// Reads a file's text.
    pub fn new(path: &str, text: &str) -> Self {
        // A string with two slashes is cut too: what is after them is no import.
        let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
        Self { path: path.to_owned(), lines: without_tests(text).map(code).collect() }
    }

    /// Returns the lines that hold `word`, with their place; not as the end of a longer name.
    pub fn lines_with<'a>(&'a self, word: &'a str) -> impl Iterator<Item = String> + 'a {
        let numbered = self.lines.iter().enumerate();
        let found = numbered.filter(move |(_, line)| holds(line, word));
        found.map(|(number, line)| format!("{}:{}: {}", self.path, number + 1, line.trim()))
    }

    /// Returns the last part of the path.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// Returns the lines, empty where an item is compiled for tests only. Such an item ends, as
/// rustfmt lays it out, with the first line at its own depth that ends with `;` or `}`.
fn without_tests(text: &str) -> impl Iterator<Item = &str> {
    let mut skipped: Option<&str> = None;
    text.lines().map(move |line| {
        let depth = &line[..line.len() - line.trim_start().len()];
        if line.trim() == "#[cfg(test)]" {
            skipped = Some(depth);
        } else if let Some(own) = skipped {
            let is_last = line.trim_end().ends_with(['}', ';']);
            if depth == own && is_last {
                skipped = None;
            }
        } else {
            return line;
        }
        ""
    })
}

/// Returns whether `line` holds `word` where it does not continue a longer name.
pub fn holds(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|sign| sign.is_alphanumeric() || sign == '_')
    })
}

/// Returns every file of the product under `src/` and `actors/src/`.
pub fn all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in ["src", "actors/src"] {
        collect(root, &root.join(folder), &mut sources);
    }
    assert!(sources.len() > 10, "the sources were not found");
    sources
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a folder of sources").flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["tests", "testsuite"].contains(&name.as_str()) {
                collect(root, &path, sources);
            }
        } else if name.ends_with(".rs") && !is_test(&name) {
            let text = fs::read_to_string(&path).expect("UTF-8");
            let short = path.strip_prefix(root).expect("under the root");
            sources.push(Source::new(&short.to_string_lossy(), &text));
        }
    }
}

fn is_test(name: &str) -> bool {
    name == "tests.rs" || name.ends_with("_tests.rs") || name == "testsuite.rs"
}

#[test]
fn comments_tests_and_longer_names_do_not_count() {
    let text = "#[cfg(test)]\nmod my_tests;\nuse a::b; // c\nuse my_a::b;\n\
        #[cfg(test)]\nmod tests {\n    use a::b;\n}\nlet late = a::b;\n";
    let source = Source::new("src/x.rs", text);
    let found: Vec<_> = source.lines_with("a::").collect();
    assert_eq!(found, ["src/x.rs:3: use a::b;", "src/x.rs:9: let late = a::b;"]);
    assert_eq!(source.lines_with("c").count(), 0);
}
