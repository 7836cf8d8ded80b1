//! release.json. One that is read is written as it was read; its pieces are the image, and a plan never asks for more.
#![no_main]

use geminios_update_format::release::{Blob, Have, PackRange, Range, Release, choose};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| match Release::parse("release.json", bytes) {
    Ok(release) => {
        if let Ok(again) = release.to_bytes() {
            assert_eq!(Release::parse("again", &again).expect("it reads what it writes"), release);
        }
        for (_, image) in release.images() {
            for pieces in std::iter::once(&image.whole).chain(image.deltas.iter().map(|delta| &delta.pieces))
            {
                assert_eq!(pieces.iter().map(|piece| piece.output.length).sum::<u64>(), image.size);
            }
        }
        // With chunks that are too dear: what an older image allows is never dearer than nothing.
        let pack = Blob { sha256: release.root_hash, size: u64::MAX };
        let range = PackRange { pack, range: Range { offset: 0, length: u64::MAX }, chunks: vec![0] };
        let mut have = Have::default();
        have.root.chunks = Some(vec![range]);
        let nothing = choose(&release, &have).root.bytes();
        have.root.bases = release.root.deltas.iter().map(|delta| delta.from).collect();
        assert!(choose(&release, &have).root.bytes() <= nothing);
    }
    Err(error) => assert!(error.to_string().chars().all(|c| c == '\n' || !c.is_control()), "{error:?}"),
});
