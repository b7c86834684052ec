//! In the actors package imports point down only.

use super::sources::{self, Source};

/// The layers, lowest first. Those of one row may know each other below `cache`.
const LAYERS: &[&[&str]] = &[
    &["model", "clock", "error", "settings"],
    &["message", "origin", "codec"],
    &["store"],
    &["cache", "purging", "resolver", "warming", "watchdog", "scaler", "conversation", "models"],
    &["wiring"],
];

/// The row of the actors: they know messages, not each other.
const ACTORS: usize = 3;

fn rank(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Returns the module of the crate that a file belongs to.
fn module(source: &Source) -> &str {
    let inner = source.path.strip_prefix("actors/src/").unwrap_or_default();
    inner.split(['/', '.']).next().unwrap_or_default()
}

/// Returns the modules named after `crate::`, also in braces.
fn imported(text: &str) -> Vec<String> {
    let parts = text.split("crate::").skip(1);
    parts.flat_map(|part| part.strip_prefix('{').map_or_else(|| vec![name(part)], names)).collect()
}

fn names(group: &str) -> Vec<String> {
    let (mut depth, mut found, mut is_start) = (0, Vec::new(), true);
    for (at, sign) in group.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => is_start = true,
            sign if is_start && !sign.is_whitespace() => {
                found.push(name(&group[at..]));
                is_start = false;
            }
            _ => {}
        }
    }
    found
}

fn name(text: &str) -> String {
    text.chars().take_while(|sign| sign.is_alphanumeric() || *sign == '_').collect()
}

fn violations(source: &Source) -> Vec<String> {
    let own = module(source);
    let Some(own_rank) = rank(own) else { return Vec::new() };
    let is_upward = |other: &str| {
        rank(other).is_some_and(|rank| {
            rank > own_rank || (rank == ACTORS && own_rank == ACTORS && other != own)
        })
    };
    let text = source.lines.join("\n");
    let upward = imported(&text).into_iter().filter(|other| is_upward(other));
    upward.map(|other| format!("{}: {own} may not know {other}", source.path)).collect()
}

#[test]
fn imports_of_the_actors_package_point_down() {
    let found: Vec<_> = sources::all().iter().flat_map(violations).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_module_of_the_actors_package_has_its_layer() {
    let unplaced: Vec<_> = sources::all()
        .into_iter()
        .filter(|source| source.path.starts_with("actors/src/"))
        .filter(|source| source.path != "actors/src/lib.rs" && rank(module(source)).is_none())
        .map(|source| source.path)
        .collect();
    assert!(unplaced.is_empty(), "no layer for {unplaced:?}");
}

#[test]
fn the_layer_rule_bites() {
    let cases = [
        ("actors/src/model/key.rs", "use crate::store::Record;", 1),
        ("actors/src/store/memory.rs", "use crate::{clock::Clock, cache::{self, Breaker}};", 1),
        ("actors/src/cache/l1_actor.rs", "use crate::resolver::FlightTable;", 1),
        ("actors/src/store/memory.rs", "use crate::{\n    clock::Clock,\n    model::Key,\n};", 0),
        ("actors/src/wiring/topology.rs", "use crate::cache::L1Actor;", 0),
        ("actors/src/message/level.rs", "use crate::origin::Origin;", 0),
        ("src/http/server.rs", "use crate::wiring::Anything;", 0),
    ];
    for (path, text, count) in cases {
        let found = violations(&Source::new(path, text));
        assert_eq!(found.len(), count, "{path}: {text}: {found:?}");
    }
}
