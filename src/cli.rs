//! The command `wristband`: what the filter says yes and no to, it says yes and no to, because it asks the same core.
//!
//! It is a [host](crate::host) of its own, and printing. What one pastes or pipes goes to standard output, notes go to standard
//! error. It ends with 0, with 1 for a no, and with 2 where it was called wrongly or a file cannot be read or would be
//! overwritten. No secret is printed, and none is taken from an argument, which every process of the machine can read.

mod authconfig;
mod check;
mod diff;
mod document;
mod envoys;
mod find;
mod host;
mod keygen;
mod output;
mod reading;
mod rotate;
mod schema;
mod stanzas;
mod tokens;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::jose::algorithm::Algorithm;
use output::Failure;

const EXAMPLES: &str = "Examples:
  wristband keygen east --issuer https://east.example.com
  wristband check envoy.yaml
  wristband peer envoy.yaml
  wristband verify --config envoy.yaml -

It ends with 0, with 1 for a no, and with 2 where it was called wrongly or a file cannot be read or would be overwritten.";

/// Signs, verifies and checks what the Envoy filter wristband does.
#[derive(Parser)]
#[command(name = "wristband", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a private key, and print the stanzas in which it and its public half stand
    #[command(after_help = "Examples:\n  wristband keygen east --issuer https://east.example.com\n  wristband keygen \
        east --algorithm EdDSA --out keys/east.pem")]
    Keygen {
        /// The `kid` of the key
        name: String,
        /// The issuer URL of this gateway; without it there is a placeholder, which `check` refuses
        #[arg(long, value_name = "URL")]
        issuer: Option<String>,
        /// The algorithm of the key
        #[arg(long, default_value = "ES256", value_parser = algorithm)]
        algorithm: Algorithm,
        /// Where to write it; NAME.pem by default. The public half goes beside it, to .pub.pem. Nothing is overwritten
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Find every configuration of the filter in files, and say all that is wrong with them
    #[command(
        after_help = "Examples:\n  wristband check envoy.yaml\n  wristband check --assume-keys --strict deploy/*.yaml\n  \
        kustomize build . | wristband check --output json -\n\nFILE is a plugin configuration, an Envoy bootstrap or resource, \
        an Istio WasmPlugin or an EnvoyExtensionPolicy; `-` is standard input."
    )]
    Check {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Take the keys for given: a variable that is missing is a warning
        #[arg(long)]
        assume_keys: bool,
        /// End with 1 where there are warnings
        #[arg(long)]
        strict: bool,
        #[command(flatten)]
        output: OutputArgument,
        #[command(flatten)]
        variables: Variables,
    },
    /// Print the JWK Set that a configuration would publish
    Jwks {
        #[command(flatten)]
        source: Source,
    },
    /// Print the `peers` stanza to send to others
    #[command(after_help = "Example:\n  wristband peer envoy.yaml >>their-envoy.yaml")]
    Peer {
        #[command(flatten)]
        source: Source,
    },
    /// Sign a token as a configuration does
    #[command(after_help = "Example:\n  wristband sign --config envoy.yaml --subject alice --claim 'groups=[\"dev\"]'")]
    Sign {
        #[command(flatten)]
        source: ConfigSource,
        /// `sub`
        #[arg(long)]
        subject: String,
        /// A claim, its value as JSON
        #[arg(long = "claim", value_name = "NAME=JSON")]
        claims: Vec<String>,
        /// The private key, for a configuration that fetches it
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Say whether a configuration accepts a token, and if not, why
    Verify {
        #[command(flatten)]
        source: ConfigSource,
        /// The token; `-` takes it from standard input, where no other process sees it
        token: String,
        #[command(flatten)]
        output: OutputArgument,
    },
    /// Show what a token says. Nobody has vouched for it
    Explain {
        /// The token; `-` takes it from standard input, where no other process sees it
        token: String,
        #[command(flatten)]
        output: OutputArgument,
    },
    /// Say what a change does to trust: whom one would newly trust, and whose tokens would be refused
    #[command(
        after_help = "Example:\n  wristband diff old.yaml new.yaml\n\nIt ends with 1 if tokens that are under way would be \
        refused."
    )]
    Diff {
        /// The configuration that is in force
        old: PathBuf,
        /// The one that is to take its place
        new: PathBuf,
        /// For how many seconds the old one has not signed with the keys that go
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        after: u32,
        #[command(flatten)]
        output: OutputArgument,
        #[command(flatten)]
        which: Which,
    },
    /// Print the next step of a key rotation, as edits to make
    Rotate {
        #[command(flatten)]
        source: Source,
    },
    /// Make a stanza of what others have
    Import {
        #[command(subcommand)]
        what: Import,
    },
    /// Print the JSON Schema of the configuration (draft 2020-12)
    Schema,
    /// Print the completions of a shell: bash, zsh or fish
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Subcommand)]
enum Import {
    /// Configurations from Authorino's AuthConfigs and Secrets, and a list of what has no counterpart
    Authconfig {
        /// YAML files, of any number of documents; `-` is standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// A `peers` stanza from a JWK Set
    Jwks {
        /// The `iss` of its tokens
        #[arg(long, value_name = "URL")]
        issuer: String,
        /// The set; `-` is standard input
        file: PathBuf,
    },
}

/// Where a configuration is taken from.
#[derive(Args)]
struct Source {
    /// The file with the configuration; `-` is standard input
    file: PathBuf,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
struct ConfigSource {
    /// The file with the configuration; `-` is standard input
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
struct Which {
    /// The plugin's name, where the file has several
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    #[command(flatten)]
    variables: Variables,
}

#[derive(Args)]
struct Variables {
    /// Lines NAME=VALUE in the place of the environment; in a value `\n` is a line feed
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

#[derive(Args)]
struct OutputArgument {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    #[default]
    Text,
    /// For scripts
    Json,
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    let names = || Algorithm::ALL.map(Algorithm::name).join(", ");
    Algorithm::from_name(name).ok_or_else(|| format!("expected one of {}", names()))
}

/// Does what the arguments of the process say.
#[must_use]
pub fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    match run(command) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("wristband: {failure}");
            failure.code()
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Keygen { name, issuer, algorithm, out } => keygen::run(&name, issuer.as_deref(), algorithm, out),
        Command::Check { files, assume_keys, strict, output, variables } => {
            let options = check::Options { assume_keys, strict, output: output.output };
            check::run(&files, options, variables.env_file.as_deref())
        }
        Command::Jwks { source: Source { file, which } } => stanzas::jwks(&reading::Request::new(file, &which)),
        Command::Peer { source: Source { file, which } } => stanzas::peer(&reading::Request::new(file, &which)),
        Command::Sign { source: ConfigSource { config, which }, subject, claims, key } => {
            tokens::sign(&reading::Request::new(config, &which), &subject, &claims, key.as_deref())
        }
        Command::Verify { source: ConfigSource { config, which }, token, output } => {
            tokens::verify(&reading::Request::new(config, &which), &token, output.output)
        }
        Command::Explain { token, output } => tokens::explain(&token, output.output),
        Command::Diff { old, new, after, output, which } => {
            let requests = [old, new].map(|file| reading::Request::new(file, &which));
            let [old, new] = &requests;
            diff::run(old, new, after, output.output)
        }
        Command::Rotate { source: Source { file, which } } => rotate::run(&reading::Request::new(file, &which)),
        Command::Import { what: Import::Authconfig { files } } => authconfig::run(&files),
        Command::Import { what: Import::Jwks { issuer, file } } => stanzas::import_jwks(&issuer, &file),
        Command::Schema => output::print(&schema::text()),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "wristband", &mut text);
            output::print_bytes(&text)
        }
        Command::Man => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Arguments::command()).render(&mut text).map_err(Failure::from_writing)?;
            output::print_bytes(&text)
        }
    }
}
