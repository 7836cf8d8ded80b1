//! The Go programs of all overlays for the architectures that the image under test is not for, from the same files.

#![allow(clippy::unwrap_used)]

mod project;

use std::fs;
use std::path::PathBuf;

use geminios_compile::{CompileError, GoCaches, GoJob, GoTools, compile_go};
use geminios_fetch::{Steps, StepsError};
use geminios_model::{Arch, Document, GoPin, Overlay, Silent, Source, ToolTable, parse};
use project::{cache, done, folder, geminios, profile};

/// `e_machine` of a 64-bit ELF file (ELF specification, "ELF Header"; machine numbers as in elf.h).
fn machine(arch: Arch) -> u16 {
    match arch {
        Arch::Amd64 => 62,
        Arch::Arm64 => 183,
        Arch::Loong64 => 258,
        Arch::Riscv64 => 243,
    }
}

/// These together are half an hour of two processors for each architecture.
const LARGE: [&str; 8] =
    ["kube", "containerd", "containerd-shim-runc-v2", "kine", "flanneld", "coredns", "controller", "speaker"];

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
enum Error {
    Compile(#[from] CompileError),
    Steps(#[from] StepsError),
}

fn document<T: Document>(path: &PathBuf) -> T {
    parse(&Source::new(path, fs::read_to_string(path).unwrap())).unwrap()
}

/// All of them where GEMINIOS_ARCHITECTURES is `all`, else the small ones.
#[test]
fn go_programs_compile_for_every_architecture() {
    // So that the compiler is there. Not where users have their build.
    let out = tempfile::tempdir_in(folder().join("target")).unwrap();
    let mut build = geminios(&folder(), &["build", "--no-compress"]);
    done(&build.arg(profile()).arg("--out").arg(out.path().join("build")).output().unwrap());

    let all = std::env::var("GEMINIOS_ARCHITECTURES").is_ok_and(|which| which == "all");
    let pin: GoPin = document::<ToolTable>(&folder().join("tools.toml")).go;
    let (steps, caches) = (Steps::open(&cache()).unwrap(), GoCaches::of(&cache(), true));
    let mut compiled = 0;
    for entry in fs::read_dir(folder().join("overlays")).unwrap() {
        let file = entry.unwrap().path().join("overlay.toml");
        if !file.exists() {
            continue;
        }
        for program in &document::<Overlay>(&file).programs {
            let module = file.parent().unwrap().join(program.source.as_str());
            let binary = program.binary.as_str();
            if !module.join("go.mod").exists() || (!all && LARGE.contains(&binary)) {
                continue;
            }
            for target in [Arch::Arm64, Arch::Loong64, Arch::Riscv64] {
                let job = GoJob { module: &module, binary, wish: &program.go, target };
                let tools = || Ok::<_, Error>(GoTools::unpacked(&pin, Arch::Amd64, &steps).unwrap());
                let made = compile_go(&job, &pin, tools, &caches, &steps, &Silent).unwrap();
                let head = fs::read(&made.path).unwrap();
                assert_eq!(head[..5], *b"\x7fELF\x02", "{binary} for {target:?} is no 64-bit ELF file");
                assert_eq!(
                    u16::from_le_bytes([head[18], head[19]]),
                    machine(target),
                    "{binary} for {target:?}"
                );
                println!("{binary} for {}: {} kB", target.debian(), made.size / 1000);
                compiled += 1;
            }
        }
    }
    assert!(compiled >= 3 * 5, "only {compiled} programs were found");
}

/// A device refuses to skip a minor by what the data contract says; that must be what is compiled.
#[test]
fn the_data_contract_names_the_minor_of_kubernetes_that_is_compiled() {
    let overlay: Overlay = document(&folder().join("overlays/kubernetes/overlay.toml"));
    let minor = overlay.data.kubernetes_minor.as_deref().unwrap().to_string();
    let kube = overlay.programs.iter().find(|program| program.binary.as_str() == "kube").unwrap();
    let module = folder().join("overlays/kubernetes").join(kube.source.as_str()).join("go.mod");
    let pinned = fs::read_to_string(module).unwrap();
    let pinned = pinned.lines().find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v1.")).unwrap();
    assert_eq!(pinned.split('.').next(), Some(&*minor));
    let said: Vec<_> = kube.go.strings.iter().filter(|(name, _)| name.ends_with(".gitMinor")).collect();
    assert!(said.len() == 2 && said.iter().all(|(_, value)| value.as_str() == minor), "{said:?}");
}
