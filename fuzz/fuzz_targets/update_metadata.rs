//! Metadata of signed updates: each role's file, the kept state, and a client that is served the input at every step.
#![no_main]

use std::sync::LazyLock;

use geminios_update_format::metadata::{Body, Envelope, Root, Snapshot, Targets, Timestamp};
use geminios_update_format::write::Unsigned;
use geminios_update_format::{Client, Error, State, Step};
use libfuzzer_sys::fuzz_target;

static TRUSTED: LazyLock<State> =
    LazyLock::new(|| State::of_root(include_bytes!("update_metadata.root.json")).expect("the root is good"));

fuzz_target!(|input: (u8, &[u8])| {
    let (step, bytes) = input;
    read::<Root>(bytes);
    read::<Timestamp>(bytes);
    read::<Snapshot>(bytes);
    read::<Targets>(bytes);
    if let Ok(state) = State::parse(bytes) {
        let again = State::parse(&state.to_bytes()).expect("a state reads what it writes");
        assert_eq!(again, state);
    }
    if let Ok(state) = State::of_root(bytes) {
        assert_eq!(State::parse(&state.to_bytes()).expect("a state reads what it writes"), state);
    }
    serve(step, bytes);
});

/// What was read, written and read again is the same, and signed by the same.
fn read<T: Body + std::fmt::Debug + PartialEq>(bytes: &[u8]) {
    match Envelope::<T>::parse("x.json", bytes) {
        Ok(envelope) => {
            let unsigned = Unsigned::<T>::resume("x.json", bytes).expect("it was just read");
            let again = Envelope::<T>::parse("x.json", &unsigned.unfinished());
            // Canonical files are shorter but for control characters, which take more room escaped.
            if let Ok(again) = again {
                assert_eq!(again.unverified(), envelope.unverified());
            }
        }
        Err(error) => told(&error),
    }
}

/// Nobody has the key: whatever is served, the state stays that of the root.
fn serve(step: u8, bytes: &[u8]) {
    let mut client = Client::start(TRUSTED.clone(), 0, 0);
    let next = if step % 2 == 0 { client.take(bytes) } else { client.absent() };
    match next.and_then(|_| client.take(bytes)) {
        Ok(Step::Done(_) | Step::Fetch(_)) => panic!("unsigned bytes were believed"),
        Err(error) => told(&error),
    }
    assert_eq!(*client.state(), *TRUSTED);
}

fn told(error: &Error) {
    assert!(error.to_string().chars().all(|c| c == '\n' || !c.is_control()), "{error:?}");
}
