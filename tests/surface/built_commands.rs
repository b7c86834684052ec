//! What the documents have `cargo` do is done as they say it, in this repository.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

use crate::support::client::Request;
use crate::support::deadline::PATIENCE;
use crate::support::documents::{self, blocks, root};
use crate::support::gateway::chat;
use crate::support::process::Process;

const HELLO: &str = r#"{"model": "any", "messages": [{"role": "user", "content": "Hello!"}]}"#;

/// The profile of a release, but for what makes it fast and its build slow.
const IN_HASTE: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256"),
];

/// Returns the lines of all blocks of shell that call `cargo`.
fn lines() -> Vec<String> {
    let pages = documents::all().into_iter().flat_map(|page| blocks(&page.text));
    let shell = pages.filter(|block| block.language == "sh");
    let lines = shell.flat_map(|block| block.text.lines().map(str::to_owned).collect::<Vec<_>>());
    lines.filter(|line| line.split(' ').any(|word| word == "cargo")).collect()
}

/// Starts what the line says, with free ports and a folder of its own, and asks it twice; a provider
/// beyond this machine is not asked.
fn serve(line: &str) {
    let is_variable = |word: &&str| word.contains('=');
    let (variables, words): (Vec<&str>, Vec<&str>) = line.split(' ').partition(is_variable);
    // Its build takes longer than a start may.
    run(&words.join(" ").replace("run", "build"));
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(root()).envs(IN_HASTE);
    command.envs(variables.iter().filter_map(|variable| variable.split_once('=')));
    command.env("ANTEROOM_LISTEN", "127.0.0.1:0").env("ANTEROOM_ADMIN_LISTEN", "127.0.0.1:0");
    command.env("ANTEROOM__DATA_DIR", folder.path());
    let mut gateway = Process::start(command.stdout(Stdio::null()).stderr(Stdio::piped()));
    let log = BufReader::new(gateway.child().stderr.take().expect("a piped stderr"));
    let (tell, told) = channel();
    // To its end: who does not read on stops it at its next line.
    std::thread::spawn(move || {
        for line in log.lines().map_while(Result::ok) {
            let rest =
                line.split_once("listening").and_then(|(_, rest)| rest.split_once("api=http://"));
            if let Some((_, rest)) = rest {
                let _ = tell.send(rest.split(' ').next().unwrap_or_default().to_owned());
            }
        }
    });
    let address = told.recv_timeout(PATIENCE);
    let address = address.unwrap_or_else(|_| panic!("{line}: it does not listen"));
    Request::get("/health/ready").send(&address).expect_status(200);
    if variables.is_empty() {
        let ask = || chat(HELLO).send(&address).expect_status(200);
        let (miss, hit) = (ask(), ask());
        assert_eq!((miss.header("x-cache"), hit.header("x-cache")), (Some("MISS"), Some("HIT")));
        assert_eq!(miss.body, hit.body);
    }
    gateway.signal(libc::SIGTERM);
    assert!(gateway.wait(PATIENCE).is_some_and(|status| status.success()), "{line}");
}

fn run(line: &str) {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-euc", line]).current_dir(root()).envs(IN_HASTE);
    let status = shell.stdin(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "{line}");
}

#[test]
#[ignore = "builds the release, and tests anew; scripts/test runs it by itself"]
fn what_the_documents_have_cargo_do_works() {
    let lines = lines();
    assert!(lines.len() >= 5, "the commands were not found: {lines:#?}");
    for line in lines {
        if line.contains("cargo run") { serve(&line) } else { run(&line) }
    }
}
