//! JSON as a run of tokens, which every filter of this module reads.

mod compact;
mod meaning;
mod walker;

pub(super) use compact::Compact;
pub(super) use meaning::{meaning, spell};
pub(super) use walker::{Kind, NotJson, Token, Walker};

#[cfg(test)]
pub(super) mod trees;
