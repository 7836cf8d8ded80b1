//! Where the kernel enters the program, and where it leaves it: the first instructions, panics, execve.

use core::arch::global_asm;
use core::ffi::{CStr, c_char};
use core::panic::PanicInfo;

use alloc::format;
use rustix::io::Errno;

use crate::heap::Heap;
use crate::{boot, console};

#[global_allocator]
static HEAP: Heap = Heap::new();

// The kernel leaves argc at the stack pointer, argv, envp and the auxiliary vector above it (System V ABI,
// "Initial Process Stack"). A zero frame pointer marks the outermost frame; the ABIs align the stack to 16.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {start}",
    "ud2",
    start = sym start
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, #0",
    "mov x30, #0",
    "mov x0, sp",
    "bl {start}",
    "brk #1",
    start = sym start
);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("geminios-init has no start code for this architecture yet; add it in src/start.rs");

extern "C" fn start(stack: *mut *const c_char) -> ! {
    // Only the kernel's first process may go on: for any other, a reboot at the end would be a bad surprise.
    if !rustix::process::getpid().is_init() {
        core::panic!("not the first process");
    }
    let failure = boot::boot(&|program| exec(program, stack));
    console::give_up(&format!("{failure}"))
}

/// Runs `program` in our place, with the arguments and environment that the kernel gave; returns why that failed.
fn exec(program: &CStr, stack: *mut *const c_char) -> Errno {
    // SAFETY: `stack` is what the kernel made (see above): argc, then argc pointers and a null, then the environment.
    // argv[0] is there, as the kernel gives its first process a name, and nobody else uses the vector.
    unsafe {
        let argc = *stack.cast::<usize>();
        let argv = stack.add(1);
        if argc > 0 {
            *argv = program.as_ptr();
        }
        execve(program.as_ptr(), argv.cast_const(), argv.add(argc + 1).cast_const())
    }
}

/// execve(2).
///
/// # Safety
/// The path and both vectors end with a zero, as execve(2) says.
#[cfg(target_arch = "x86_64")]
unsafe fn execve(path: *const c_char, argv: *const *const c_char, envp: *const *const c_char) -> Errno {
    let result: isize;
    // SAFETY: number 59 takes these three pointers; the kernel clobbers rcx and r11 (System V ABI, A.2.1).
    unsafe {
        core::arch::asm!("syscall", inlateout("rax") 59isize => result, in("rdi") path, in("rsi") argv,
            in("rdx") envp, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    Errno::from_raw_os_error(-result as i32)
}

/// execve(2).
///
/// # Safety
/// The path and both vectors end with a zero, as execve(2) says.
#[cfg(target_arch = "aarch64")]
unsafe fn execve(path: *const c_char, argv: *const *const c_char, envp: *const *const c_char) -> Errno {
    let result: isize;
    // SAFETY: number 221 takes these three pointers and gives its result in x0.
    unsafe {
        core::arch::asm!("svc #0", in("x8") 221isize, inlateout("x0") path => result, in("x1") argv,
            in("x2") envp, options(nostack));
    }
    Errno::from_raw_os_error(-result as i32)
}

#[panic_handler]
fn panic(panic: &PanicInfo<'_>) -> ! {
    console::give_up(&format!("defect in geminios-init: {panic}"))
}
