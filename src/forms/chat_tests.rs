//! Generated answers: chats and completions with all that providers are known to send, and with
//! what nobody has seen yet.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::Union;

use super::tree_tests::Tree;

pub(super) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => Just(String::new()),
        4 => "[a-zA-Z ,.]{1,30}",
        2 => "[a-z\"\\\\/\n\r\t\u{7f}é€😀\u{2028} ]{1,60}",
        1 => "[a-z]{1,6}( [a-z]{1,8}){20,60}",
    ]
}

fn number() -> impl Strategy<Value = Tree> {
    let spellings = ["0", "-0", "1.0", "1e2", "12345678901234567890123", "-0.10", "1E-7", "7"];
    prop::sample::select(spellings.to_vec()).prop_map(Tree::word)
}

fn word() -> impl Strategy<Value = Tree> {
    prop::sample::select(vec!["null", "true", "false"]).prop_map(Tree::word)
}

/// Any value, for members that nobody knows.
fn any_value() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![word(), number(), text().prop_map(Tree::Text)];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Tree::List),
            prop::collection::btree_map("[a-z]{1,4}|type|index|text|id", inner, 0..4)
                .prop_map(Tree::Object),
        ]
    })
}

/// Members that nobody knows; one name has an escape in it.
fn unknown() -> impl Strategy<Value = BTreeMap<String, Tree>> {
    prop::collection::btree_map("x_[a-z\"]{1,3}", any_value(), 0..3)
}

type Member = (&'static str, BoxedStrategy<Option<Tree>>);

fn always(value: impl Strategy<Value = Tree> + 'static) -> BoxedStrategy<Option<Tree>> {
    value.prop_map(Some).boxed()
}

fn maybe(value: impl Strategy<Value = Tree> + 'static) -> BoxedStrategy<Option<Tree>> {
    prop_oneof![2 => Just(None), 1 => Just(Some(Tree::word("null"))), 3 => value.prop_map(Some)]
        .boxed()
}

/// An object with members of its own and some that nobody knows.
fn object(members: Vec<Member>) -> impl Strategy<Value = Tree> {
    let (names, values): (Vec<_>, Vec<_>) = members.into_iter().unzip();
    (values, unknown()).prop_map(move |(values, mut object)| {
        let known = names.iter().zip(values);
        object.extend(known.filter_map(|(name, value)| Some(((*name).to_owned(), value?))));
        Tree::Object(object)
    })
}

fn exactly(texts: &'static [&'static str]) -> impl Strategy<Value = Tree> {
    prop::sample::select(texts.to_vec()).prop_map(Tree::text)
}

fn any_text() -> impl Strategy<Value = Tree> {
    text().prop_map(Tree::Text)
}

fn call() -> impl Strategy<Value = Tree> {
    // Some providers call with an object instead of its text.
    let with = || prop_oneof![8 => any_text().boxed(), 1 => any_value().boxed()];
    let function = object(vec![("name", always(any_text())), ("arguments", always(with()))]);
    let custom = object(vec![("name", always(any_text())), ("input", always(with()))]);
    prop_oneof![
        3 => object(vec![
            ("id", always(any_text())),
            ("type", always(exactly(&["function"]))),
            ("function", always(function)),
        ]),
        1 => object(vec![
            ("id", always(any_text())),
            ("type", always(exactly(&["custom"]))),
            ("custom", always(custom)),
        ]),
        1 => object(vec![("type", always(exactly(&["mcp"]))), ("mcp", always(any_value()))]),
    ]
}

fn parts() -> impl Strategy<Value = Tree> {
    let part = object(vec![
        ("type", always(exactly(&["text", "thinking", "reasoning.text"]))),
        ("text", maybe(any_text())),
        ("index", maybe(number())),
    ]);
    prop::collection::vec(part, 0..4).prop_map(Tree::List)
}

fn message() -> impl Strategy<Value = Tree> {
    let content = prop_oneof![
        1 => Just(Tree::word("null")),
        5 => any_text(),
        1 => parts(),
    ];
    let calls = prop::collection::vec(call(), 0..4).prop_map(Tree::List);
    let call = object(vec![("name", always(any_text())), ("arguments", always(any_text()))]);
    let audio = object(vec![
        ("id", always(any_text())),
        ("data", always(any_text())),
        ("expires_at", always(number())),
        ("transcript", always(any_text())),
    ]);
    object(vec![
        ("role", always(exactly(&["assistant"]))),
        ("content", always(content)),
        ("refusal", maybe(any_text())),
        ("reasoning_content", maybe(any_text())),
        ("reasoning", maybe(any_text())),
        ("reasoning_details", maybe(parts())),
        ("annotations", maybe(parts())),
        ("tool_calls", maybe(calls)),
        ("function_call", maybe(call)),
        ("audio", maybe(audio)),
    ])
}

/// Cuts a text into tokens at places that `cuts` chooses.
fn tokens(text: &str, cuts: &[usize]) -> Vec<Tree> {
    let mut tokens = Vec::new();
    let mut token = String::new();
    for (position, letter) in text.chars().enumerate() {
        token.push(letter);
        if cuts.contains(&(position % 17)) {
            tokens.push(Tree::Text(std::mem::take(&mut token)));
        }
    }
    tokens.push(Tree::Text(token));
    tokens
}

/// Leaves the last token out, so that the tokens are not the text.
fn but_last(entries: Tree) -> Tree {
    let entries = entries.elements();
    Tree::List(entries.get(..entries.len() - 1).unwrap_or_default().to_vec())
}

