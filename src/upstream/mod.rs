//! Where answers come from, and whether an answer may be kept.
