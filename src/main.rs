//! The `anteroom` binary: reads the command line and the settings, then serves.

mod allocator;

use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anteroom::command_line::{self, Command};
use anteroom::http::access::digest_line;
use anteroom::http::reshape::Reshaper;
use anteroom::operate::{self, Asking, Operation};
use anteroom::replay::options::{LogFile, ReplayOptions};
use anteroom::replay::progress::Progress;
use anteroom::serve::Start;
use anteroom::settings::{self, Loaded, Settings, Taken};
use anteroom::{replay, serve, telemetry};

/// Exit code for a command line or settings that cannot be used.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    let command_line = command_line::parse();
    match &command_line.command {
        Command::DigestKey => return digest_key(),
        Command::Replay(options) => return replay(options, command_line.config.as_deref()),
        Command::Schema => return print(&settings::schema()),
        Command::Completions { shell } => return completions(*shell),
        Command::Serve | Command::Check | Command::Operate(_) => {}
    }
    let start = match command_line.command {
        Command::Serve => Start::take(settings::told()).map(Some),
        _ => Ok(None),
    };
    let start = match start {
        Ok(start) => start,
        Err(error) => return refuse(&error.to_string(), UNUSABLE),
    };
    let taken = start.as_ref().map(Start::taken).unwrap_or_default();
    let loaded = match settings::load(command_line.config.as_deref(), taken) {
        Ok(loaded) => loaded,
        Err(error) => return refuse(&error.to_string(), UNUSABLE),
    };
    if let Command::Operate(operation) = &command_line.command {
        return operate(operation, &loaded.settings);
    }
    if let Err(error) = Reshaper::new(&loaded.settings) {
        return refuse(&format!("response.redact cannot be used: {error}"), UNUSABLE);
    }
    match start {
        Some(start) => run(loaded, start),
        None => print(&command_line::check(&loaded)),
    }
}

/// Longest key that is read, in bytes.
const LONGEST_KEY: u64 = 8 * 1024;

/// From standard input, not from the command line, which others on the machine can see.
fn digest_key() -> ExitCode {
    let mut text = Vec::new();
    if let Err(error) = std::io::stdin().take(LONGEST_KEY).read_to_end(&mut text) {
        return refuse(&format!("failed to read the key: {error}"), 1);
    }
    match digest_line(&text) {
        Ok((line, is_short)) => {
            if is_short {
                let _ = writeln!(std::io::stderr(), "anteroom: a short key can be guessed");
            }
            print(&line)
        }
        Err(reason) => refuse(reason, UNUSABLE),
    }
}

/// Only a log of AI calls needs settings: it is met as a gateway of these would.
fn replay(options: &ReplayOptions, config: Option<&Path>) -> ExitCode {
    let progress = if options.json { Progress::none() } else { Progress::on_terminal() };
    let replayed = match &options.log {
        LogFile { from_log: Some(file), .. } => match settings::load(config, Taken::default()) {
            Ok(loaded) => replay::run_log(file, &loaded.settings, options, &progress)
                .map_err(|error| error.to_string()),
            Err(error) => return refuse(&error.to_string(), UNUSABLE),
        },
        LogFile { keys: Some(file), .. } => {
            replay::run(file, options, &progress).map_err(|error| error.to_string())
        }
        // The command line has one of them.
        LogFile { .. } => return ExitCode::from(UNUSABLE),
    };
    match replayed {
        Ok(report) if options.json => print(&report.json()),
        Ok(report) => print(&report.to_string()),
        Err(error) => refuse(&error, 1),
    }
}

fn completions(shell: clap_complete::Shell) -> ExitCode {
    let _ = std::io::stdout().write_all(&command_line::completions(shell));
    ExitCode::SUCCESS
}

fn operate(operation: &Operation, settings: &Settings) -> ExitCode {
    install_tls();
    let asked = async {
        let asking = Asking::new(operation.connection(), settings)?;
        operate::run(operation, &asking).await
    };
    match actix::System::new().block_on(asked) {
        Ok(said) => {
            print(&said.text);
            ExitCode::from(said.code)
        }
        Err(failure) => refuse(&failure.to_string(), failure.code()),
    }
}

/// Before anything opens a TLS connection: without a provider rustls panics (DESIGN R1). An error
/// means that one is installed already.
fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn run(loaded: Loaded, start: Start) -> ExitCode {
    let verbosity = telemetry::logging::start(&loaded.settings.log);
    install_tls();
    match actix::System::new().block_on(serve::serve(loaded, verbosity, start)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&error.to_string(), 1),
    }
}

/// A reader that has gone is no reason to fail: `anteroom check | head`.
fn print(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn refuse(text: &str, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "anteroom: {text}");
    ExitCode::from(code)
}
