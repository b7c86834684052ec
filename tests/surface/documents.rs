//! What README.md, CONTRIBUTING.md and `docs/` say is done as they say it: every command, Python example
//! and piece of settings in them is run.
//!
//! A line `# → words` in a block is a promise: the output of the block holds these words, after those of the
//! promise before. Each page has a gateway of its own, with the model inside as its provider, and a
//! folder of its own; its blocks are run in their order.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::documents::{self, Block, Document, blocks, root};
use crate::support::gateway::{Gateway, prompt};
use crate::support::postgres;
use crate::support::process::variable;

/// Commands that cannot be run here, each with the reason.
const NOT_RUN: [(&str, &str); 2] = [
    ("cargo", "it builds for minutes: built_commands.rs, which is run by itself"),
    ("scripts/", "`scripts/test` runs these tests; `.ci/run` runs it"),
];

/// Blocks in languages that cannot be run here, each with the reason.
const NOT_RUN_LANGUAGES: [(&str, &str); 2] =
    [("ts", "Node and its packages are not among what the tests install"), ("text", "no code")];

/// What the tests' Python has, beside its own library. Of other examples only the syntax is checked.
const PYTHON_HAS: [&str; 1] = ["openai"];

/// What comes before the words of a promise.
const PROMISE: &str = "# → ";

/// Where the blocks of a page are run.
struct Place {
    gateway: Gateway,
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let gateway = Gateway::patient().sqlite().start();
        let folder = tempfile::tempdir().expect("a folder");
        fs::copy(root().join("config.yaml"), folder.path().join("config.yaml")).expect("a copy");
        let request = r#"{"model": "any", "messages": [{"role": "user", "content": "Hello!"}]}"#;
        fs::write(folder.path().join("request.json"), request).expect("a file");
        symlink(gateway.data_dir(), folder.path().join("data")).expect("a link");
        fs::write(folder.path().join(".curlrc"), "max-time = 60\n").expect("a file");
        Self { gateway, folder }
    }

    /// Returns the text with this gateway's addresses in place of the usual ones.
    fn addressed(&self, text: &str) -> String {
        let text = text.replace("localhost:", "127.0.0.1:");
        text.replace("127.0.0.1:8080", self.gateway.api())
            .replace("127.0.0.1:9901", self.gateway.operations())
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Output {
        let binaries = Path::new(env!("CARGO_BIN_EXE_anteroom")).parent().expect("a folder");
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", binaries.display());
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("PATH", path).env("HOME", self.folder.path()).env("NO_PROXY", "127.0.0.1");
        command.env("OPENAI_API_KEY", "sk-test").env("ANTHROPIC_API_KEY", "sk-test");
        command.env("ANTEROOM_ADMIN_TOKEN", "a-token-of-a-document");
        command.env("ANTEROOM_ADMIN_LISTEN", self.gateway.operations());
        if arguments.iter().any(|argument| argument.contains("$DATABASE_URL")) {
            command.env("DATABASE_URL", used_database());
        }
        command.output().unwrap_or_else(|error| panic!("{}: {error}", program.display()))
    }
}

/// Returns the URL of a database of PostgreSQL that a gateway has kept answers in.
fn used_database() -> String {
    let url = postgres::shared().create_database();
    let gateway = Gateway::patient().database(&url).start();
    gateway.chat(prompt("kept in PostgreSQL")).expect_status(200);
    gateway.wait_for_writes();
    url
}

/// Returns the words that the block promises to print.
fn promises(block: &Block) -> Vec<&str> {
    block.text.lines().filter_map(|line| line.split_once(PROMISE)).map(|(_, words)| words).collect()
}

/// Returns what of the promises is not in `said`, in their order.
fn broken<'p>(promises: &[&'p str], said: &str) -> Option<&'p str> {
    let mut rest = said;
    for words in promises {
        let Some((_, after)) = rest.split_once(words) else { return Some(words) };
        rest = after;
    }
    None
}

/// Returns the first word of each line that begins a command, without variables set before it.
fn programs(script: &str) -> Vec<&str> {
    let is_assignment = |word: &&str| {
        word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|sign| sign.is_ascii_uppercase() || sign == b'_')
        })
    };
    let lines = script.lines().filter(|line| !line.starts_with([' ', '#', '}']));
    lines.filter_map(|line| line.split_whitespace().find(|word| !is_assignment(word))).collect()
}

