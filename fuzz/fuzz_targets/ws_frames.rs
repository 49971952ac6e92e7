#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| hostpool::fuzzing::ws_frames(data));
