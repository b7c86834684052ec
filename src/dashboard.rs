//! The operators' page: its files, which are in the binary. It asks nobody but this listener. Its charts are
//! drawn by a library that lies unchanged under `dashboard/vendor`.

use std::sync::LazyLock;

use anteroom_actors::codec::compress::compress;
use anteroom_actors::model::Encoding;

/// One file of the page.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// Its name under `/dashboard/`; empty for the page itself.
    pub name: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// Its text.
    pub text: &'static str,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The page and all that it loads.
pub const ASSETS: [Asset; 12] = [
    Asset {
        name: "",
        media_type: "text/html; charset=utf-8",
        text: include_str!("dashboard/index.html"),
    },
    Asset {
        name: "style.css",
        media_type: "text/css; charset=utf-8",
        text: include_str!("dashboard/style.css"),
    },
    Asset {
        name: "uPlot.min.css",
        media_type: "text/css; charset=utf-8",
        text: include_str!("dashboard/vendor/uPlot.min.css"),
    },
    Asset {
        name: "uPlot.iife.min.js",
        media_type: SCRIPT,
        text: include_str!("dashboard/vendor/uPlot.iife.min.js"),
    },
    // Whoever has the binary has its licence.
    Asset {
        name: "uPlot.LICENSE",
        media_type: "text/plain; charset=utf-8",
        text: include_str!("dashboard/vendor/uPlot.LICENSE"),
    },
    Asset { name: "app.js", media_type: SCRIPT, text: include_str!("dashboard/app.js") },
    Asset { name: "charts.js", media_type: SCRIPT, text: include_str!("dashboard/charts.js") },
    Asset { name: "format.js", media_type: SCRIPT, text: include_str!("dashboard/format.js") },
    Asset { name: "history.js", media_type: SCRIPT, text: include_str!("dashboard/history.js") },
    Asset { name: "tables.js", media_type: SCRIPT, text: include_str!("dashboard/tables.js") },
    Asset { name: "operate.js", media_type: SCRIPT, text: include_str!("dashboard/operate.js") },
    Asset {
        name: "icon.svg",
        media_type: "image/svg+xml",
        text: include_str!("dashboard/icon.svg"),
    },
];

/// What the page may load and do: its own files and this listener's API, no inline script or style,
/// in no other page's frame.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The same files in gzip, where that is shorter. Not in brotli: browsers take that over TLS alone, which this
/// listener has not.
static PACKED: LazyLock<[Option<Vec<u8>>; ASSETS.len()]> =
    LazyLock::new(|| ASSETS.map(|asset| compress(Encoding::Gzip, 9, asset.text.as_bytes())));

/// Returns the file called `name`.
pub fn asset(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

impl Asset {
    /// Returns its bytes in gzip. `None` where that would hardly be shorter.
    /// Cost: some 2 ms the first time, for all files; then nothing.
    pub fn packed(&self) -> Option<&'static [u8]> {
        let mut named = ASSETS.iter().zip(PACKED.iter()).filter(|(one, _)| one.name == self.name);
        named.next().and_then(|(_, packed)| packed.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files that the page's texts name are there, and nothing on another host is named.
    #[test]
    fn what_the_page_loads_is_in_the_binary() {
        for Asset { name, text, .. } in ASSETS {
            for part in text.split(['"', '\'']) {
                if let Some(named) = part.strip_prefix("/dashboard/") {
                    let is_path = ["session", "session/end"].contains(&named);
                    assert!(asset(named).is_some() || is_path, "{name}: {named}");
                }
                if let Some(named) = part.strip_prefix("./") {
                    assert!(asset(named).is_some(), "{name}: {named}");
                }
            }
            // A namespace, and where the library says that it comes from: neither is asked.
            let own = text.replace("http://www.w3.org/", "");
            let own = own.replace("/*! https://github.com/leeoniya/uPlot (v1.6.32) */", "");
            assert!(!own.contains("://"), "{name} names another host");
            for inline in [
                "style=\"",
                "onclick=",
                "<style",
                "javascript:",
                "innerHTML",
                "eval(",
                "new Function",
            ] {
                assert!(!text.contains(inline), "{name} has {inline}");
            }
        }
    }

    /// What others wrote is here as they published it, with its licence and where it is from.
    #[test]
    fn the_vendored_files_are_unchanged() {
        let readme = include_str!("dashboard/vendor/README.md");
        let listed: Vec<_> = readme.lines().filter(|line| line.starts_with("| `uPlot.")).collect();
        let vendored: Vec<_> = ASSETS.iter().filter(|one| one.name.starts_with("uPlot.")).collect();
        assert_eq!(listed.len(), vendored.len());
        for Asset { name, text, .. } in vendored {
            let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
            let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            let is_listed = |line: &&str| line.contains(name) && line.contains(&digest);
            assert!(listed.iter().any(is_listed), "{name} is {digest}, and the README differs");
        }
        let version = "1.6.32";
        let script = asset("uPlot.iife.min.js").expect("the library").text;
        assert!(script.contains(version) && readme.contains(&format!("| Version | {version} |")));
        assert!(asset("uPlot.LICENSE").is_some_and(|one| one.text.contains("MIT License")));
    }
}
