#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (wristband_fuzz::target("credentials").run)(data));
