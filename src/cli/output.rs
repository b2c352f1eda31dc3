//! What is printed, and how the command ends.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use serde::Serialize;

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
    print_bytes(format!("{}{end}", visible(text)).as_bytes())
}

/// Prints a value as JSON, for scripts.
pub(super) fn print_json(value: &impl Serialize) -> Result<ExitCode, Failure> {
    print(&serde_json::to_string_pretty(value).map_err(|error| Failure::Usage(error.to_string()))?)
}

/// Writes a line to standard error. Nothing can be done where nobody takes it.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", visible(text));
}

/// The text with escapes, as JSON has them, for what a terminal would obey and a reader not see: control characters, and those
/// that turn the direction of a line. Files, tokens and error messages may have them.
fn visible(text: &str) -> Cow<'_, str> {
    let is_shown = |character: char| match character {
        '\n' | '\t' | ' '..='~' => true,
        '\0'..='\x1f' | '\x7f' => false,
        // The standard library escapes what cannot be printed.
        _ => character.escape_debug().count() == 1,
    };
    if text.chars().all(is_shown) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_shown(character) {
            shown.push(character);
        } else {
            let units =
                character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
            shown += &units;
        }
    }
    shown.into()
}

/// Prints bytes.
pub(super) fn print_bytes(bytes: &[u8]) -> Result<ExitCode, Failure> {
    let mut output = io::stdout().lock();
    written(output.write_all(bytes).and_then(|()| output.flush()))
}

/// How writing to standard output ended. Who reads it may have had enough.
pub(super) fn written(result: io::Result<()>) -> Result<ExitCode, Failure> {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::from_writing(error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_that_a_terminal_obeys_or_a_reader_does_not_see() {
        for (text, expected) in [
            ("J\u{fc}rgen \u{20ac}\n\tx", "J\u{fc}rgen \u{20ac}\n\tx"),
            ("\x1b[2J\r", "\\u001b[2J\\u000d"),
            ("a\u{202e}b\u{9b}\x7f", "a\\u202eb\\u009b\\u007f"),
            ("\u{e0041}", "\\udb40\\udc41"),
        ] {
            assert_eq!(visible(text), expected);
        }
    }
}
