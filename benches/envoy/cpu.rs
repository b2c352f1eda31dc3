//! What the kernel knows of Envoy's processes.

use std::fs;

/// CPU time of the worker threads since they started, in nanoseconds. The main thread is left out: it answers the
/// statistics that the bench asks for.
pub fn of_workers(process: u32) -> u64 {
    of_threads(process, "wrk:worker_")
}

/// CPU time of all threads that there are.
pub fn of_process(process: u32) -> u64 {
    of_threads(process, "")
}

fn of_threads(process: u32, prefix: &str) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap().map(|entry| entry.unwrap().path());
    let is_meant =
        |path: &std::path::PathBuf| fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with(prefix));
    let times: Vec<u64> = tasks.filter(is_meant).map(|path| on_cpu(&path.join("schedstat"))).collect();
    assert!(!times.is_empty(), "{process} has no thread `{prefix}`");
    times.iter().sum()
}

fn on_cpu(schedstat: &std::path::Path) -> u64 {
    let text = fs::read_to_string(schedstat).unwrap();
    text.split(' ').next().and_then(|time| time.parse().ok()).expect("the kernel keeps schedstat")
}

/// Resident memory in KiB.
pub fn resident(process: u32) -> u32 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
