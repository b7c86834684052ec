//! Nothing is lost between the two forms.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::chat_tests::{Choose, chats, choices_made, completions};
use super::tree_tests::Tree;
use super::{events, events_to_object, object_to_events, without_usage};
use crate::canonical::Profile;
use crate::upstream::sse::Events;

/// Texts of a delta that a provider sends in pieces.
const TEXTS: [&str; 4] = ["content", "refusal", "reasoning_content", "reasoning"];

fn to_events(profile: Profile, object: &Tree) -> Vec<u8> {
    object_to_events(profile, object.print().as_bytes()).expect("events")
}

fn to_object(profile: Profile, events: &[u8]) -> Tree {
    Tree::read(&events_to_object(profile, events).expect("an object"))
}

/// Returns the chunks of a stream, the last one being `[DONE]`.
fn chunks(events: &[u8]) -> Vec<Tree> {
    let mut reader = Events::new(events);
    let mut data: Vec<_> = reader.by_ref().map(|event| event.data.into_owned()).collect();
    assert!(reader.is_whole());
    assert_eq!(data.pop().as_deref(), Some(&b"[DONE]"[..]));
    data.iter().map(|data| Tree::read(data)).collect()
}

/// Checks what each client counts on.
fn check_stream(profile: Profile, object: &Tree, events: &[u8]) {
    let said = if profile == Profile::Chat { "delta" } else { "text" };
    let kind = if profile == Profile::Chat { "chat.completion.chunk" } else { "text_completion" };
    let has_usage = matches!(object.get("usage"), Some(Tree::Object(_)));
    let chunks = chunks(events);
    for (position, chunk) in chunks.iter().enumerate() {
        assert_eq!(chunk.get("object"), Some(&Tree::text(kind)));
        for name in ["id", "created", "model", "system_fingerprint", "service_tier"] {
            let (one, all) = (chunk.get(name), object.get(name));
            assert!(one == all || one.is_none() && all.is_some_and(|all| all.print().len() > 250));
        }
        let is_usage = has_usage && position + 1 == chunks.len();
        let choices = chunk.get("choices").map(Tree::elements).unwrap_or_default();
        assert_eq!(choices.len(), usize::from(!is_usage));
        for choice in choices {
            assert!(choice.get("index").is_some() && choice.get(said).is_some());
            assert!(choice.get("finish_reason").is_some());
        }
        let usage = chunk.get("usage");
        let expected =
            if has_usage && !is_usage { Some(&Tree::word("null")) } else { object.get("usage") };
        assert_eq!(usage, expected);
    }
}

fn check_round_trip(profile: Profile, object: &Tree) {
    let streamed = to_events(profile, object);
    check_stream(profile, object, &streamed);
    assert_eq!(&to_object(profile, &streamed), object);
    let items: Vec<_> = events(&streamed).collect();
    assert_eq!(items.concat(), streamed);

    let mut without = object.clone();
    if matches!(object.get("usage"), Some(Tree::Object(_) | Tree::Word(_))) {
        without.members_mut().remove("usage");
    }
    let hidden = without_usage(&streamed);
    assert_eq!(to_object(profile, &hidden), without);
    assert!(chunks(&hidden).iter().all(|chunk| chunk.get("usage").is_none()));
}

/// Sends an object as some provider might: pieces of any size, choices and calls in turns, with
/// empty deltas, `null` members and comments between.
struct Provider<'t> {
    profile: Profile,
    object: &'t Tree,
    choose: Choose,
}

