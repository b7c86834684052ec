//! L3 on SQLite fails: the file cannot be made, written, read, or is no database. The gateway
//! serves, says so, and works again where it can. FAULTS "Cache backends", the rows of SQLite;
//!

use std::fs;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::load;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, actor, chat};
use crate::support::process::{Process, variable};
use crate::support::provider::Provider;

fn gateway(provider: &Provider) -> Gateway {
    load::builder(provider).sqlite().start()
}

fn file(gateway: &Gateway) -> PathBuf {
    gateway.data_dir().join("anteroom.db")
}

/// Asserts that the gateway answers, and counts what it cannot keep.
#[track_caller]
fn expect_served(gateway: &Gateway, said: &str) {
    for number in 0..5 {
        let said = format!("{said} {number}");
        load::expect_echo(&gateway.send(&load::new(&said)), &format!("new {said};"));
    }
}

/// Asserts that what is fetched now is there after a restart.
#[track_caller]
fn expect_kept(gateway: &mut Gateway, said: &str) {
    gateway.wait_for_state("l3", "running");
    let before = load::counter(gateway, "l3", "inserts");
    load::expect_echo(&gateway.send(&load::new(said)), &format!("new {said};"));
    gateway.wait_until("a row written", |health| {
        actor(health, "l3").is_some_and(|l3| l3["counters"]["inserts"].as_u64() > Some(before))
    });
    gateway.restart();
    gateway.wait_for_state("l3", "running");
    let again = gateway.send(&load::new(said));
    load::expect_echo(&again, &format!("new {said};"));
    assert_eq!(again.cache(), "HIT L3", "{again}\n{}", gateway.log());
}

/// A second process with the file in its hand: Python's `sqlite3` runs `script`, in which `db` is
/// the connection, says so, and goes on with `then` when it is told to.
struct Second(Process);

impl Second {
    #[track_caller]
    fn run(file: &Path, script: &str, then: &str) -> Self {
        let program = format!(
            "import sqlite3, sys, os, signal\n\
             db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)\n\
             signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\n\
             {script}\nprint('ready', flush=True)\n\
             signal.sigwait([signal.SIGUSR1])\n{then}\ndb.close()\n"
        );
        let python = variable("ANTEROOM_TEST_PYTHON").unwrap_or_else(|| "python3".to_owned());
        let mut command = Command::new(python);
        let mut process =
            Process::start(command.args(["-c", &program]).arg(file).stdout(Stdio::piped()));
        let said = process.child().stdout.take().expect("a piped stdout");
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n", "python says more above");
        Self(process)
    }

    /// Lets it go on, and waits for its end.
    #[track_caller]
    fn finish(mut self) {
        self.0.signal(libc::SIGUSR1);
        let status = self.0.wait(load::BACK_WITHIN).expect("its end");
        assert!(status.success(), "python says more above");
    }
}

/// Runs `script` on the file in a second process.
#[track_caller]
fn change(file: &Path, script: &str) {
    Second::run(file, script, "pass").finish();
}

/// Nobody can write where no folder can be: also not root, whom permissions do not stop.
#[test]
fn a_folder_that_cannot_be_made_leaves_l3_out() {
    let provider = load::echo();
    let gateway =
        load::builder(&provider).sqlite().env("ANTEROOM__DATA_DIR", "/dev/null/data").start();
    let error = load::wait_until_degraded(&gateway, "l3");
    assert!(error.contains("failed to make the database file"), "{error}");
    expect_served(&gateway, "without a folder");
    assert_eq!(gateway.send(&load::new("without a folder 0")).cache(), "HIT L1");
}

/// SQLite cannot write without its log beside the file; a folder in its place keeps it from that.
#[test]
fn a_file_that_cannot_be_opened_is_used_once_it_can() {
    let provider = load::echo();
    let mut gateway = gateway(&provider);
    gateway.wait_for_state("l3", "running");
    gateway.terminate();
    let log = gateway.data_dir().join("anteroom.db-wal");
    let _ = fs::remove_file(&log);
    fs::create_dir(&log).expect("a folder");
    gateway.restart();
    load::wait_until_degraded(&gateway, "l3");
    expect_served(&gateway, "without a log");
    fs::remove_dir(&log).expect("an empty folder");
    load::wait_until_back(&gateway, "l3");
    expect_kept(&mut gateway, "with a log");
}

