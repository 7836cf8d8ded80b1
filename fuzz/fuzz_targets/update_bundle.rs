//! The index of a bundle. The files of one that is read lie one after the other and fill it, and a cut of it is refused.
#![no_main]

use geminios_fuzz::resealed_tar;
use geminios_update_format::bundle::{BundleError, Entry, index};
use geminios_update_format::name::TargetName;
use libfuzzer_sys::fuzz_target;

fn indexed(bytes: &[u8]) -> Result<Vec<(String, Entry)>, BundleError> {
    let mut read_at = |at: u64, buffer: &mut [u8]| {
        buffer.copy_from_slice(&bytes[at as usize..at as usize + buffer.len()]);
        Ok(())
    };
    let mut entries: Vec<_> = index(bytes.len() as u64, &mut read_at)?.into_iter().collect();
    entries.sort_by_key(|(_, entry)| entry.offset);
    Ok(entries)
}

fuzz_target!(|data: &[u8]| {
    for bytes in [data.to_vec(), resealed_tar(data)] {
        match indexed(&bytes) {
            Ok(entries) => {
                let mut at = 0;
                for (name, entry) in entries {
                    assert!(TargetName::parse(&name).is_ok());
                    assert_eq!(entry.offset, at + 512);
                    at = entry.offset + entry.size.next_multiple_of(512);
                }
                assert_eq!(at + 1024, bytes.len() as u64);
                for cut in [bytes.len() - 1, bytes.len() / 2, bytes.len() - 512] {
                    assert!(matches!(indexed(&bytes[..cut]), Err(BundleError::Cut { .. })));
                }
            }
            Err(error) => assert!(error.to_string().chars().all(|c| c == '\n' || !c.is_control()), "{error:?}"),
        }
    }
});
