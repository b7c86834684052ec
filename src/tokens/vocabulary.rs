//! Which tokenizer counts for which model, and how it is loaded.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use anteroom_actors::model::{LoadedModel, LocalModel, ModelLoader};
use anteroom_actors::models::LocalModels;
use tiktoken_rs::CoreBPE;
use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};

use super::of_length;

/// OpenAI's models since GPT-4o.
pub const O200K: &str = "o200k_base";
/// GPT-4, GPT-3.5 and the embeddings since ada-002.
pub const CL100K: &str = "cl100k_base";
/// Codex and the later text-davinci.
pub const P50K: &str = "p50k_base";
/// GPT-3 and GPT-2.
pub const R50K: &str = "r50k_base";

/// The names of all vocabularies.
pub const VOCABULARIES: [&str; 4] = [O200K, CL100K, P50K, R50K];

/// Returns the vocabulary by which texts to and from `model` are counted.
///
/// A provider's prefix (`openai/gpt-4o`) does not count. Other makers' models, most of which have no public
/// vocabulary, are counted by OpenAI's latest: near enough for English, and nearer than bytes for all else.
pub fn vocabulary_of(model: &str) -> &'static str {
    let name = model.rsplit('/').next().unwrap_or(model);
    match get_tokenizer(name) {
        Some(Tokenizer::Cl100kBase) => CL100K,
        Some(Tokenizer::P50kBase | Tokenizer::P50kEdit) => P50K,
        Some(Tokenizer::R50kBase | Tokenizer::Gpt2) => R50K,
        Some(Tokenizer::O200kBase | Tokenizer::O200kHarmony) | None => O200K,
    }
}

/// Returns a shelf for all tokenizers, with none on it.
pub fn shelf() -> LocalModels {
    LocalModels::new(&VOCABULARIES)
}

/// Returns what loads them: out of the binary, in a good part of a second.
pub fn loader() -> ModelLoader {
    Arc::new(|name| {
        let before = allocated();
        let tokens = match name {
            O200K => tiktoken_rs::o200k_base(),
            CL100K => tiktoken_rs::cl100k_base(),
            P50K => tiktoken_rs::p50k_base(),
            R50K => tiktoken_rs::r50k_base(),
            _ => return Err("there is no such vocabulary".to_owned()),
        };
        let tokens = tokens.map_err(|error| error.to_string())?;
        let model = Arc::new(Vocabulary(tokens));
        Ok(LoadedModel { model, bytes: allocated().saturating_sub(before) })
    })
}

/// A loaded tokenizer.
struct Vocabulary(CoreBPE);

impl LocalModel for Vocabulary {
    fn count_tokens(&self, text: &str) -> u64 {
        // Its regular expressions may give up on a text, and panic.
        let count = catch_unwind(AssertUnwindSafe(|| self.0.count_ordinary(text)));
        count
            .ok()
            .and_then(|count| u64::try_from(count).ok())
            .unwrap_or_else(|| of_length(text.len()))
    }
}

/// Returns the bytes that this thread holds of jemalloc: a load has a thread of its own. 0 with another
/// allocator.
fn allocated() -> u64 {
    use tikv_jemalloc_ctl::thread::{allocatedp, deallocatedp};
    match (allocatedp::read(), deallocatedp::read()) {
        (Ok(allocated), Ok(freed)) => allocated.get().saturating_sub(freed.get()),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_has_the_vocabulary_of_its_family() {
        for (model, expected) in [
            ("gpt-4o-mini", O200K),
            ("gpt-5.1", O200K),
            ("openai/gpt-4.1", O200K),
            ("ft:gpt-4o:team::id", O200K),
            ("gpt-4-turbo", CL100K),
            ("gpt-3.5-turbo-0125", CL100K),
            ("text-embedding-3-small", CL100K),
            ("text-davinci-003", P50K),
            ("davinci", R50K),
            ("claude-sonnet-4-5", O200K),
            ("", O200K),
        ] {
            assert_eq!(vocabulary_of(model), expected, "{model}");
        }
    }

    /// Counts published with OpenAI's own tokenizer.
    #[test]
    fn vocabularies_count_as_their_maker_does() {
        let loader = loader();
        for (name, text, expected) in [
            (CL100K, "tiktoken is great!", 6),
            (CL100K, "antidisestablishmentarianism", 6),
            (CL100K, "お誕生日おめでとう", 9),
            (R50K, "antidisestablishmentarianism", 5),
            (R50K, "お誕生日おめでとう", 14),
            (P50K, "2 + 2 = 4", 5),
        ] {
            let loaded = loader(name).expect("a vocabulary");
            assert_eq!(loaded.model.count_tokens(text), expected, "{name}: {text}");
            assert_eq!(loaded.model.count_tokens(""), 0);
        }
        assert!(loader("none").is_err());
    }
}
