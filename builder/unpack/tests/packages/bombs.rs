//! Small packages that would fill the disk or the memory.

use std::io::{self, Read};

use crate::package::{container, control_part, file, part, tar, version_part};
use crate::world::World;

const MIB: u64 = 1 << 20;

/// So many zeros, packed.
fn zeros(compression: &str, bytes: u64) -> Vec<u8> {
    let mut zeros = io::repeat(0).take(bytes);
    let mut out = Vec::new();
    match compression {
        ".gz" => {
            let mut encoder = flate2::write::GzEncoder::new(&mut out, flate2::Compression::best());
            io::copy(&mut zeros, &mut encoder).unwrap();
            encoder.finish().unwrap();
        }
        ".xz" => drop(liblzma::read::XzEncoder::new(zeros, 1).read_to_end(&mut out).unwrap()),
        _ => zstd::stream::copy_encode(zeros, &mut out, 1).unwrap(),
    }
    out
}

#[test]
fn data_that_unpacks_beyond_reason_is_refused_and_not_kept() {
    let world = World::new();
    for compression in [".gz", ".xz", ".zst"] {
        let bomb = zeros(compression, 90 * MIB);
        let limit = bomb.len() as u64 * 100 + 64 * MIB;
        assert!(limit < 90 * MIB, "not much of a bomb: {} bytes", bomb.len());
        let part = part(&format!("data.tar{compression}"), &bomb);
        let found = world.refusal_without_trace(&container(&[version_part(), control_part(), part]));
        assert_eq!(
            found,
            format!("demo 1.0: it unpacks to more than {limit} bytes, which is beyond reason for its size")
        );
    }
}

#[test]
fn control_data_that_unpacks_beyond_reason_is_refused() {
    let world = World::new();
    for compression in [".gz", ".xz", ".zst"] {
        let control = part(&format!("control.tar{compression}"), &zeros(compression, 65 * MIB));
        let data = part("data.tar", &tar(&[file("./x", "")]));
        let found = world.refusal_without_trace(&container(&[version_part(), control, data]));
        assert_eq!(
            found,
            "the package in /the.deb: control.tar: it unpacks to more than 67108864 bytes, which is beyond reason for its size"
        );
    }
}

#[test]
fn a_window_that_takes_too_much_memory_is_refused() {
    let world = World::new();
    let archive = tar(&[file("./x", "")]);
    // A dictionary of 256 MiB in xz, a window of the same size in zstd.
    let mut options = liblzma::stream::LzmaOptions::new_preset(0).unwrap();
    options.dict_size(256 << 20);
    let mut filters = liblzma::stream::Filters::new();
    filters.lzma2(&options);
    let stream =
        liblzma::stream::Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc64).unwrap();
    let mut xz = Vec::new();
    liblzma::read::XzEncoder::new_stream(&*archive, stream).read_to_end(&mut xz).unwrap();
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(28).unwrap();
    io::copy(&mut &*archive, &mut encoder).unwrap();
    let zst = encoder.finish().unwrap();
    for (compression, bytes) in [(".xz", xz), (".zst", zst)] {
        let part = part(&format!("data.tar{compression}"), &bytes);
        let found = world.refusal_without_trace(&container(&[version_part(), control_part(), part]));
        assert!(
            found.starts_with("demo 1.0: data.tar: it is cut short or damaged: "),
            "{compression}: {found}"
        );
    }
}
