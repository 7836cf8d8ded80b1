//! The door to the kernel.

#[cfg(target_arch = "x86_64")]
mod numbers {
    pub const RT_SIGPROCMASK: usize = 14;
    pub const RT_SIGTIMEDWAIT: usize = 128;
    pub const WAIT4: usize = 61;
    pub const EXIT_GROUP: usize = 231;
}
#[cfg(target_arch = "aarch64")]
mod numbers {
    pub const RT_SIGPROCMASK: usize = 135;
    pub const RT_SIGTIMEDWAIT: usize = 137;
    pub const WAIT4: usize = 260;
    pub const EXIT_GROUP: usize = 94;
}
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("geminios-pause knows no system calls of this architecture yet; add them in src/syscall.rs");

pub use numbers::{EXIT_GROUP, RT_SIGPROCMASK, RT_SIGTIMEDWAIT, WAIT4};

/// A system call of up to four arguments; gives what the kernel gives, an error as its negative number.
///
/// # Safety
/// As the call's manual page says.
pub unsafe fn syscall(number: usize, [a, b, c, d]: [usize; 4]) -> isize {
    let result: isize;
    // SAFETY: the caller vouches for the arguments; the kernel clobbers rcx and r11 (System V ABI, A.2.1).
    #[cfg(target_arch = "x86_64")]
    unsafe {
        core::arch::asm!("syscall", inlateout("rax") number => result, in("rdi") a, in("rsi") b, in("rdx") c,
            in("r10") d, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    // SAFETY: the caller vouches for the arguments; the kernel keeps all registers but x0.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        core::arch::asm!("svc #0", in("x8") number, inlateout("x0") a => result, in("x1") b, in("x2") c,
            in("x3") d, options(nostack));
    }
    result
}
