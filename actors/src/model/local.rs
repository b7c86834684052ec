//! Models that run in this process.

use std::sync::Arc;

/// A model in memory. The first ones are tokenizers.
pub trait LocalModel: Send + Sync {
    /// Returns how many tokens `text` is. May take milliseconds for long texts.
    fn count_tokens(&self, text: &str) -> u64;
}

/// What a [`ModelLoader`] brings.
pub struct LoadedModel {
    /// The model.
    pub model: Arc<dyn LocalModel>,
    /// Bytes of memory it takes.
    pub bytes: u64,
}

/// Loads the model of this name; its error says why it cannot, without secrets. May block and panic: it
/// runs on a thread of its own.
pub type ModelLoader = Arc<dyn Fn(&'static str) -> Result<LoadedModel, String> + Send + Sync>;
