//! Files, as they are named on the command line.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use super::output::Failure;

/// The text of a file; `-` is standard input.
pub(super) fn text(file: &Path) -> Result<String, Failure> {
    String::from_utf8(bytes(file)?).map_err(|_| Failure::Usage(format!("{}: is not UTF-8", shown(file))))
}

/// What a file has in it, in whatever encoding; `-` is standard input.
pub(super) fn bytes(file: &Path) -> Result<Vec<u8>, Failure> {
    let read = if file == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(file)
    };
    read.map_err(|error| Failure::Usage(format!("{}: {error}", shown(file))))
}

/// A file as messages name it.
pub(super) fn shown(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}