/// Returns the place in [`NOT_RUN`] of the command that a block is made of, if it is not run.
fn not_run(script: &str) -> Option<usize> {
    let reason = |program: &&str| {
        let is_it = |(name, _): &(&str, &str)| {
            program == name || name.ends_with('/') && program.starts_with(name)
        };
        NOT_RUN.iter().position(is_it)
    };
    let found: Vec<_> = programs(script).iter().map(reason).collect();
    let first = found.first().copied().flatten();
    assert!(
        found.iter().all(Option::is_some) || found.iter().all(Option::is_none),
        "{script}: \
        what is run and what is not stand in one block"
    );
    first
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn run_shell(place: &Place, block: &Block) -> Result<(), String> {
    let script = place.addressed(&block.text);
    let output = place.run(Path::new("/bin/sh"), &["-euc", &script]);
    let said = said(&output);
    // The gateway's own commands end with what became of them; curl is content with any answer.
    let by_status = programs(&block.text).iter().all(|program| *program == "anteroom");
    if promises(block).is_empty() && !by_status {
        return Err("it promises nothing: add a line `# → words`".to_owned());
    }
    match broken(&promises(block), &said) {
        Some(words) => Err(format!("it does not print `{words}`, but\n{said}")),
        None if !output.status.success() => Err(format!("it ends with {}\n{said}", output.status)),
        None => Ok(()),
    }
}

fn run_python(place: &Place, block: &Block) -> Result<(), String> {
    let python = variable("ANTEROOM_TEST_PYTHON")
        .unwrap_or_else(|| root().join("target/sdk-venv/bin/python").display().to_string());
    let imports = block.text.lines().filter_map(|line| {
        let words = line.strip_prefix("from ").or_else(|| line.strip_prefix("import "))?;
        words.split([' ', '.']).next()
    });
    let has_all = imports.into_iter().all(|name| PYTHON_HAS.contains(&name));
    let script = place.addressed(&block.text);
    let check = "import ast, sys; ast.parse(sys.argv[1])";
    let arguments = if has_all { vec!["-c", &script] } else { vec!["-c", check, &script] };
    let output = place.run(Path::new(&python), &arguments);
    let said = said(&output);
    let broken = broken(&promises(block), &said).filter(|_| has_all);
    match broken {
        Some(words) => Err(format!("it does not print `{words}`, but\n{said}")),
        None if !output.status.success() => Err(said),
        None => Ok(()),
    }
}

/// Pieces of settings are ones that the gateway takes; other YAML is read as YAML.
fn run_yaml(place: &Place, block: &Block) -> Result<(), String> {
    let tree: serde_json::Value =
        serde_saphyr::from_str(&block.text).map_err(|error| error.to_string())?;
    let sections = anteroom::settings::masked(&anteroom::settings::Settings::default());
    let names = tree.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>());
    if !names.unwrap_or_default().iter().all(|name| sections.get(name).is_some()) {
        return Ok(());
    }
    // Each digest that is left out is another.
    let mut pieces = block.text.split('…').enumerate();
    let first = pieces.next().map(|(_, piece)| piece.to_owned()).unwrap_or_default();
    let text = pieces.fold(first, |text, (number, piece)| format!("{text}{number:064}{piece}"));
    fs::write(place.folder.path().join("piece.yaml"), text).expect("a file");
    let binary = Path::new(env!("CARGO_BIN_EXE_anteroom"));
    let output = place.run(binary, &["check", "--config", "piece.yaml"]);
    if output.status.success() { Ok(()) } else { Err(said(&output)) }
}

