//! The functions that compiled code calls by name and that a C library would bring.
//!
//! Bytes move one by one through volatile access, so that the compiler does not see the loop of memcpy as
//! a call of memcpy. No more than a few hundred kilobytes are ever moved here.

use core::ffi::{c_char, c_int};

/// memcpy(3).
///
/// # Safety
/// As in C: both ranges are valid and do not overlap.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    for i in 0..length {
        // SAFETY: within both ranges.
        unsafe { to.add(i).write_volatile(from.add(i).read()) };
    }
    to
}

/// memmove(3).
///
/// # Safety
/// As in C: both ranges are valid.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= length {
        // SAFETY: the start of `to` is not inside `from`, so that going upwards reads each byte before it is overwritten.
        return unsafe { memcpy(to, from, length) };
    }
    for i in (0..length).rev() {
        // SAFETY: within both ranges.
        unsafe { to.add(i).write_volatile(from.add(i).read()) };
    }
    to
}

/// memset(3).
///
/// # Safety
/// As in C: the range is valid.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, value: c_int, length: usize) -> *mut u8 {
    for i in 0..length {
        // SAFETY: within the range.
        unsafe { to.add(i).write_volatile(value as u8) };
    }
    to
}

/// memcmp(3).
///
/// # Safety
/// As in C: both ranges are valid.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, length: usize) -> c_int {
    for i in 0..length {
        // SAFETY: within both ranges.
        let (a, b) = unsafe { (a.add(i).read_volatile(), b.add(i).read_volatile()) };
        if a != b {
            return c_int::from(a) - c_int::from(b);
        }
    }
    0
}

/// bcmp(3).
///
/// # Safety
/// As in C: both ranges are valid.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, length: usize) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { memcmp(a, b, length) }
}

/// strlen(3).
///
/// # Safety
/// As in C: the string ends with a zero.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const c_char) -> usize {
    let mut length = 0;
    // SAFETY: not beyond the zero.
    while unsafe { text.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}

/// Debian's `alloc` was compiled to unwind and names these two; a panic here ends in a reboot and never unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// See [`rust_eh_personality`].
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    crate::console::give_up("defect in geminios-init: unwinding")
}
