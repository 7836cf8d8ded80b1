//! Both copies of U-Boot's environment. What is read can be changed, and a write that is torn leaves old or new.
#![no_main]

use geminios_slots::backend::Pair;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, u16, u8, &[u8])| {
    let (mend, cut, value, bytes) = input;
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let mut copies = vec![first.to_vec(), second.to_vec()];
    let _ = Pair::parse(&copies);
    if mend {
        // Past the checksum, where no random byte comes.
        for copy in copies.iter_mut().filter(|copy| copy.len() > 4) {
            let sum = crc32fast::hash(&copy[5..]).to_le_bytes();
            copy[..4].copy_from_slice(&sum);
        }
    }
    let Ok(pair) = Pair::parse(&copies) else { return };
    let value = value.to_string();
    let Ok((number, written)) = pair.changed(&[("geminios_slot", &value)]) else { return };
    assert_ne!(number, pair.active);
    assert_eq!(written.len(), copies[number].len());
    let at = usize::from(cut) % written.len();
    copies[number][..at].copy_from_slice(&written[..at]);
    let torn = Pair::parse(&copies).expect("the other copy still counts");
    copies[number].copy_from_slice(&written);
    let new = Pair::parse(&copies).expect("both copies count");
    assert_eq!((new.active, new.environment.get("geminios_slot")), (number, Some(&*value)));
    let slot = |pair: &Pair| pair.environment.get("geminios_slot").map(str::to_owned);
    assert!([slot(&pair), slot(&new)].contains(&slot(&torn)));
});