#[test]
fn what_the_documents_show_works() {
    let (mut failures, mut num_run) = (Vec::new(), 0);
    let (mut kept_off, mut kept_off_languages) = (BTreeSet::new(), BTreeSet::new());
    for Document { path, text } in documents::all() {
        let place = Place::new();
        for block in blocks(&text) {
            let done = match block.language.as_str() {
                "sh" => match not_run(&block.text) {
                    Some(at) => {
                        kept_off.insert(at);
                        continue;
                    }
                    None => run_shell(&place, &block),
                },
                "python" => run_python(&place, &block),
                "yaml" => run_yaml(&place, &block),
                other => {
                    let known = NOT_RUN_LANGUAGES.iter().position(|(name, _)| *name == other);
                    kept_off_languages.extend(known);
                    known.map(|_| ()).ok_or_else(|| format!("nobody knows how to run {other}"))
                }
            };
            num_run += 1;
            failures.extend(done.err().map(|why| format!("{path}:{}: {why}", block.line)));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(num_run > 10, "the blocks were not found");
    assert_eq!(kept_off.len(), NOT_RUN.len(), "a reason of NOT_RUN is of use to no block");
    assert_eq!(kept_off_languages.len(), NOT_RUN_LANGUAGES.len(), "likewise of NOT_RUN_LANGUAGES");
}

#[test]
fn every_alert_has_its_run_book() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("a file");
    let (alerts, guide) = (read("deploy/prometheus/alerts.yaml"), read("docs/operations.md"));
    let names: BTreeSet<_> =
        alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let told: BTreeSet<_> = guide.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert!(names.len() > 20, "the alerts were not found");
    assert_eq!(names, told);
}

/// The first five minutes, as the README tells them.
#[test]
fn the_readmes_first_request_misses_then_hits_then_comes_from_the_database() {
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md");
    let shown = blocks(&readme).into_iter().find(|block| block.text.starts_with("curl -si "));
    let shown = shown.expect("the README shows a request");
    let mut place = Place::new();
    let ask = |place: &Place| {
        let script = place.addressed(&shown.text);
        let said = said(&place.run(Path::new("/bin/sh"), &["-euc", &script]));
        let (head, body) = said.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{said}"));
        (head.to_ascii_lowercase(), body.to_owned())
    };
    let (first, kept) = ask(&place);
    assert!(first.contains("\r\nx-cache: miss"), "{first}");
    let (second, same) = ask(&place);
    assert!(second.contains("\r\nx-cache: hit"), "{second}");
    assert!(second.contains("cache-status: anteroom; hit; ttl="), "{second}");
    assert!(second.contains("detail=l1"), "{second}");
    assert_eq!(kept, same);
    place.gateway.wait_for_writes();
    place.gateway.terminate();
    place.gateway.set_env("ANTEROOM__WARMING__START_ENTRIES", 0);
    place.gateway.restart();
    let (third, same) = ask(&place);
    assert!(third.contains("\r\nx-cache-level: l3"), "{third}");
    assert_eq!(kept, same);
}

#[test]
fn a_promise_that_is_not_kept_is_found() {
    let block = |text: &str| Block { language: "sh".to_owned(), text: text.to_owned(), line: 1 };
    let shown = block("echo a; echo b\n# → a\n# → b\n");
    assert_eq!(promises(&shown), ["a", "b"]);
    assert_eq!(broken(&promises(&shown), "a\nb\n"), None);
    assert_eq!(broken(&promises(&shown), "b\na\n"), Some("b"));
    assert_eq!(programs("A_B=c curl x \\\n  y\n# z\necho"), ["curl", "echo"]);
    assert!(not_run("cargo run --release\n").is_some() && not_run("curl x\n").is_none());
}

#[test]
fn links_of_the_documents_lead_somewhere() {
    for Document { path, text } in documents::all() {
        let folder = root().join(&path);
        let folder = folder.parent().expect("a folder");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            let is_outside = link.contains("://") || file.is_empty();
            assert!(is_outside || folder.join(file).exists(), "{path}: {link} leads nowhere");
        }
    }
}

/// What no operator would ask for is not shown.
#[test]
fn every_part_of_the_page_and_every_command_answers_a_question() {
    let guide = fs::read_to_string(root().join("docs/operations.md")).expect("the guide");
    let answers = |part: &str| {
        let row = guide.lines().find_map(|line| line.strip_prefix(&format!("| {part} | ")));
        row.is_some_and(|question| question.contains('?'))
    };
    let page = fs::read_to_string(root().join("src/dashboard/index.html")).expect("the page");
    let mut headings = 0;
    for part in ["<h2", "<h3"].into_iter().flat_map(|tag| page.split(tag).skip(1)) {
        let text = part.split_once('>').and_then(|(_, rest)| rest.split_once('<'));
        let (heading, _) = text.unwrap_or_else(|| panic!("{part}"));
        let is_of_a_dialog = ["", "Are you sure?", "Sign in"].contains(&heading);
        assert!(is_of_a_dialog || answers(heading), "{heading}");
        headings += 1;
    }
    assert!(headings > 10, "{page}");
    let told = Command::new(env!("CARGO_BIN_EXE_anteroom")).arg("--help").output();
    let help = String::from_utf8(told.expect("it tells").stdout).expect("text");
    let commands = help.split_once("Commands:\n").and_then(|(_, rest)| rest.split_once("\n\n"));
    let (commands, _) = commands.unwrap_or_else(|| panic!("{help}"));
    let names = commands.lines().filter_map(|line| line.split_whitespace().next());
    for name in names.filter(|name| *name != "help") {
        assert!(answers(&format!("`{name}`")), "{name}");
    }
}
