//! The pages for readers, and the blocks of code in them.

use std::fs;
use std::path::{Path, PathBuf};

/// A page: README.md, CONTRIBUTING.md, or one of `docs/`.
pub struct Document {
    /// Its path from the root of the repository.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// A block between fences.
#[derive(Debug, PartialEq)]
pub struct Block {
    /// What stands after the first fence: `sh` where it is nothing.
    pub language: String,
    /// Its lines.
    pub text: String,
    /// The line of its first fence, from 1.
    pub line: usize,
}

/// Returns the root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns every page, by path.
pub fn all() -> Vec<Document> {
    let mut paths = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    let docs = fs::read_dir(root().join("docs")).expect("docs/ is there").flatten();
    let mut docs: Vec<PathBuf> = docs.map(|entry| entry.path()).collect();
    docs.sort();
    paths.extend(docs.into_iter().filter(|path| path.extension().is_some_and(|end| end == "md")));
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let path = path.strip_prefix(root()).expect("under the root").display().to_string();
        Document { path, text }
    };
    paths.into_iter().map(read).collect()
}

/// Returns the blocks of a page, without the white space that a list puts before all their lines.
pub fn blocks(text: &str) -> Vec<Block> {
    let (mut found, mut open) = (Vec::new(), None::<(Block, usize)>);
    for (number, line) in text.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match (fence, open.take()) {
            (Some(_), Some((block, _))) => found.push(block),
            (Some(language), None) => {
                let language = if language.is_empty() { "sh" } else { language.trim() };
                let indent = line.len() - line.trim_start().len();
                let (language, line) = (language.to_owned(), number + 1);
                open = Some((Block { language, text: String::new(), line }, indent));
            }
            (None, Some((mut block, indent))) => {
                block.text.push_str(line.get(indent..).unwrap_or(line.trim_start()));
                block.text.push('\n');
                open = Some((block, indent));
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    found
}

#[test]
fn blocks_are_found_with_their_language_and_place() {
    let found = blocks("a\n```\nb\n  c\n```\n* d\n  ```yaml\n  e:\n    f\n  ```\n");
    let block = |language: &str, text: &str, line| Block {
        language: language.to_owned(),
        text: text.to_owned(),
        line,
    };
    assert_eq!(found, [block("sh", "b\n  c\n", 2), block("yaml", "e:\n  f\n", 7)]);
}
