//! What the process does from its first instruction to its last.

use core::arch::global_asm;
use core::panic::PanicInfo;

use crate::syscall::{EXIT_GROUP, RT_SIGPROCMASK, RT_SIGTIMEDWAIT, WAIT4, syscall};

// signal(7); these numbers are the same on all architectures that images are built for.
const SIGINT: isize = 2;
const SIGTERM: isize = 15;
const SIGCHLD: isize = 17;
const SIG_BLOCK: usize = 0;
const WNOHANG: usize = 1;
/// Bytes of the kernel's signal set.
const SET: usize = size_of::<u64>();

// A zero frame pointer marks the outermost frame; the ABIs align the stack to 16.
#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "and rsp, -16", "call {run}", "ud2", run = sym run);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, #0", "bl {run}", "brk #1", run = sym run);

/// Signals are blocked and waited for: the kernel drops those that the first process of a PID namespace neither blocks
/// nor handles (pid_namespaces(7)).
extern "C" fn run() -> ! {
    let wanted: u64 = [SIGINT, SIGTERM, SIGCHLD].iter().fold(0, |set, signal| set | 1_u64 << (signal - 1));
    let set = &raw const wanted as usize;
    // SAFETY: `wanted` lives as long as this function, which does not return; the other pointers are null, as
    // rt_sigprocmask(2), rt_sigtimedwait(2) and wait4(2) allow.
    unsafe {
        syscall(RT_SIGPROCMASK, [SIG_BLOCK, set, 0, SET]);
        loop {
            match syscall(RT_SIGTIMEDWAIT, [set, 0, 0, SET]) {
                SIGINT | SIGTERM => exit(0),
                // One signal may stand for many children.
                SIGCHLD => while syscall(WAIT4, [usize::MAX, 0, WNOHANG, 0]) > 0 {},
                _ => {}
            }
        }
    }
}

fn exit(status: usize) -> ! {
    loop {
        // SAFETY: takes no pointer.
        unsafe { syscall(EXIT_GROUP, [status, 0, 0, 0]) };
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(1)
}
