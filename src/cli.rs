//! The command `wristband`: what the filter says yes and no to, it says yes and no to, because it asks the same core.
//!
//! It is a [host](crate::host) of its own, and printing. What one pastes or pipes goes to standard output, notes go to standard
//! error. It ends with 0, with 1 for a no, and with 2 where it was called wrongly or a file cannot be read or would be
//! overwritten. No secret is printed, and none is taken from an argument, which every process of the machine can read.

mod arguments;
mod authconfig;
mod cel;
mod check;
mod diff;
mod document;
mod envoys;
mod find;
mod host;
mod input;
mod keygen;
mod output;
mod reading;
mod rotate;
mod schema;
mod stanzas;
mod tokens;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use arguments::{Arguments, Command, ConfigSource, Import, Output, Source, Which};
use output::Failure;

/// Does what the arguments of the process say.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Arguments::try_parse() {
        Ok(Arguments { command }) => run(command),
        // What was asked for, as help is, or why it was called wrongly.
        Err(said) => output::written(said.print()).map(|_| u8::try_from(said.exit_code()).unwrap_or(2).into()),
    };
    match done {
        Ok(code) => code,
        Err(failure) => {
            output::note(&format!("wristband: {failure}"));
            failure.code()
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Keygen { name, issuer, algorithm, out, output } => {
            keygen::run(&name, issuer.as_deref(), algorithm, out, output.output)
        }
        Command::Check { files, assume_keys, strict, envoy, output, variables } => {
            let options = check::Options { assume_keys, strict, envoy, output: output.output };
            check::run(&files, options, variables.env_file.as_deref())
        }
        // A set is JSON, and so is the schema.
        Command::Jwks { source: Source { file, which }, output: _ } => {
            stanzas::jwks(&reading::Request::new(file, &which))
        }
        Command::Peer { source: Source { file, which }, output } => {
            stanzas::peer(&reading::Request::new(file, &which), output.output)
        }
        Command::Sign { source: ConfigSource { config, which }, subject, claims, key, output } => {
            let request = reading::Request::new(config, &which);
            tokens::sign(&request, &subject, &claims, key.as_deref(), output.output)
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
        Command::Rotate { source: Source { file, which }, trust, output } => {
            rotate::run(&reading::Request::new(file, &which), &trust, output.output)
        }
        Command::Import { what: Import::Authconfig { files, output } } => authconfig::run(&files, output.output),
        Command::Import { what: Import::Jwks { issuer, file, output } } => {
            stanzas::import_jwks(&issuer, &file, output.output)
        }
        Command::Schema { output: _ } => output::print(&schema::text()),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "wristband", &mut text);
            output::print_bytes(&text)
        }
        Command::Man => output::print_bytes(&manual().map_err(Failure::from_writing)?),
    }
}

/// The manual page: of the command, and of each of its commands.
fn manual() -> std::io::Result<Vec<u8>> {
    let mut command = Arguments::command();
    command.build();
    let man = clap_mangen::Man::new(command.clone());
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    of_commands(&command, &mut text)?;
    man.render_extra_section(&mut text)?;
    Ok(String::from_utf8_lossy(&text)
        .replace("SH EXTRA", "SH EXAMPLES")
        .replace("SS EXTRA", "SS EXAMPLES")
        .into_bytes())
}

fn of_commands(command: &clap::Command, text: &mut Vec<u8>) -> std::io::Result<()> {
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        if inner.has_subcommands() {
            of_commands(inner, text)?;
            continue;
        }
        let man = clap_mangen::Man::new(inner.clone());
        let mut page = Vec::new();
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
        if inner.get_after_help().is_some() {
            man.render_extra_section(&mut page)?;
        }
        // Above them a page has one level of headings.
        let page = String::from_utf8_lossy(&page).replace(".SH ", ".SS ");
        let name = inner.get_display_name().unwrap_or(inner.get_name()).replace('-', " ").to_uppercase();
        text.extend_from_slice(format!(".SH {name}\n{page}").as_bytes());
    }
    Ok(())
}
