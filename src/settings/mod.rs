//! `config.yaml` and the environment, checked.
