#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (wristband_fuzz::target("es256").run)(data));
