//! The words of `config.yaml` about each key: editors show them, and tests hold them to the code.

use std::collections::BTreeMap;

/// The file as it is published.
pub(super) const FILE: &str = include_str!("../../config.yaml");

/// A key as the file writes it: the comment directly above it, and its value.
pub(super) struct Entry {
    pub comment: String,
    #[cfg(test)]
    pub value: String,
}

/// Reads the keys of the file with their comments; lists count as one value.
pub(super) fn entries() -> BTreeMap<String, Entry> {
    let mut found = BTreeMap::new();
    let mut outer: Vec<(usize, String)> = Vec::new();
    let mut comment = Vec::new();
    for line in FILE.lines() {
        let text = line.trim_start();
        let indent = line.len().saturating_sub(text.len());
        if let Some(words) = text.strip_prefix('#') {
            comment.push(words.trim());
            continue;
        }
        let key = text.split_once(':').filter(|(key, _)| !key.starts_with("- "));
        let in_list = outer.last().is_some_and(|(_, name)| name == "routes") && indent > 0;
        if let Some((name, _value)) = key.filter(|_| !in_list) {
            outer.retain(|(depth, _)| *depth < indent);
            outer.push((indent, name.to_owned()));
            let path: Vec<&str> = outer.iter().map(|(_, name)| name.as_str()).collect();
            let entry = Entry {
                comment: comment.join(" "),
                #[cfg(test)]
                value: _value.trim().to_owned(),
            };
            found.insert(path.join("."), entry);
        }
        comment.clear();
    }
    found
}

/// Returns what the comment above a list says of one member of its items: from `name:` to the next of
/// `names`, or to the end.
pub(super) fn of_member<'c>(comment: &'c str, name: &str, names: &[&String]) -> Option<&'c str> {
    let (_, explained) = comment.split_once(&format!(" {name}: "))?;
    let next = names.iter().filter_map(|other| explained.find(&format!(" {other}: "))).min();
    let text = next.and_then(|end| explained.get(..end)).unwrap_or(explained);
    Some(text.split(" For example: ").next().unwrap_or(text))
}
