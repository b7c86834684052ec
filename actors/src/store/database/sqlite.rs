//! A SQLite file of the gateway's own: made where it is missing, moved aside where it is damaged.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_migrations::MigrationHarness as _;
use parking_lot::Mutex;

use super::connection::{Purpose, SQLITE_CONVERSATIONS, SQLITE_MIGRATIONS, is_up_to_date};
use super::failure::{Failure, reason};

/// What one connection keeps of the file's pages, in KiB. The system has them in its own cache; a second
/// copy for each connection would only take memory from L1.
const PAGES_KIB: u32 = 256;

/// Longest wait for a lock while opening, and for another thread that is opening.
const OPENING: Duration = Duration::from_secs(1);
/// Longest wait of a write for a lock; lookups do not wait for it.
const WRITE_LOCK: Duration = Duration::from_millis(100);
/// A file up to this size is checked whole at start: about 0.1 s.
const CHECK_WHOLE_BYTES: u64 = 64 << 20;
/// What SQLite keeps beside its file.
const COMPANIONS: [&str; 3] = ["", "-wal", "-shm"];
/// Beside a file that turned out to be damaged while in use; the next start moves both.
const DAMAGE_MARK: &str = "-damaged";

/// Where the file is, and whether this process has found it sound.
#[derive(Debug)]
pub(super) struct SqliteFile {
    path: PathBuf,
    read_lock: Duration,
    /// Whether it holds what exists nowhere else: committed to the disk, never moved aside.
    is_kept: bool,
    prepared: Mutex<bool>,
    notice: Mutex<Option<String>>,
}

impl SqliteFile {
    /// Names the file; touches nothing. A lookup waits for a lock at most for `read_lock`.
    pub(super) fn new(path: &Path, read_lock: Duration) -> Self {
        Self {
            path: path.to_owned(),
            read_lock,
            is_kept: false,
            prepared: Mutex::new(false),
            notice: Mutex::new(None),
        }
    }

    /// Names the file of the conversations, which exist nowhere else.
    pub(super) fn kept(path: &Path, lock: Duration) -> Self {
        Self { is_kept: true, ..Self::new(path, lock) }
    }

    /// Opens the file. The first call makes what is missing and moves what is damaged aside.
    pub(super) fn open(&self, purpose: Purpose, wall_ms: u64) -> Result<SqliteConnection, Failure> {
        let mut prepared = self
            .prepared
            .try_lock_for(OPENING)
            .ok_or_else(|| Failure::Lost("another thread is still opening the file".to_owned()))?;
        let mut connection = if *prepared { self.connect()? } else { self.prepare(wall_ms)? };
        *prepared = true;
        let lock = match purpose {
            Purpose::Reading => self.read_lock,
            Purpose::Writing | Purpose::Conversing => WRITE_LOCK.max(self.read_lock),
        };
        set_busy_timeout(&mut connection, lock)?;
        Ok(connection)
    }

    pub(super) fn notice(&self) -> Option<String> {
        self.notice.lock().clone()
    }

    pub(super) fn note_damage(&self) {
        if self.is_kept {
            return;
        }
        if let Err(error) = make_private_file(&beside(&self.path, DAMAGE_MARK)) {
            tracing::warn!(level = "L3", %error, "failed to mark the damaged database file");
        }
    }

    fn prepare(&self, wall_ms: u64) -> Result<SqliteConnection, Failure> {
        self.make().map_err(|error| {
            Failure::Lost(reason(&format!("failed to make the database file: {error}")))
        })?;
        let marked = beside(&self.path, DAMAGE_MARK).exists();
        let found = if marked {
            Failure::FileDamaged("it was found damaged while in use".to_owned())
        } else {
            match self.connect().and_then(|open| self.checked(open)) {
                Err(damaged @ Failure::FileDamaged(_)) => damaged,
                other => return other,
            }
        };
        let Failure::FileDamaged(why) = found else { return Err(found) };
        if self.is_kept {
            return Err(Failure::FileDamaged(why));
        }
        let aside = self.move_aside(wall_ms).map_err(|error| {
            Failure::Lost(reason(&format!("failed to move the damaged file aside: {error}")))
        })?;
        let text = format!("the database file was damaged ({why}), moved to {}", aside.display());
        tracing::warn!(level = "L3", "{text}");
        *self.notice.lock() = Some(text);
        self.connect().and_then(|open| self.checked(open))
    }

