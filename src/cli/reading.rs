//! The one configuration of a file that a command is about.

use std::path::PathBuf;

use super::Which;
use super::find::{self, Found};
use super::host::Shell;
use super::input::{shown, text};
use super::output::Failure;
use crate::compile::{self, Compiled};
use crate::jose::path::harmless;

/// Which configuration a command is about.
pub(super) struct Request {
    file: PathBuf,
    plugin: Option<String>,
    env_file: Option<PathBuf>,
}

impl Request {
    pub(super) fn new(file: PathBuf, which: &Which) -> Self {
        Self { file, plugin: which.plugin.clone(), env_file: which.variables.env_file.clone() }
    }

    /// The host with the variables that were asked for.
    pub(super) fn host(&self) -> Result<Shell, Failure> {
        Shell::new(self.env_file.as_deref())
    }

    /// The configuration. Where the file has several, it is chosen by its name.
    pub(super) fn found(&self) -> Result<Found, Failure> {
        let file = shown(&self.file);
        let source = text(&self.file)?;
        let found = find::configurations(&source).map_err(|error| {
            Failure::Usage(format!("{file}:{}:{}: {}", error.place.line, error.place.column, error.message))
        })?;
        let named = |found: &Found| found.name.as_deref().and_then(harmless).unwrap_or("<plugin>").to_owned();
        let names: Vec<_> = found.iter().map(named).collect();
        let mut chosen = found.into_iter().filter(|found| self.plugin.is_none() || found.name == self.plugin);
        match (chosen.next(), chosen.next()) {
            (Some(only), None) => Ok(only),
            (None, _) if names.is_empty() => {
                Err(Failure::Usage(format!("{file}: no configuration of wristband is in it")))
            }
            (None, _) => Err(Failure::Usage(format!("{file}: no such plugin; it has {}", names.join(", ")))),
            (Some(_), Some(_)) => {
                Err(Failure::Usage(format!("{file}: has several; choose one with --plugin: {}", names.join(", "))))
            }
        }
    }

    /// The configuration, ready for use.
    pub(super) fn compiled(&self, host: &Shell) -> Result<Compiled, Failure> {
        self.compile(&self.found()?, host)
    }

    /// A configuration of the file, ready for use.
    pub(super) fn compile(&self, found: &Found, host: &Shell) -> Result<Compiled, Failure> {
        compile::load(&found.bytes, host).map_err(|problems| {
            let file = shown(&self.file);
            let lines = problems.iter().map(|problem| {
                let place = found.place_of(&problem.path);
                format!("{file}:{}:{}: {problem}", place.line, place.column)
            });
            Failure::No(lines.collect::<Vec<_>>().join("\nwristband: "))
        })
    }
}
