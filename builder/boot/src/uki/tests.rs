use super::{Uki, section};
use crate::error::BootError;

const X64: u16 = 0x8664;

/// A small EFI program: one section of code whose bytes begin where the room for headers ends.
fn program(machine: u16, headers: u32, memory: u32) -> Vec<u8> {
    let mut out = vec![0; headers as usize + 0x200];
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(60, &64u32.to_le_bytes());
    put(64, b"PE\0\0");
    put(68, &machine.to_le_bytes());
    put(70, &1u16.to_le_bytes());
    put(72, &0x5eed_5eedu32.to_le_bytes()); // time stamp
    put(84, &240u16.to_le_bytes());
    put(88, &0x20bu16.to_le_bytes());
    put(88 + 32, &0x1000u32.to_le_bytes());
    put(88 + 36, &0x200u32.to_le_bytes());
    put(88 + 56, &memory.to_le_bytes());
    put(88 + 60, &headers.to_le_bytes());
    put(88 + 64, &0xbadu32.to_le_bytes()); // checksum
    put(88 + 108, &16u32.to_le_bytes());
    put(TABLE, b".text\0\0\0");
    put(TABLE + 8, &0x123u32.to_le_bytes());
    put(TABLE + 12, &0x1000u32.to_le_bytes());
    put(TABLE + 16, &0x200u32.to_le_bytes());
    put(TABLE + 20, &headers.to_le_bytes());
    put(headers as usize, b"code");
    out
}

const TABLE: usize = 64 + 4 + 20 + 240;

fn uki<'a>(stub: &'a [u8], kernel: &'a [u8]) -> Uki<'a> {
    Uki { stub, kernel, initrd: b"initrd", cmdline: "quiet", os_release: "ID=geminios\n", uname: "6.12" }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

#[test]
fn what_went_in_is_read_back() {
    let (stub, kernel) = (program(X64, 0x400, 0x2000), program(X64, 0x400, 0x9000));
    let image = uki(&stub, &kernel).build().expect("built");
    assert_eq!(section(&image, ".cmdline"), Some(&b"quiet"[..]));
    assert_eq!(section(&image, ".osrel"), Some(&b"ID=geminios\n"[..]));
    assert_eq!(section(&image, ".uname"), Some(&b"6.12"[..]));
    assert_eq!(section(&image, ".initrd"), Some(&b"initrd"[..]));
    assert_eq!(section(&image, ".linux"), Some(&kernel[..]));
    assert_eq!(section(&image, ".dtb"), None);
}

#[test]
fn sections_are_aligned_and_the_kernel_has_room_to_unpack() {
    let (stub, kernel) = (program(X64, 0x400, 0x2000), program(X64, 0x400, 0x9000));
    let image = uki(&stub, &kernel).build().expect("built");
    let rows: Vec<(String, u32, u32, u32)> = (0..6)
        .map(|i| TABLE + i * 40)
        .map(|at| {
            let name = String::from_utf8_lossy(&image[at..at + 8]).trim_end_matches('\0').to_owned();
            (name, number(&image, at + 12), number(&image, at + 8), number(&image, at + 20))
        })
        .collect();
    let expected = [
        (".text", 0x1000, 0x123, 0x400),
        (".osrel", 0x2000, 12, 0x600),
        (".cmdline", 0x3000, 5, 0x800),
        (".uname", 0x4000, 4, 0xa00),
        (".initrd", 0x5000, 6, 0xc00),
        (".linux", 0x6000, 0x9000, 0xe00),
    ];
    assert_eq!(rows, expected.map(|(name, address, memory, raw)| (name.to_owned(), address, memory, raw)));
    assert_eq!(number(&image, 88 + 56), 0xf000, "size of the image in memory");
    assert_eq!(number(&image, 88 + 8), 5 * 0x200 + 0x400, "initialized data");
}

#[test]
fn neither_time_nor_checksum_of_the_stub_is_kept() {
    let (stub, kernel) = (program(X64, 0x400, 0x2000), program(X64, 0x400, 0x9000));
    let image = uki(&stub, &kernel).build().expect("built");
    assert_eq!((number(&image, 72), number(&image, 88 + 64)), (0, 0));
}

#[test]
fn the_stubs_signature_is_taken_out() {
    let (mut stub, kernel) = (program(X64, 0x400, 0x2000), program(X64, 0x400, 0x9000));
    let unsigned = uki(&stub, &kernel).build().expect("built");
    let (directory, end) = (88 + 112 + 4 * 8, stub.len() as u32);
    stub[directory..directory + 4].copy_from_slice(&end.to_le_bytes());
    stub[directory + 4..directory + 8].copy_from_slice(&64u32.to_le_bytes());
    stub.extend([0xcc; 64]);
    assert_eq!(uki(&stub, &kernel).build().expect("built"), unsigned);
}

#[test]
fn a_stub_without_header_room_is_refused() {
    let (stub, kernel) = (program(X64, 0x200, 0x2000), program(X64, 0x400, 0x9000));
    let error = uki(&stub, &kernel).build().expect_err("no room");
    assert!(matches!(error, BootError::HeaderRoom { room: 3, needed: 5 }), "{error}");
}

#[test]
fn bytes_behind_the_section_table_are_no_room() {
    let (mut stub, kernel) = (program(X64, 0x400, 0x2000), program(X64, 0x400, 0x9000));
    stub[TABLE + 2 * 40] = 1;
    let error = uki(&stub, &kernel).build().expect_err("no room");
    assert!(matches!(error, BootError::HeaderRoom { room: 1, .. }), "{error}");
}

#[test]
fn a_kernel_of_another_machine_is_refused() {
    let (stub, kernel) = (program(X64, 0x400, 0x2000), program(0xaa64, 0x400, 0x9000));
    let error = uki(&stub, &kernel).build().expect_err("another machine");
    assert!(matches!(error, BootError::Machines { stub: X64, kernel: 0xaa64 }), "{error}");
}

#[test]
fn a_kernel_that_is_no_efi_program_is_named() {
    let stub = program(X64, 0x400, 0x2000);
    let error = uki(&stub, b"\x7fELF").build().expect_err("no PE");
    assert!(error.to_string().starts_with("the kernel cannot be part of a unified kernel image"), "{error}");
}

/// Whatever a stub holds, it ends in an image or in an error.
#[test]
fn hostile_headers_stop_nothing() {
    let (stub, kernel) = (program(X64, 0x400, 0x2000), program(X64, 0x400, 0x9000));
    for at in 0..TABLE + 40 {
        for value in [0x00, 0x01, 0x7f, 0x80, 0xff] {
            let mut hostile = stub.clone();
            hostile[at] = value;
            drop(uki(&hostile, &kernel).build());
            drop(uki(&stub, &hostile).build());
            section(&hostile, ".text");
        }
    }
    for length in 0..stub.len() {
        drop(uki(&stub[..length], &kernel).build());
        section(&stub[..length], ".text");
    }
}
