//! The linker as rustc calls it: ld.lld of the locked tools, with the start files of the locked C library.
//!
//! rustc leaves start files and the C library's folder to gcc; there is no gcc here, as lld links for every
//! architecture and gcc would be 40 MB for one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use geminios_model::Arch;
use geminios_unpack::ToolSet;

use crate::error::{CompileError, at};
use crate::program::make_folder;

/// Where the tools have what is linked to programs for one architecture.
struct Libraries {
    arch: Arch,
    /// The unpacked tools, for paths in the C library's linker scripts.
    root: PathBuf,
    c: PathBuf,
    gcc: PathBuf,
}

/// Writes a linker for `arch` into `folder`. Its name tells rustc how to speak to it (`-C linker-flavor`).
pub(crate) fn write(tools: &ToolSet, arch: Arch, folder: &Path) -> Result<PathBuf, CompileError> {
    let libraries = Libraries::find(tools, arch)?;
    make_folder(folder)?;
    let lld = folder.join("lld");
    make_folder(&lld)?;
    let lld = tools.wrapper("ld.lld", &lld)?;
    for (name, text) in libraries.scripts() {
        let path = folder.join(name);
        fs::write(&path, text).map_err(at(&path))?;
    }
    let path = folder.join("ld.lld");
    fs::write(&path, libraries.linker(&lld, folder)).map_err(at(&path))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(at(&path))?;
    Ok(path)
}

impl Libraries {
    fn find(tools: &ToolSet, arch: Arch) -> Result<Self, CompileError> {
        let missing = |what: String| CompileError::NoTarget { target: arch, missing: what };
        let std = format!("usr/lib/rustlib/{}/lib", arch.rust_target());
        let c = format!("usr/lib/{}", arch.multiarch());
        for path in [std, format!("{c}/crt1.o"), format!("{c}/libc.a")] {
            if !tools.path(&path).exists() {
                return Err(missing(path));
            }
        }
        // The folder's name is gcc's version.
        let gcc = format!("usr/lib/gcc/{}", arch.multiarch());
        let mut versions: Vec<PathBuf> = match fs::read_dir(tools.path(&gcc)) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            Err(_) => Vec::new(),
        };
        versions.retain(|version| version.join("crtbeginT.o").exists());
        versions.sort();
        let gcc = versions.pop().ok_or_else(|| missing(format!("{gcc}/*/crtbeginT.o")))?;
        Ok(Libraries { arch, root: tools.path(""), c: tools.path(&c), gcc })
    }

    /// libc.so and libm.so are scripts with absolute paths of an installed system; these are the same for this folder.
    fn scripts(&self) -> [(&'static str, String); 2] {
        let file = |name: &str| format!("\"{}\"", self.c.join(name).display());
        let libc = format!(
            "GROUP({} {} AS_NEEDED({}))\n",
            file("libc.so.6"),
            file("libc_nonshared.a"),
            file(self.arch.loader())
        );
        [("libc.so", libc), ("libm.so", format!("INPUT({})\n", file("libm.so.6")))]
    }

    /// The linker's script: start files by the kind of what is linked, as gcc chooses them (gcc's specs, `*startfile`).
    ///
    /// A program that asks for no C library brings its own start. Dynamic ones are build scripts and procedural
    /// macros, which run here, on the tools' own C library.
    fn linker(&self, lld: &Path, scripts: &Path) -> String {
        let c = |name: &str| quoted(&self.c.join(name));
        let gcc = |name: &str| quoted(&self.gcc.join(name));
        let lld = quoted(lld);
        let (root, scripts) = (quoted(&self.root), quoted(scripts));
        let (c_folder, gcc_folder) = (quoted(&self.c), quoted(&self.gcc));
        let common = format!("exec {lld} --sysroot={root} -L{scripts}");
        let folders = format!("\"$@\" -L{gcc_folder} -L{c_folder}");
        let static_ = format!(
            "{common} {} {} {} {folders} --start-group -lgcc -lgcc_eh -lc --end-group {} {}",
            c("crt1.o"),
            c("crti.o"),
            gcc("crtbeginT.o"),
            gcc("crtend.o"),
            c("crtn.o")
        );
        let end = format!("{folders} -lgcc -lc {} {}", gcc("crtendS.o"), c("crtn.o"));
        let shared = format!("{common} {} {} {end}", c("crti.o"), gcc("crtbeginS.o"));
        let dynamic = format!(
            "{common} --dynamic-linker {} -rpath {c_folder} {} {} {} {end}",
            c(self.arch.loader()),
            c("Scrt1.o"),
            c("crti.o"),
            gcc("crtbeginS.o")
        );
        format!(
            "#!/bin/sh\nkind=dynamic libc=\nfor word; do\n  case $word in\n    -static) kind=static ;;\n    -shared) kind=shared ;;\n    -lc) libc=yes ;;\n  esac\ndone\n\
             if [ -z \"$libc\" ]; then exec {lld} \"$@\"; fi\ncase $kind in\n  static) {static_} ;;\n  shared) {shared} ;;\n  dynamic) {dynamic} ;;\nesac\n"
        )
    }
}

/// A path as one word of the shell.
pub(crate) fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