    /// Makes folder and file, readable by this user only. SQLite gives its own companions the
    /// mode of the file.
    fn make(&self) -> io::Result<()> {
        if let Some(folder) = self.path.parent()
            && !folder.as_os_str().is_empty()
        {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        if self.path.exists() { Ok(()) } else { make_private_file(&self.path) }
    }

    fn connect(&self) -> Result<SqliteConnection, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::Lost(reason(&error.to_string()));
        let path = self.path.to_str().ok_or_else(|| failed(&"the path is not UTF-8"))?;
        // SQLite takes a relative `file:x` for a URI and `:memory:` for no file.
        let path = if self.path.is_relative() { format!("./{path}") } else { path.to_owned() };
        let mut open = SqliteConnection::establish(&path).map_err(|error| failed(&error))?;
        set_busy_timeout(&mut open, OPENING)?;
        // WAL and NORMAL: a power cut may lose the last commits, never the file; with FULL not
        // even them. The limit is in bytes.
        let synchronous = if self.is_kept { "FULL" } else { "NORMAL" };
        run(
            &mut open,
            &format!(
                "PRAGMA synchronous={synchronous}; PRAGMA journal_size_limit=67108864; \
                 PRAGMA cache_size=-{PAGES_KIB}"
            ),
        )?;
        Ok(open)
    }

    /// Tests the file as far as that is cheap, and brings the schema up to date.
    fn checked(&self, mut open: SqliteConnection) -> Result<SqliteConnection, Failure> {
        let small = self.path.metadata().is_ok_and(|found| found.len() <= CHECK_WHOLE_BYTES);
        if small {
            let words: String = sql::<Text>("PRAGMA quick_check(1)")
                .get_result(&mut open)
                .map_err(|error| Failure::of_statement(&error, OPENING))?;
            if words != "ok" {
                return Err(Failure::FileDamaged(reason(&words)));
            }
        } else {
            run(&mut open, "SELECT count(*) FROM sqlite_schema")?;
        }
        if self.path.metadata().is_ok_and(|found| found.len() == 0) {
            // Counts only before the first table; on any other file it would take the write lock.
            run(&mut open, "PRAGMA auto_vacuum=INCREMENTAL")?;
        }
        run(&mut open, "PRAGMA journal_mode=WAL")?;
        let migrations = if self.is_kept { SQLITE_CONVERSATIONS } else { SQLITE_MIGRATIONS };
        if is_up_to_date(&mut open, &migrations) {
            return Ok(open);
        }
        open.immediate_transaction(|open| {
            open.run_pending_migrations(migrations)
                .map(|_| ())
                .map_err(diesel::result::Error::QueryBuilderError)
        })
        .map_err(|error| match error {
            diesel::result::Error::QueryBuilderError(error) => {
                Failure::of_text(&error.to_string(), OPENING)
            }
            other => Failure::of_statement(&other, OPENING),
        })?;
        Ok(open)
    }

    /// Renames the file and its companions; earlier damaged ones go, so that they do not pile up.
    fn move_aside(&self, wall_ms: u64) -> io::Result<PathBuf> {
        self.remove_earlier()?;
        let aside = beside(&self.path, &format!(".damaged-{wall_ms}"));
        for companion in COMPANIONS {
            let from = beside(&self.path, companion);
            match std::fs::rename(&from, beside(&aside, companion)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        match std::fs::remove_file(beside(&self.path, DAMAGE_MARK)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        make_private_file(&self.path)?;
        Ok(aside)
    }

    fn remove_earlier(&self) -> io::Result<()> {
        let Some(folder) = self.path.parent() else { return Ok(()) };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let prefix = beside(&self.path, ".damaged-");
        let Some(prefix) = prefix.file_name().and_then(|name| name.to_str()) else {
            return Ok(());
        };
        for found in std::fs::read_dir(folder)? {
            let found = found?;
            if found.file_name().to_str().is_some_and(|name| name.starts_with(prefix)) {
                std::fs::remove_file(found.path())?;
            }
        }
        Ok(())
    }
}

/// Returns `path` with `suffix` put after the file's name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn make_private_file(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(|_| ())
}

fn set_busy_timeout(open: &mut SqliteConnection, at_most: Duration) -> Result<(), Failure> {
    run(open, &format!("PRAGMA busy_timeout={}", at_most.as_millis().max(1)))
}

fn run(open: &mut SqliteConnection, statements: &str) -> Result<(), Failure> {
    open.batch_execute(statements).map_err(|error| Failure::of_statement(&error, OPENING))
}