impl Provider<'_> {
    fn flip(&mut self) -> bool {
        self.choose.below(2) == 0
    }

    fn cut(&mut self, text: &str) -> Vec<String> {
        let mut pieces = vec![String::new()];
        for letter in text.chars() {
            if self.choose.below(5) == 0 {
                pieces.push(String::new());
            }
            pieces.last_mut().unwrap().push(letter);
        }
        pieces
    }

    /// Cuts the arrays of `logprobs` in two, at the same or at different places.
    fn logprobs(&mut self, choice: &Tree) -> Vec<Tree> {
        let Some(logprobs) = choice.get("logprobs") else { return Vec::new() };
        let Tree::Object(members) = logprobs else { return vec![logprobs.clone()] };
        let (mut first, mut second) = (members.clone(), members.clone());
        for (name, value) in members {
            if let Tree::List(elements) = value {
                let (one, two) = elements.split_at(self.choose.below(elements.len() + 1));
                first.insert(name.clone(), Tree::List(one.to_vec()));
                second.insert(name.clone(), Tree::List(two.to_vec()));
            } else if self.flip() {
                second.remove(name);
            }
        }
        vec![Tree::Object(first), Tree::word("null"), Tree::Object(second)]
    }

    /// The deltas of one tool call.
    fn call(&mut self, index: usize, call: &Tree) -> VecDeque<Tree> {
        let index = Tree::Word(index.to_string());
        let mut deltas = VecDeque::new();
        let mut first = call.clone();
        let mut pieces = Vec::new();
        for (payload, text_name) in [("function", "arguments"), ("custom", "input")] {
            let text = call.get(payload).and_then(|payload| payload.get(text_name)?.as_text());
            let Some(text) = text else { continue };
            pieces.extend(self.cut(text).into_iter().map(|piece| {
                Tree::object([(payload, Tree::object([(text_name, Tree::Text(piece))]))])
            }));
            let payload = first.members_mut().get_mut(payload).unwrap();
            payload.members_mut().insert(text_name.to_owned(), Tree::text(""));
        }
        deltas.push_back(first);
        deltas.extend(pieces);
        for delta in &mut deltas {
            delta.members_mut().insert("index".to_owned(), index.clone());
            if self.flip() {
                // Some repeat it, some send it empty.
                let id = call.get("id").cloned();
                let repeated = id.map(|id| if self.flip() { id } else { Tree::word("null") });
                delta
                    .members_mut()
                    .entry("id".to_owned())
                    .or_insert_with(|| repeated.unwrap_or(Tree::text("")));
            }
        }
        if call.get("id").is_none() {
            deltas.iter_mut().for_each(|delta| drop(delta.members_mut().remove("id")));
        }
        deltas
            .into_iter()
            .map(|delta| Tree::object([("tool_calls", Tree::List(vec![delta]))]))
            .collect()
    }

    fn deltas(&mut self, message: &Tree) -> Vec<Tree> {
        let mut first = Tree::object([]);
        let mut lines: Vec<VecDeque<Tree>> = Vec::new();
        for (name, value) in message.members() {
            match value {
                Tree::Text(text) if TEXTS.contains(&name.as_str()) || name.starts_with("x_") => {
                    let pieces = self.cut(text).into_iter();
                    lines.push(
                        pieces
                            .map(|piece| Tree::object([(name.as_str(), Tree::Text(piece))]))
                            .collect(),
                    );
                }
                Tree::List(calls) if name == "tool_calls" && !calls.is_empty() => {
                    for (index, call) in calls.iter().enumerate() {
                        let deltas = self.call(index, call);
                        lines.push(deltas);
                    }
                }
                _ => {
                    first.members_mut().insert(name.clone(), value.clone());
                }
            }
        }
        let mut deltas = vec![first];
        deltas.extend(self.in_turns(lines));
        for delta in deltas.iter_mut().skip(1) {
            for name in message.members().keys() {
                if self.choose.below(6) == 0 && delta.get(name).is_none() {
                    delta.members_mut().insert(name.clone(), Tree::word("null"));
                }
            }
            if self.choose.below(4) == 0 {
                delta.members_mut().insert("role".to_owned(), Tree::text("assistant"));
            }
        }
        deltas
    }

    fn in_turns(&mut self, mut lines: Vec<VecDeque<Tree>>) -> Vec<Tree> {
        let mut mixed = Vec::new();
        lines.retain(|line| !line.is_empty());
        while !lines.is_empty() {
            let next = self.choose.below(lines.len());
            mixed.extend(lines[next].pop_front());
            lines.retain(|line| !line.is_empty());
        }
        mixed
    }

    /// The chunks of one choice.
    fn choice(&mut self, choice: &Tree) -> VecDeque<Tree> {
        let mut chunks: VecDeque<Tree> = if self.profile == Profile::Chat {
            let deltas = self.deltas(choice.get("message").unwrap());
            deltas.into_iter().map(|delta| Tree::object([("delta", delta)])).collect()
        } else {
            let pieces = self.cut(choice.get("text").unwrap().as_text().unwrap());
            pieces.into_iter().map(|piece| Tree::object([("text", Tree::Text(piece))])).collect()
        };
        if self.profile == Profile::Chat && self.flip() {
            chunks.push_back(Tree::object([("delta", Tree::object([]))]));
        }
        let logprobs = self.logprobs(choice);
        while chunks.len() < logprobs.len() {
            chunks.push_back(Tree::object([]));
        }
        for (chunk, logprobs) in chunks.iter_mut().zip(logprobs) {
            chunk.members_mut().insert("logprobs".to_owned(), logprobs);
        }
        let last = chunks.back_mut().unwrap().members_mut();
        for (name, value) in choice.members() {
            if !matches!(name.as_str(), "message" | "text" | "logprobs") {
                last.insert(name.clone(), value.clone());
            }
        }
        for chunk in &mut chunks {
            let index = choice.get("index").unwrap().clone();
            chunk.members_mut().insert("index".to_owned(), index);
            chunk.members_mut().entry("finish_reason".to_owned()).or_insert(Tree::word("null"));
        }
        chunks
    }

    fn send(&mut self) -> String {
        let choices = self.object.get("choices").unwrap().elements();
        let lines = choices.iter().map(|choice| self.choice(choice)).collect();
        let mut chunks: Vec<_> =
            self.in_turns(lines).into_iter().map(|choice| Tree::List(vec![choice])).collect();
        if self.flip() {
            chunks.insert(0, Tree::List(Vec::new()));
            chunks.push(Tree::List(Vec::new()));
        }
        let num_chunks = chunks.len();
        let (usage_place, line_end) = (self.choose.below(3), ["\n", "\r\n"][self.choose.below(2)]);
        let mut body = String::new();
        for (position, choices) in chunks.into_iter().enumerate() {
            let mut chunk = Tree::object([("choices", choices)]);
            let is_last = position + 1 == num_chunks;
            for (name, value) in self.object.members() {
                let is_said = match name.as_str() {
                    "choices" => continue,
                    "usage" => is_last || usage_place == 0,
                    _ => is_last || self.flip(),
                };
                let value = if is_said { value.clone() } else { Tree::word("null") };
                if is_said || self.flip() {
                    chunk.members_mut().insert(name.clone(), value);
                }
            }
            body += [": ping\n\n", "", "", "data:\n\n", ": a\n"][self.choose.below(5)];
            body += &format!("data: {}{line_end}{line_end}", one_line(&chunk));
        }
        body + "data: [DONE]" + line_end + line_end
    }
}

