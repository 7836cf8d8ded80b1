use geminios_model::Arch;

use super::Plan;
use crate::bmap::Range;
use crate::error::DiskError;
use crate::sample::Sample;

const MIB: u64 = 1 << 20;

#[test]
fn a_plan_says_what_goes_where() {
    let sample = Sample::new();
    let hash = sample.sealed.root_hash.to_string();
    let half = |at: usize| {
        let h = &hash[at..];
        [&h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..32]].join("-")
    };
    let plan = sample.plan().to_string();
    let rows: Vec<&str> = plan.lines().collect();
    let (esp, root, verity) =
        ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", Arch::Amd64.root_type(), Arch::Amd64.root_verity_type());
    let begins = [
        "disk ".to_owned(),
        format!("esp            at     1 size    34 type {esp} id "),
        format!("root-a         at    35 size     2 type {root} id {} flags 1000000000000000 erofs", half(0)),
        format!(
            "root-a-verity  at    37 size     1 type {verity} id {} flags 1000000000000000 verity",
            half(32)
        ),
        format!("root-b         at    38 size     2 type {root} id "),
        format!("root-b-verity  at    40 size     1 type {verity} id "),
        "config         at    41 size     2 type 0fc63daf-8483-4772-8e79-3d69d8477de4 id ".to_owned(),
    ];
    assert_eq!(rows.len(), begins.len());
    for (row, begin) in rows.iter().zip(begins) {
        assert!(row.starts_with(&begin), "{row}\nis not\n{begin}");
    }
    assert!(rows[0].ends_with(" 44 MiB, smallest 108 MiB"), "{}", rows[0]);
    assert!(rows[4].ends_with(" flags 9000000000000000 -"), "slot B is empty and left alone: {}", rows[4]);
}

#[test]
fn no_two_partitions_share_an_id_and_all_follow_the_root_hash() {
    let sample = Sample::new();
    let (one, mut other) = (sample.plan(), Sample::new());
    other.sealed.root_hash = geminios_model::Digest::of("another");
    let mut ids: Vec<_> = [&one, &other.plan()]
        .iter()
        .flat_map(|plan| plan.table.partitions.iter().map(|p| p.guid).chain([plan.table.disk]))
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 14);
}

/// A disk that had another system must not keep its superblocks, its identity or its file tables.
#[test]
fn what_must_be_written_covers_all_that_is_looked_at() {
    let plan = Sample::new().plan();
    let whole = |start: u64, size: u64| Range { start: start * MIB, size };
    let expected = [
        whole(0, MIB),
        whole(1, 34 * MIB),
        Range { start: 35 * MIB, size: 300 * 4096 },
        Range { start: 37 * MIB, size: 5 * 4096 },
        whole(38, MIB),
        whole(40, MIB),
        whole(41, 2 * MIB),
        whole(43, MIB),
    ];
    assert_eq!(plan.mapped, expected);
}

#[test]
fn a_part_above_its_partition_is_refused() {
    let sample = Sample::new();
    let plan = Plan::new("x86-edge", Arch::Amd64, &Sample::sizes(1), &sample.sealed, &sample.esp);
    let error = plan.expect_err("too large");
    assert!(
        matches!(error, DiskError::TooLarge { partition: "root-a", size: 1_228_800, room: MIB }),
        "{error}"
    );
}
