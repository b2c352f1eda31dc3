//! What is printed, and how the command ends.

use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

/// Why the command does not do what it was asked for.
#[derive(Debug)]
pub(super) enum Failure {
    /// The answer is no.
    No(String),
    /// It was called wrongly, or a file cannot be read or would be overwritten.
    Usage(String),
}

impl Failure {
    pub(super) fn code(&self) -> ExitCode {
        match self {
            Self::No(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
        }
    }

    pub(super) fn from_writing(error: io::Error) -> Self {
        Self::Usage(format!("standard output: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::No(text) | Self::Usage(text)) = self;
        formatter.write_str(text)
    }
}

/// Prints a text, with a line feed at its end.
pub(super) fn print(text: &str) -> Result<ExitCode, Failure> {
    let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    print_bytes(format!("{text}{end}").as_bytes())
}

/// Prints bytes. Who reads them may have had enough.
pub(super) fn print_bytes(bytes: &[u8]) -> Result<ExitCode, Failure> {
    let mut output = io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::from_writing(error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}
