//! Requests without end: `wrk` with one thread and 16 connections that are kept alive.

use std::cell::Cell;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The header in which tokens come.
pub const TOKEN: &str = "x-wristband-token";
/// The header in which an earlier filter says who the caller is.
pub const USER: &str = "x-user";

const CONNECTIONS: &str = "16";

/// Requests of one kind.
pub struct Load {
    script: PathBuf,
    pub path: &'static str,
    pub headers: Vec<(&'static str, String)>,
    /// A file with a token a line. The requests take one after the other.
    pub tokens: Option<PathBuf>,
    /// Where in that file the next run goes on. One that began at the start would meet the tokens of the last run, which
    /// would make a list a shorter one.
    position: Cell<u64>,
}

impl Load {
    pub fn new(
        directory: &Path,
        name: &str,
        path: &'static str,
        headers: Vec<(&'static str, String)>,
        tokens: Option<&Path>,
    ) -> Self {
        let script = directory.join(format!("{name}.lua"));
        fs::write(&script, lua(path, &headers, tokens)).unwrap();
        Self { script, path, headers, tokens: tokens.map(Path::to_owned), position: Cell::new(0) }
    }

    /// Sends for so long. It ends in the middle of its requests: `wrk` counts in whole seconds, and Envoy counts what was
    /// answered.
    pub fn run(&self, url: &str, time: Duration) {
        let mut wrk = Command::new("wrk")
            .args(["--threads", "1", "--connections", CONNECTIONS, "--duration", "600s", "--script"])
            .arg(&self.script)
            .args([url, "--", &self.position.get().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("`make bench` installs wrk");
        std::thread::sleep(time);
        let ended = wrk.try_wait().unwrap();
        assert!(ended.is_none(), "wrk ended by itself: {ended:?}");
        wrk.kill().unwrap();
        wrk.wait().unwrap();
    }

    /// Notes how many requests were answered. What was under way is left out as well.
    pub fn advance(&self, answered: u64) {
        self.position.set(self.position.get() + answered + 64);
    }
}

/// The requests are put together before the first one is sent, so that the generator takes little of the machine.
fn lua(path: &str, headers: &[(&str, String)], tokens: Option<&Path>) -> String {
    let mut script = "local headers, requests, position = {}, {}, 0\n".to_owned();
    for (name, value) in headers {
        writeln!(script, "headers[{name:?}] = {value:?}").unwrap();
    }
    let add = format!("requests[#requests + 1] = wrk.format('GET', {path:?}, headers)");
    let fill = match tokens {
        Some(file) => format!("for token in io.lines({file:?}) do headers[{TOKEN:?}] = token; {add} end"),
        None => add,
    };
    writeln!(script, "function init(arguments) position = tonumber(arguments[1]); {fill} end").unwrap();
    script + "function request() position = position % #requests + 1; return requests[position] end\n"
}