fn one_line(tree: &Tree) -> String {
    // Line breaks are between tokens only.
    tree.print().replace(['\n', '\r'], "")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 400, ..ProptestConfig::default() })]

    /// an object is spoken and heard without a loss.
    #[test]
    fn a_chat_survives_being_streamed(object in chats()) {
        check_round_trip(Profile::Chat, &object);
    }

    #[test]
    fn a_completion_survives_being_streamed(object in completions()) {
        check_round_trip(Profile::Completions, &object);
    }

    /// however a provider cuts a chat up, it is the same chat; and so is its replay.
    #[test]
    fn a_chat_is_heard_whatever_its_pieces(object in chats(), made in choices_made()) {
        let profile = Profile::Chat;
        let body = Provider { profile, object: &object, choose: Choose::new(made) }.send();
        let heard = to_object(profile, body.as_bytes());
        prop_assert_eq!(&heard, &object);
        prop_assert_eq!(&to_object(profile, &to_events(profile, &heard)), &object);
    }

    #[test]
    fn a_completion_is_heard_whatever_its_pieces(object in completions(), made in choices_made()) {
        let profile = Profile::Completions;
        let body = Provider { profile, object: &object, choose: Choose::new(made) }.send();
        let heard = to_object(profile, body.as_bytes());
        prop_assert_eq!(&heard, &object);
        prop_assert_eq!(&to_object(profile, &to_events(profile, &heard)), &object);
    }

    #[test]
    fn a_stream_that_is_cut_anywhere_is_no_answer(object in chats(), made in choices_made(), at in any::<prop::sample::Index>()) {
        let body = Provider { profile: Profile::Chat, object: &object, choose: Choose::new(made) }.send();
        let end = at.index(body.len() - 1);
        prop_assert!(events_to_object(Profile::Chat, &body.as_bytes()[..end]).is_err());
    }

    #[test]
    fn any_bytes_are_read_without_harm(
        body in "(data: (\\{\"choices\":\\[[{}\\[\\]:,\"a-d1]{0,20}\\]\\}|[{}\\[\\]:,\"a-d1]{0,20})\n\n){0,4}(data: \\[DONE\\]\n\n)?",
    ) {
        for profile in [Profile::Chat, Profile::Completions] {
            let _ = events_to_object(profile, body.as_bytes());
            let _ = object_to_events(profile, body.strip_prefix("data: ").unwrap_or(&body).as_bytes());
        }
    }
}
