//! The first process of a pod: holds its namespaces open, reaps whom its containers leave behind, ends on SIGTERM and SIGINT.
//!
//! Built for a device it has neither the standard nor the C library: it is in memory once for each pod.

#![cfg_attr(panic = "abort", no_std, no_main)]

#[cfg(panic = "abort")]
mod pod;
#[cfg(panic = "abort")]
mod syscall;

#[cfg(panic = "unwind")]
fn main() {
    eprintln!("geminios-pause is the first process of a pod; `geminios build` compiles it for one");
    std::process::exit(1);
}
