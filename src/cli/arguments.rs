//! The arguments of the command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::jose::algorithm::Algorithm;

const EXAMPLES: &str = "Examples:
  wristband keygen east --issuer https://east.example.com
  wristband check envoy.yaml
  wristband peer envoy.yaml
  wristband verify --config envoy.yaml -

It ends with 0, with 1 for a no, and with 2 where it was called wrongly or a file cannot be read or would be overwritten.";

/// Signs, verifies and checks what the Envoy filter wristband does.
#[derive(Parser)]
#[command(name = "wristband", version, after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand)]
pub(super) enum Command {
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
        #[command(flatten)]
        output: OutputArgument,
    },
    /// Find every configuration of the filter in files, and say all that is wrong with them
    #[command(
        after_help = "Examples:\n  wristband check envoy.yaml\n  wristband check --assume-keys deploy/*.yaml\n  \
        wristband check --strict --env-file keys.env deploy/*.yaml\n  \
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
        /// Have this Envoy compile the expressions; without it they are parsed
        #[arg(long, value_name = "PATH")]
        envoy: Option<PathBuf>,
        #[command(flatten)]
        output: OutputArgument,
        #[command(flatten)]
        variables: Variables,
    },
    /// Print the JWK Set that a configuration would publish
    Jwks {
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        output: OutputArgument,
    },
    /// Print the `peers` stanza to send to others
    #[command(after_help = "Example:\n  wristband peer envoy.yaml >east-for-peers.yaml")]
    Peer {
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        output: OutputArgument,
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
        #[command(flatten)]
        output: OutputArgument,
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
    #[command(
        after_help = "Example:\n  curl -s https://west.example.com/.well-known/wristband/trust >west.json\n  wristband rotate \
        envoy.yaml --trust west.json\n\nIt ends with 1 if a peer does not know the key that is to sign."
    )]
    Rotate {
        #[command(flatten)]
        source: Source,
        /// What a peer says of whom it trusts (`discovery.trust`), to see whether it knows the next key; may be repeated
        #[arg(long, value_name = "FILE")]
        trust: Vec<PathBuf>,
        #[command(flatten)]
        output: OutputArgument,
    },
    /// Make a stanza of what others have
    Import {
        #[command(subcommand)]
        what: Import,
    },
    /// Print the JSON Schema of the configuration (draft 2020-12)
    Schema {
        #[command(flatten)]
        output: OutputArgument,
    },
    /// Print the completions of a shell: bash, zsh or fish
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Subcommand)]
pub(super) enum Import {
    /// Configurations from Authorino's AuthConfigs and Secrets, and a list of what has no counterpart
    Authconfig {
        /// YAML files, of any number of documents; `-` is standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        output: OutputArgument,
    },
    /// A `peers` stanza from a JWK Set
    Jwks {
        /// The `iss` of its tokens
        #[arg(long, value_name = "URL")]
        issuer: String,
        /// The set; `-` is standard input
        file: PathBuf,
        #[command(flatten)]
        output: OutputArgument,
    },
}

/// Where a configuration is taken from.
#[derive(Args)]
pub(super) struct Source {
    /// The file with the configuration; `-` is standard input
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) which: Which,
}

#[derive(Args)]
pub(super) struct ConfigSource {
    /// The file with the configuration; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    #[command(flatten)]
    pub(super) which: Which,
}

#[derive(Args)]
pub(super) struct Which {
    /// The plugin's name, where the file has several
    #[arg(long, value_name = "NAME")]
    pub(super) plugin: Option<String>,
    #[command(flatten)]
    pub(super) variables: Variables,
}

#[derive(Args)]
pub(super) struct Variables {
    /// Lines NAME=VALUE in the place of the environment, in which `\n` of a value is a line feed; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(super) env_file: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct OutputArgument {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
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
