//! The command line, and what `anteroom check` prints.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::operate::Operation;
use crate::replay::options::ReplayOptions;
use crate::settings::{Loaded, effective};

const ENVIRONMENT: &str = "\
Environment (it holds over the file; an empty short form counts as not set):
  ANTEROOM__SECTION__KEY     any key, such as ANTEROOM__L1__MAX_BYTES=256MiB or
                             ANTEROOM__UPSTREAMS__DEFAULT__URL=https://api.openai.com;
                             holds over the short forms; lists and maps as YAML in one line
  ANTEROOM_LISTEN            server.listen: address of the API
  ANTEROOM_ADMIN_LISTEN      admin.listen: address of the operations listener
  ANTEROOM_UPSTREAM_URL      upstreams.default: an HTTP upstream, with or without /v1
  ANTEROOM_SECRET            cache.secret: key of the scope digests
  OTEL_EXPORTER_OTLP_ENDPOINT
                             traces.endpoint: a collector that takes OTLP over HTTP
  OTEL_SERVICE_NAME          traces.service_name
  REDIS_URL                  l2.url
  DATABASE_URL               l3.url
  L1_CACHE_SIZE              l1.max_entries
  L1_CACHE_TTL, L2_CACHE_TTL, L3_CACHE_TTL
                             l1.residence, l2.residence, l3.residence, in whole seconds
  MEMORY_THRESHOLD_MB        memory.threshold, in whole MiB
  AI_MEMORY_OPTIMIZATION     memory.optimize: true or false
  OPTIMIZE_JSON_PAYLOAD      response.optimize_json: true or false
  ENABLE_RESPONSE_COMPRESSION
                             response.compression: true or false
  CACHE_WARMING_ENABLED      warming.enabled: true or false
  AUTO_SCALING_ENABLED       scaler.enabled: true or false
  MAX_CONVERSATION_HISTORY   conversation.max_history
  MODEL_CACHE_SIZE           models.max_loaded
  HTTPS_PROXY, https_proxy   proxy of https upstreams that name none

`${NAME}` in a value of the file is replaced by the environment variable NAME.

Exit codes of status, purge, warm, explain, reload and top:
  0  done, or all is well
  1  the gateway refused, or did it in part only, or a part of it is ill
  2  the command line, a file or the settings cannot be used; nothing was asked
  3  no answer within --deadline";

/// What the deployer asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandLine {
    /// What to do.
    pub command: Command,
    /// The settings file, where one was named.
    pub config: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Clone, Default, PartialEq, Subcommand)]
pub enum Command {
    /// Serve (what happens without a command, too)
    #[default]
    Serve,
    /// Check the settings and print those in effect, secrets masked, each with its source
    Check,
    /// Print the JSON Schema of the settings file, for editors
    Schema,
    /// Read a client key from standard input and print the line with its digest for auth.keys
    DigestKey,
    /// Tell what the cache would have done with a log of requests
    Replay(ReplayOptions),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// What is asked of a gateway that runs
    #[command(flatten)]
    Operate(Operation),
}

/// A gateway that answers repeated AI calls from three cache levels
///
/// Point an SDK for OpenAI's or Anthropic's API, or any client of a JSON API, at its address. What
/// was asked before is answered from memory, Redis or a database; anything else goes to the
/// upstream and is kept.
#[derive(Debug, Parser)]
#[command(name = "anteroom", version, after_long_help = ENVIRONMENT)]
#[command(after_help = "`--help` lists the environment variables, too.")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Args)]
struct Options {
    /// The settings file
    ///
    /// Without it, ./config.yaml is read if it is there; without that, the defaults hold.
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
}

impl From<Arguments> for CommandLine {
    fn from(arguments: Arguments) -> Self {
        Self { command: arguments.command.unwrap_or_default(), config: arguments.options.config }
    }
}

/// Reads the command line. Ends the process on `--help`, `--version` and on what it does not know,
/// with words to the person who typed it.
pub fn parse() -> CommandLine {
    Arguments::parse().into()
}

/// Returns the script that has a shell complete this command line.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "anteroom", &mut script);
    script
}

