//! What holds for the sources, whatever they do.

mod dependencies;
mod documents;
mod imports;
mod layers;
mod migrations;
mod proofs;
mod schemas;
mod sources;