/// Writes are refused while the gateway runs, reads go on: a read-only file, a full disk. Played by
/// a trigger, which stops root, too.
#[test]
fn a_file_that_refuses_writes_is_still_read() {
    for words in ["attempt to write a readonly database", "database or disk is full"] {
        let provider = load::echo();
        let gateway = gateway(&provider);
        gateway.wait_for_state("l3", "running");
        load::seed(&gateway);
        load::under_load(&gateway, |load| {
            load.wait_for("HIT L3");
            let refuse = format!("BEGIN SELECT RAISE(ABORT, '{words}'); END");
            change(
                &file(&gateway),
                &format!(
                    "db.execute(\"CREATE TRIGGER a BEFORE INSERT ON entries {refuse}\")\n\
                     db.execute(\"CREATE TRIGGER b BEFORE DELETE ON entries {refuse}\")"
                ),
            );
            let error = load::wait_until_degraded(&gateway, "l3");
            assert!(error.contains(words), "{error}");
            let drops = load::counter(&gateway, "l3", "insert_drops");
            let answers = load.wait_for_more(60);
            load::expect_each(&answers, &["HIT L1", "HIT L3", "MISS"]);
            assert!(load::counter(&gateway, "l3", "insert_drops") > drops);
            change(&file(&gateway), "db.execute('DROP TRIGGER a')\ndb.execute('DROP TRIGGER b')");
            load::wait_until_back(&gateway, "l3");
            load.wait_for("HIT L3");
        });
    }
}

/// FAULTS "SQLite locked": another process writes and does not come to an end.
#[test]
fn a_lock_of_another_process_holds_nobody_up() {
    let provider = load::echo();
    let mut gateway = gateway(&provider);
    gateway.wait_for_state("l3", "running");
    load::seed(&gateway);
    load::under_load(&gateway, |load| {
        load.wait_for("HIT L3");
        let second = Second::run(&file(&gateway), "db.execute('BEGIN EXCLUSIVE')", "pass");
        load::wait_until_degraded(&gateway, "l3");
        let drops = load::counter(&gateway, "l3", "insert_drops");
        let answers = load.wait_for_more(60);
        load::expect_each(&answers, &["HIT L1", "HIT L3", "MISS"]);
        assert!(load::counter(&gateway, "l3", "insert_drops") > drops);
        second.finish();
        load::wait_until_back(&gateway, "l3");
    });
    expect_kept(&mut gateway, "after the lock");
}

/// The file is locked, for readers too, before the gateway has opened it.
#[test]
fn a_file_locked_at_the_start_is_used_later() {
    let provider = load::echo();
    let mut gateway = gateway(&provider);
    gateway.wait_for_state("l3", "running");
    gateway.terminate();
    let script = "db.execute('PRAGMA journal_mode=DELETE')\ndb.execute('BEGIN EXCLUSIVE')";
    let second = Second::run(&file(&gateway), script, "pass");
    gateway.restart();
    load::wait_until_degraded(&gateway, "l3");
    expect_served(&gateway, "locked out");
    second.finish();
    load::wait_until_back(&gateway, "l3");
    expect_kept(&mut gateway, "let in");
}

/// What a file may be found as at the start.
#[derive(Debug, Clone, Copy)]
enum Damage {
    /// Noise over its pages, but for the first.
    Noise,
    /// Half of it.
    Half,
    /// Text.
    NoDatabase,
    /// A database with other tables under our names.
    OtherSchema,
}

impl Damage {
    #[track_caller]
    fn inflict(self, file: &Path) {
        // What was written lately may still be in the log beside the file.
        change(file, "db.execute('PRAGMA wal_checkpoint(TRUNCATE)')");
        match self {
            Self::Noise => noise(file),
            Self::Half => {
                let opened = fs::File::options().write(true).open(file).expect("the file");
                let length = opened.metadata().expect("its length").len();
                opened.set_len(length / 2).expect("cut");
            }
            Self::NoDatabase => {
                fs::write(file, "this is no database ".repeat(1_000)).expect("text")
            }
            Self::OtherSchema => {
                fs::remove_file(file).expect("the file");
                change(file, "db.execute('CREATE TABLE entries (something TEXT)')");
            }
        }
    }
}

/// Writes noise over all but the first page.
#[track_caller]
fn noise(file: &Path) {
    let mut opened = fs::File::options().read(true).write(true).open(file).expect("the file");
    let length = opened.metadata().expect("its length").len();
    let mut page = [0; 2];
    opened.seek(SeekFrom::Start(16)).expect("the header");
    opened.read_exact(&mut page).expect("the size of a page");
    let first = u64::from(u16::from_be_bytes(page));
    let rest = usize::try_from(length.checked_sub(first).expect("pages")).expect("a small file");
    assert!(rest > 0, "more than one page");
    opened.seek(SeekFrom::Start(first)).expect("the second page");
    let noise: Vec<u8> = (0..rest).map(|place| (place * 7 % 251 + 3) as u8).collect();
    opened.write_all(&noise).expect("written");
}

