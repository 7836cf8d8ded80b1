use std::io::Read;

use geminios_compose::{Entry, Owner, Tree};
use liblzma::read::XzDecoder;

use super::{cpio, initrd};

const OWNER: Owner = Owner::Fixup("tests");

fn tree() -> Tree {
    let mut tree = Tree::new(OWNER, 1_700_000_000);
    let mut put = |path: &str, entry| tree.insert(path.parse().expect("a path"), entry).expect("a place");
    put("/dev", Entry::directory(OWNER, 1_700_000_000));
    put("/init", Entry::file("#!", OWNER, 1_700_000_001).with_mode(0o755));
    put("/link", Entry::symlink("init", OWNER, 1_700_000_002));
    tree
}

/// `inode mode:links uid:gid mtime device name data`, one line a member.
fn listing(archive: &[u8]) -> String {
    let (mut out, mut at) = (String::new(), 0);
    loop {
        let field = |i: usize| {
            let digits = &archive[at + 6 + i * 8..at + 14 + i * 8];
            u32::from_str_radix(std::str::from_utf8(digits).expect("text"), 16).expect("a number")
        };
        assert_eq!(&archive[at..at + 6], b"070701");
        let (size, length) = (field(6) as usize, field(11) as usize);
        let name = std::str::from_utf8(&archive[at + 110..at + 110 + length - 1]).expect("text");
        let data = (at + 110 + length).next_multiple_of(4);
        let text = String::from_utf8_lossy(&archive[data..data + size]);
        if name == "TRAILER!!!" {
            return out;
        }
        let (device, id) = ((field(9), field(10)), (field(2), field(3)));
        out += &format!(
            "{} {:06o}:{} {}:{} {} {}:{} {name} {text:?}\n",
            field(0),
            field(1),
            field(4),
            id.0,
            id.1,
            field(5),
            device.0,
            device.1
        );
        at = (data + size).next_multiple_of(4);
    }
}

#[test]
fn members_follow_the_tree_and_the_console_is_there() {
    let expected = "\
        1 040755:2 0:0 1700000000 0:0 dev \"\"\n\
        2 020600:1 0:0 1700000000 5:1 dev/console \"\"\n\
        3 100755:1 0:0 1700000001 0:0 init \"#!\"\n\
        4 120777:1 0:0 1700000002 0:0 link \"init\"\n";
    assert_eq!(listing(&cpio(&tree()).expect("an archive")), expected);
}

#[test]
fn a_tree_without_dev_gets_one() {
    let tree = Tree::new(OWNER, 7);
    let expected = "1 040755:2 0:0 7 0:0 dev \"\"\n2 020600:1 0:0 7 5:1 dev/console \"\"\n";
    assert_eq!(listing(&cpio(&tree).expect("an archive")), expected);
}

#[test]
fn the_initrd_is_an_xz_the_kernel_reads() {
    let packed = initrd(&tree()).expect("an initrd");
    let mut archive = Vec::new();
    XzDecoder::new(&packed[..]).read_to_end(&mut archive).expect("xz");
    assert_eq!(archive, cpio(&tree()).expect("an archive"));
    // Stream flags: CRC32 is check 1 (The .xz File Format 1.2.1, section 2.1.1.2).
    assert_eq!(packed[..8], [0xfd, b'7', b'z', b'X', b'Z', 0, 0, 1]);
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    assert_eq!(initrd(&tree()).expect("an initrd"), initrd(&tree()).expect("an initrd"));
}

#[test]
fn content_that_left_the_store_is_named() {
    let mut tree = tree();
    let gone = geminios_compose::Content::Blob {
        path: std::path::Path::new("/nowhere/blob").into(),
        offset: 0,
        size: 1,
        id: geminios_model::Digest::of(""),
    };
    tree.insert("/gone".parse().expect("a path"), Entry::file(gone, OWNER, 0)).expect("a place");
    assert!(initrd(&tree).expect_err("gone").to_string().starts_with("/gone of the initrd cannot be read"));
}