fn entry(token: &Tree, number: &Tree) -> Tree {
    Tree::object([
        ("token", token.clone()),
        ("logprob", number.clone()),
        ("bytes", Tree::word("null")),
    ])
}

/// Adds log probabilities to a choice of a chat: for its own tokens, or for some others.
fn with_logprobs(choice: Tree) -> impl Strategy<Value = Tree> {
    let cuts = prop::collection::vec(0_usize..17, 0..8);
    (0_u8..8, cuts, number(), unknown()).prop_map(move |(kind, cuts, number, unknown)| {
        let mut choice = choice.clone();
        let message = choice.get("message").cloned();
        let entries = |name: &str| {
            let text = message.as_ref().and_then(|message| message.get(name));
            let text = text.and_then(Tree::as_text).unwrap_or("none");
            Tree::List(tokens(text, &cuts).iter().map(|token| entry(token, &number)).collect())
        };
        let strange = || Tree::List(vec![entry(&Tree::text("strange"), &number)]);
        let null = || Tree::word("null");
        let mut logprobs = match kind {
            0 => return choice,
            1 => null(),
            2 => Tree::object([("content", strange()), ("refusal", null())]),
            3 => Tree::object([("content", Tree::List(Vec::new())), ("refusal", strange())]),
            7 => Tree::object([("content", but_last(entries("content"))), ("refusal", null())]),
            4 => Tree::object([("content", entries("content")), ("refusal", entries("refusal"))]),
            5 => Tree::object([("content", null()), ("refusal", entries("refusal"))]),
            _ => Tree::object([("content", entries("content")), ("refusal", null())]),
        };
        if let Tree::Object(members) = &mut logprobs {
            members.extend(unknown);
        }
        choice.members_mut().insert("logprobs".to_owned(), logprobs);
        choice
    })
}

fn with_token_lists(choice: Tree) -> impl Strategy<Value = Tree> {
    let cuts = prop::collection::vec(0_usize..17, 0..8);
    (0_u8..5, cuts, number(), unknown()).prop_map(move |(kind, cuts, number, unknown)| {
        let mut choice = choice.clone();
        let text = choice.get("text").and_then(Tree::as_text).unwrap_or_default().to_owned();
        let tokens = if kind == 2 { vec![Tree::text("strange")] } else { tokens(&text, &cuts) };
        let numbers = Tree::List(tokens.iter().map(|_| number.clone()).collect());
        let top = if kind == 3 { Tree::word("null") } else { numbers.clone() };
        let mut logprobs = match kind {
            0 => return choice,
            1 => Tree::word("null"),
            _ => Tree::object([
                ("tokens", Tree::List(tokens)),
                ("token_logprobs", numbers.clone()),
                ("top_logprobs", top),
                ("text_offset", numbers),
            ]),
        };
        if let Tree::Object(members) = &mut logprobs {
            members.extend(unknown);
        }
        choice.members_mut().insert("logprobs".to_owned(), logprobs);
        choice
    })
}

fn answer(
    kind: &'static [&'static str],
    choice: BoxedStrategy<Tree>,
) -> impl Strategy<Value = Tree> {
    let choices = prop::collection::vec(choice, 1..4).prop_map(|mut choices| {
        for (index, choice) in choices.iter_mut().enumerate() {
            choice.members_mut().insert("index".to_owned(), Tree::Word(index.to_string()));
        }
        Tree::List(choices)
    });
    let usage =
        object(vec![("prompt_tokens", always(number())), ("total_tokens", always(number()))]);
    object(vec![
        ("id", always(exactly(&["chatcmpl-1", "chatcmpl-long-long-long-long-long"]))),
        ("object", always(exactly(kind))),
        ("created", always(number())),
        ("model", always(exactly(&["gpt-4o"]))),
        ("system_fingerprint", maybe(any_text())),
        ("service_tier", maybe(any_text())),
        ("choices", always(choices)),
        ("usage", maybe(usage)),
    ])
}

/// Chats as one object.
pub(super) fn chats() -> impl Strategy<Value = Tree> {
    let choice = object(vec![
        ("message", always(message())),
        ("finish_reason", always(exactly(&["stop", "tool_calls"]))),
        ("content_filter_results", maybe(any_value())),
    ]);
    answer(&["chat.completion"], choice.prop_flat_map(with_logprobs).boxed())
}

/// Completions as one object.
pub(super) fn completions() -> impl Strategy<Value = Tree> {
    let choice = object(vec![
        ("text", always(any_text())),
        ("finish_reason", always(exactly(&["stop"]))),
        ("stop_reason", maybe(any_value())),
    ]);
    answer(&["text_completion"], choice.prop_flat_map(with_token_lists).boxed())
}

/// Places in a sequence of choices that a test makes; see [`Choose`].
pub(super) fn choices_made() -> impl Strategy<Value = Vec<u8>> {
    Union::new([prop::collection::vec(any::<u8>(), 1..64)])
}

/// Makes the choices of a generated stream, again and again from the start.
pub(super) struct Choose {
    made: Vec<u8>,
    next: usize,
}

impl Choose {
    pub(super) fn new(made: Vec<u8>) -> Self {
        Self { made, next: 0 }
    }

    /// Returns a number below `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.next += 1;
        let made = self.made.get(self.next % self.made.len()).copied().unwrap_or(0);
        usize::from(made.wrapping_add((self.next / 7) as u8)) % bound
    }
}
