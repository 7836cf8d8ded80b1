//! Every single bit of every metadata file, flipped: each is refused, and the device's state stays as good as it was.

use geminios_update_format::metadata::RoleName;

use crate::made::{NOW, Plan, refresh};

#[test]
fn any_flipped_bit_is_refused() {
    let mut plan = Plan::new();
    plan.roles.insert(RoleName::Root, (vec![1, 5], 2));
    let (mut files, state) = plan.repository();
    let mut rotated = plan.clone();
    rotated.roles.insert(RoleName::Root, (vec![1, 6], 2));
    rotated.root(2, Some(&plan), &mut files);
    let good = refresh(&files, &mut state.clone(), NOW).unwrap();

    // 1.root.json is in the image; the client never fetches it.
    let names: Vec<String> = files
        .keys()
        .filter(|name| !name.contains("/1.root") && name.starts_with("metadata/"))
        .cloned()
        .collect();
    assert_eq!(names.len(), 4);
    let mut flipped = 0;
    for name in names {
        for bit in 0..files[&name].len() * 8 {
            files.get_mut(&name).unwrap()[bit / 8] ^= 1 << (bit % 8);
            let mut kept = state.clone();
            let refusal = refresh(&files, &mut kept, NOW);
            assert!(refusal.is_err(), "bit {bit} of {name}");
            files.get_mut(&name).unwrap()[bit / 8] ^= 1 << (bit % 8);
            // Most states are the same: one in some hundred is enough.
            if bit % 331 == 0 {
                let again = refresh(&files, &mut kept, NOW).unwrap();
                assert_eq!(again.targets_version(), good.targets_version(), "after bit {bit} of {name}");
            }
            flipped += 1;
        }
    }
    eprintln!("{flipped} bits");
}

#[test]
fn any_flipped_bit_of_a_target_is_refused() {
    let (files, mut state) = Plan::new().repository();
    let trusted = refresh(&files, &mut state, NOW).unwrap();
    let target = trusted.targets().next().unwrap();
    let bytes = &files[&format!("targets/{}", target.path())];
    target.check(bytes).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(target.check(&bytes).is_err(), "bit {bit}");
    }
    assert!(target.check(&bytes[1..]).is_err());
}

#[test]
fn any_flipped_bit_of_a_kept_state_is_refused_or_harmless() {
    let (files, mut state) = Plan::new().repository();
    refresh(&files, &mut state, NOW).unwrap();
    let bytes = state.to_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(read) = geminios_update_format::State::parse(&bytes) {
            // Nobody signed the state. But its root is signed, and stays what it was.
            assert_eq!(read.root(), state.root(), "bit {bit}");
        }
    }
}