/// Returns what `anteroom check` prints: the settings in effect as YAML, secrets masked, with the
/// source of each value that is not a default.
pub fn check(loaded: &Loaded) -> String {
    effective(loaded)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use std::path::Path;

    use super::*;
    use crate::replay::lifetimes::Lifetimes;
    use crate::replay::options::Warming;
    use crate::settings::Settings;

    fn parsed(arguments: &[&str]) -> Option<CommandLine> {
        let arguments = std::iter::once(&"anteroom").chain(arguments);
        Arguments::try_parse_from(arguments).ok().map(CommandLine::from)
    }

    #[test]
    fn serving_needs_no_command_and_the_file_may_stand_on_both_sides() {
        let line = |command, config: Option<&str>| {
            Some(CommandLine { command, config: config.map(PathBuf::from) })
        };
        assert_eq!(parsed(&[]), line(Command::Serve, None));
        assert_eq!(parsed(&["serve"]), line(Command::Serve, None));
        assert_eq!(parsed(&["--config", "a.yaml"]), line(Command::Serve, Some("a.yaml")));
        assert_eq!(parsed(&["check", "--config=a.yaml"]), line(Command::Check, Some("a.yaml")));
        assert_eq!(parsed(&["--config", "a.yaml", "check"]), line(Command::Check, Some("a.yaml")));
        assert_eq!(parsed(&["digest-key"]), line(Command::DigestKey, None));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for arguments in
            [&["run"][..], &["--confg", "a"], &["--config"], &["check", "extra"], &["replay"]]
        {
            assert_eq!(parsed(arguments), None, "{arguments:?}");
        }
    }

    #[test]
    fn a_replay_has_options_of_its_own() {
        let replay = |arguments: &[&str]| {
            let arguments = [&["replay", "a.csv"], arguments].concat();
            match parsed(&arguments)?.command {
                Command::Replay(options) => Some(options),
                _ => None,
            }
        };
        let plain = replay(&[]).unwrap();
        assert_eq!((plain.l1_entries_of(1_739), plain.l1_entries_of(0)), (174, 1));
        assert_eq!(plain.lifetimes(), Lifetimes::default());
        assert_eq!(replay(&["--l1-share", "0.25"]).unwrap().l1_entries_of(1_739), 435);
        assert_eq!(replay(&["--l1-entries=7", "--json"]).unwrap().l1_entries_of(1_739), 7);
        let warming = |arguments: &[&str]| replay(arguments).unwrap().warming;
        assert_eq!(warming(&[]), Warming::Off);
        assert_eq!(warming(&["--warming", "on"]), Warming::On);
        assert_eq!(replay(&["--ttl", "l1=60"]).unwrap().lifetimes().l1_ms, 60_000);
        assert_eq!(replay(&["--from-log", "a.jsonl"]), None, "one log");
        for refused in [
            &["--l1-share", "0"][..],
            &["--l1-share", "1.1"],
            &["--l1-entries", "0"],
            &["--l1-entries", "5", "--l1-share", "0.1"],
            &["--no-lifetimes", "--ttl", "l1=60"],
            &["--ttl", "l9=60"],
            &["--warming", "yes"],
        ] {
            assert_eq!(replay(refused), None, "{refused:?}");
        }
    }

    /// What the command line leaves open is as the settings say.
    #[test]
    fn a_log_of_calls_meets_a_gateway_of_the_settings() {
        let replay = |arguments: &[&str]| {
            let arguments = [&["replay", "--from-log", "a.jsonl"], arguments].concat();
            match parsed(&arguments).unwrap().command {
                Command::Replay(options) => options.or_as_in(&Settings::default()),
                other => panic!("{other:?}"),
            }
        };
        let plain = replay(&[]);
        assert_eq!(plain.log.from_log.as_deref(), Some(Path::new("a.jsonl")));
        assert_eq!((plain.log.keys.as_ref(), plain.l1_entries_of(50)), (None, 1_000));
        // Without Redis there is no L2.
        assert_eq!(plain.lifetimes(), "l1=300,l2=0,l3=7200".parse().unwrap());
        assert_eq!(replay(&["--l1-share=0.1", "--ttl=l1=60"]).l1_entries_of(50), 5);
        assert_eq!(replay(&["--ttl=l1=60"]).lifetimes().l2_ms, 1_800_000);
        assert_eq!(replay(&["--no-lifetimes"]).lifetimes(), Lifetimes::NONE);
    }

    #[test]
    fn the_help_names_every_environment_variable_that_has_a_name_of_its_own() {
        Arguments::command().debug_assert();
        let help = Arguments::command().render_long_help().to_string();
        for name in crate::settings::short_forms() {
            assert!(help.contains(name), "{name}");
        }
        assert!(help.contains("ANTEROOM__SECTION__KEY") && help.contains("--config <PATH>"));
    }
}