/// Moved aside, told once, replaced: a cache may be lost, not believed.
#[test]
fn a_file_found_damaged_is_moved_aside() {
    for damage in [Damage::Noise, Damage::Half, Damage::NoDatabase] {
        let provider = load::echo();
        let mut gateway = gateway(&provider);
        gateway.wait_for_state("l3", "running");
        load::seed(&gateway);
        gateway.terminate();
        damage.inflict(&file(&gateway));
        gateway.restart();
        let health = gateway.wait_for_state("l3", "running");
        let l3 = actor(&health, "l3").expect("l3");
        let told = l3["last_error"].as_str().unwrap_or_default();
        assert!(told.contains("damaged") && told.contains("moved to"), "{damage:?}: {l3}");
        assert_eq!(aside(&gateway).len(), 1, "{damage:?}");
        // Nothing of it is believed.
        let response = gateway.send(&load::kept(0));
        load::expect_echo(&response, "kept 0;");
        assert_eq!(response.cache(), "MISS", "{damage:?}: {response}");
        expect_kept(&mut gateway, "on the new file");
    }
}

/// A database that is sound and not ours is left alone: served without, said in health.
#[test]
fn a_database_of_someone_else_is_left_alone() {
    let provider = load::echo();
    let mut gateway = gateway(&provider);
    gateway.wait_for_state("l3", "running");
    gateway.terminate();
    Damage::OtherSchema.inflict(&file(&gateway));
    gateway.restart();
    load::wait_until_degraded(&gateway, "l3");
    expect_served(&gateway, "beside it");
    assert!(aside(&gateway).is_empty(), "{:?}", aside(&gateway));
}

/// Damage met while running turns the level off, and no damaged byte is served; the next start
/// moves the file aside.
#[test]
fn damage_met_while_running_turns_the_level_off() {
    let provider = load::echo();
    let mut gateway = gateway(&provider);
    gateway.wait_for_state("l3", "running");
    load::seed(&gateway);
    load::under_load(&gateway, |load| {
        load.wait_for("HIT L3");
        // A change of the schema has readers forget their pages; the log is emptied into the file.
        let script = "db.execute('CREATE TABLE other (a)')\n\
            db.execute('PRAGMA wal_checkpoint(TRUNCATE)')";
        change(&file(&gateway), script);
        noise(&file(&gateway));
        let error = load::wait_until_degraded(&gateway, "l3");
        assert!(error.contains("damaged"), "{error}");
        let answers = load.wait_for_more(60);
        load::expect_each(&answers, &["HIT L1", "MISS"]);
        assert!(!answers.iter().any(|answer| answer == "HIT L3"), "{answers:?}");
    });
    gateway.restart();
    gateway.wait_for_state("l3", "running");
    assert_eq!(aside(&gateway).len(), 1);
    expect_kept(&mut gateway, "after the damage");
}

/// Returns the database files that were moved aside.
fn aside(gateway: &Gateway) -> Vec<PathBuf> {
    let found = fs::read_dir(gateway.data_dir()).expect("the data folder").flatten();
    let is_aside = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.contains(".damaged-") && !name.ends_with("-wal") && !name.ends_with("-shm")
    };
    found.map(|entry| entry.path()).filter(is_aside).collect()
}

/// A turn that the disk refuses, played by a trigger: an error in place of a whole answer and of a
/// stream's terminal event, and what was acknowledged before stays.
#[test]
fn a_turn_that_cannot_be_committed_is_an_error_also_at_the_end_of_a_stream() {
    let provider = Provider::start();
    let gateway = gateway(&provider);
    let say = |text: &str, stream: bool| {
        let body = serde_json::json!({"model": "m", "stream": stream,
            "messages": [{"role": "user", "content": text}]});
        gateway.send(&chat(body).header("X-Conversation-Id", "c"))
    };
    assert!(say("one", true).expect_status(200).text().contains("[DONE]"));
    let refuses = "db.execute(\"CREATE TRIGGER full BEFORE INSERT ON conversation_turns \
                   BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END\")";
    change(&gateway.data_dir().join("conversations.db"), refuses);
    let refused = say("two", false).expect_status(503);
    assert_eq!(refused.json()["error"]["code"], "conversations_unavailable");
    let streamed = say("three", true).expect_status(200).text();
    assert!(streamed.contains("conversations_unavailable"), "{streamed}");
    assert!(!streamed.contains("[DONE]"), "{streamed}");
    let shown = Request::get("/api/v1/conversations/c").bearer("sk-test");
    assert_eq!(gateway.send(&shown).expect_status(200).json()["turns"], 1);
}
