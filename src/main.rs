//! The command `wristband`.

use std::process::ExitCode;

fn main() -> ExitCode {
    wristband::cli::main()
}
