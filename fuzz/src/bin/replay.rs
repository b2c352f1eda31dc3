#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (wristband_fuzz::target("replay").run)(data));
