//! Settings with client keys.

use super::provider::Provider;

/// Returns the key of this name, as a caller shows it.
pub fn key(name: &str) -> String {
    format!("key-of-{name}-0123456789")
}

/// Returns a `config.yaml` with an upstream that has a credential of its own, and with keys: each a
/// name and what else is set of it, such as `scope: team`.
pub fn config(provider: &Provider, keys: &[(&str, &str)]) -> String {
    let mut yaml = format!(
        "upstreams:\n  default:\n    kind: http\n    url: {}\n    \
         set_headers: {{authorization: 'Bearer sk-of-the-gateway'}}\nauth:\n  keys:\n",
        provider.url()
    );
    for (name, more) in keys {
        let digest = blake3::hash(key(name).as_bytes());
        let comma = if more.is_empty() { "" } else { ", " };
        yaml.push_str(&format!("    - {{name: {name}, digest: 'blake3:{digest}'{comma}{more}}}\n"));
    }
    yaml
}
