//! Where bytes lie, and the stored format. No actix.
