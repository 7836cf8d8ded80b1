//! Archives that cannot be taken: what is said, and that nothing of them is kept.

use geminios_model::{Arch, BlobKind, Digest};
use geminios_oci::{Archive, ImageError};

use crate::made::{Made, World, blob, tar};

fn said(error: &ImageError) -> String {
    format!("{error}\n{}", error.help().unwrap_or_default())
}

#[test]
fn files_that_are_no_oci_archive() {
    let world = World::new();
    let path = world.dir.path().join("app.tar");
    let missing = Archive::open(&path).unwrap_err();
    assert!(
        said(&missing).contains("there is no archive") && said(&missing).contains("skopeo copy"),
        "{missing}"
    );
    let folder = Archive::open(world.dir.path()).unwrap_err();
    assert!(said(&folder).contains("is a folder") && said(&folder).contains("tar -C "), "{folder}");
    let docker = [("manifest.json".to_owned(), b"[]".to_vec()), ("repositories".to_owned(), b"{}".to_vec())];
    let cases: [(&str, Vec<u8>, [&str; 2]); 6] = [
        ("gzip", b"\x1f\x8b\x08\0\0\0".to_vec(), ["compressed with gzip", "gzip -d "]),
        ("zstd", b"\x28\xb5\x2f\xfd\0\0".to_vec(), ["compressed with zstd", "zstd -d "]),
        ("docker save", tar(&docker.into()), ["one of `docker save`", "oci-archive:app.tar"]),
        ("another tar", tar(&[("a".to_owned(), vec![1])].into()), ["has no oci-layout", "skopeo copy"]),
        ("no tar", vec![7; 2000], ["not an OCI archive", "skopeo copy"]),
        ("empty", Vec::new(), ["not an OCI archive", "skopeo copy"]),
    ];
    for (what, bytes, words) in cases {
        std::fs::write(&path, bytes).unwrap();
        let error = Archive::open(&path).unwrap_err();
        for word in words {
            assert!(said(&error).contains(word), "{what}: {}", said(&error));
        }
    }
    let whole = tar(&Made::new().files);
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let cut = Archive::open(&path).unwrap_err();
    assert!(matches!(cut, ImageError::Truncated { .. } | ImageError::NotOci { .. }), "{cut}");
}

#[test]
fn an_archive_without_the_image_says_what_it_holds() {
    let made = Made::new();
    let error = World::new().resolve(&made, Digest::of("another"), Arch::Amd64).unwrap_err();
    assert!(matches!(error, ImageError::NotInside { .. }), "{error}");
    assert!(said(&error).contains(&format!("it holds sha256:{} (1.2)", made.index)), "{}", said(&error));
}

#[test]
fn every_blob_is_held_against_its_digest() {
    let made = Made::new();
    for (kind, digest) in [
        (BlobKind::Manifest, made.index),
        (BlobKind::Manifest, made.manifest),
        (BlobKind::Config, made.config),
        (BlobKind::Layer, made.layer),
    ] {
        let (flipped, lost, short) = (
            spoilt(&made, &digest, |b| b[0] ^= 1),
            {
                let mut lost = made.clone();
                lost.files.remove(&blob(&digest));
                lost
            },
            spoilt(&made, &digest, |b| b.truncate(b.len() - 1)),
        );
        for (what, made) in [("flipped", flipped), ("lost", lost), ("short", short)] {
            let world = World::new();
            let error = take(&world, &made).expect_err("it was taken");
            let named = error.to_string().contains(&digest.to_string());
            assert!(named, "{what} {}: {error}", kind.name());
            let fits = match what {
                "flipped" => matches!(error, ImageError::WrongBlob { .. }),
                "lost" => matches!(error, ImageError::NoBlob { .. } | ImageError::NotInside { .. }),
                _ => matches!(error, ImageError::WrongSize { .. } | ImageError::WrongBlob { .. }),
            };
            assert!(fits, "{what} {}: {error}", kind.name());
            assert!(world.store.get(&digest).unwrap().is_none());
        }
    }
}

fn spoilt(made: &Made, digest: &Digest, change: impl Fn(&mut Vec<u8>)) -> Made {
    let mut made = made.clone();
    change(made.files.get_mut(&blob(digest)).unwrap());
    made
}

/// As a profile's image is locked and fetched from an archive.
fn take(world: &World, made: &Made) -> Result<(), ImageError> {
    let image = world.resolve(made, made.index, Arch::Amd64)?;
    let archive = Archive::open(&world.archive(&made.files))?;
    image.blobs.iter().try_for_each(|blob| archive.take(blob, &world.store).map(drop))
}

#[test]
fn a_good_archive_is_taken() {
    let (world, made) = (World::new(), Made::new());
    take(&world, &made).unwrap();
    assert!(world.store.get(&made.layer).unwrap().is_some());
}
