use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use geminios_model::{Digest, Silent};

use super::{Outputs, write, write_sums};
use crate::sample::Sample;

fn written(sample: &Sample, name: &str, threads: usize) -> Outputs {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    pool.install(|| write(&sample.plan(), sample.dir.path(), name, true, &Silent)).expect("written")
}

#[test]
fn every_partition_holds_what_the_plan_says_and_the_rest_is_zero() {
    let sample = Sample::new();
    let outputs = written(&sample, "disk.raw", 2);
    let mut image = fs::read(&outputs.image.path).expect("read");
    let plan = sample.plan();
    assert_eq!(image.len() as u64, plan.table.size);
    for (start, path) in &plan.contents {
        let file = fs::read(path).expect("read");
        let place = &mut image[*start as usize..][..file.len()];
        assert!(place == &file[..], "{}", path.display());
        place.fill(0);
    }
    let (head, tail) = plan.table.encode();
    let end = image.len() - tail.len();
    assert!(image[..head.len()] == head[..] && image[end..] == tail[..], "the partition tables");
    assert!(image[head.len()..end].iter().all(|byte| *byte == 0), "something is where nothing belongs");
}

#[test]
fn the_same_plan_gives_the_same_bytes_with_any_number_of_threads() {
    let sample = Sample::new();
    let digests = |name, threads| {
        let outputs = written(&sample, name, threads);
        [outputs.image.sha256, outputs.bmap.sha256, outputs.compressed.expect("a copy").sha256]
    };
    let one = digests("1.raw", 1);
    assert_eq!(one, digests("2.raw", 2));
    assert_eq!(one, digests("5.raw", 5));
}

#[test]
fn sizes_and_digests_are_those_of_the_files() {
    let sample = Sample::new();
    let outputs = written(&sample, "disk.raw", 2);
    let packed = outputs.compressed.clone().expect("a copy");
    for output in [&outputs.image, &outputs.bmap, &packed] {
        let bytes = fs::read(&output.path).expect("read");
        assert_eq!(
            (bytes.len() as u64, Digest::of(&bytes)),
            (output.size, output.sha256),
            "{}",
            output.path.display()
        );
        assert_eq!(fs::metadata(&output.path).expect("a file").permissions().mode() & 0o777, 0o644);
    }
    let unpacked = zstd::decode_all(fs::File::open(&packed.path).expect("opened")).expect("zstd");
    assert!(unpacked == fs::read(&outputs.image.path).expect("read"), "the copy is not the image");
}

#[test]
fn the_image_is_sparse() {
    let sample = Sample::new();
    let outputs = written(&sample, "disk.raw", 2);
    let taken = fs::metadata(&outputs.image.path).expect("a file").blocks() * 512;
    assert!(taken < outputs.image.size / 4, "{taken} of {} bytes take room", outputs.image.size);
}

#[test]
fn the_sums_are_sorted_and_right() {
    let sample = Sample::new();
    let outputs = written(&sample, "disk.raw", 2);
    let packed = outputs.compressed.expect("a copy");
    write_sums(sample.dir.path(), [&packed, &outputs.image, &outputs.bmap]).expect("written");
    let expected = format!(
        "{}  disk.raw\n{}  disk.raw.bmap\n{}  disk.raw.zst\n",
        outputs.image.sha256, outputs.bmap.sha256, packed.sha256
    );
    assert_eq!(fs::read_to_string(sample.dir.path().join("SHA256SUMS")).expect("read"), expected);
}

#[test]
fn a_build_that_fails_leaves_the_last_one_alone() {
    let sample = Sample::new();
    let out = sample.dir.path().join("out");
    fs::create_dir(&out).expect("a folder");
    fs::write(out.join("disk.raw"), "the last one").expect("written");
    let plan = sample.plan();
    fs::remove_file(&sample.sealed.verity).expect("removed");
    let error = write(&plan, &out, "disk.raw", true, &Silent).expect_err("a part is gone");
    assert!(error.to_string().contains("/verity: No such file"), "{error}");
    assert_eq!(fs::read_to_string(out.join("disk.raw")).expect("read"), "the last one");
    assert_eq!(fs::read_dir(&out).expect("a folder").count(), 1, "something half-written is left");
}
