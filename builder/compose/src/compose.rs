use std::thread;

use geminios_fetch::Steps;
use geminios_model::{
    Board, Lock, LockedPackage, Profile, ProgramPlace, Progress, ScriptTable, Source, TreePath, Unit,
};
use geminios_unpack::{Package, ToolSet};

use crate::accounts::Accounts;
use crate::error::ComposeError;
use crate::images::BuiltImage;
use crate::kernel::Kernel;
use crate::lay::BuiltProgram;
use crate::report::Installed;
use crate::rootfs::OverlaySource;
use crate::tools::Tools;
use crate::tree::{Entry, Node, Owner, Tree};
use crate::units::Units;
use crate::{
    about, caches, fixups, images, initrd, kernel, lay, merge, prune, scripts, sysusers, units, var,
};

/// All that an image is composed of.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    pub profile: &'a Profile,
    pub board: &'a Board,
    pub board_source: &'a Source,
    pub lock: &'a Lock,
    /// In the profile's order.
    pub overlays: &'a [OverlaySource],
    /// The lock's `image` set, unpacked; in any order.
    pub packages: &'a [(LockedPackage, Package)],
    /// All programs of the overlays, compiled.
    pub programs: &'a [BuiltProgram],
    /// All container images, of the overlays and of the profile, packed.
    pub images: &'a [BuiltImage],
    pub scripts: &'a ScriptTable,
    pub scripts_source: &'a Source,
    /// The root of trust that the profile names.
    pub root_of_trust: Option<&'a [u8]>,
}

/// An image before it is sealed.
#[derive(Clone, Debug)]
pub struct Composed {
    pub root: Tree,
    pub initrd: Tree,
    pub kernel: Kernel,
    /// Text of os-release, for the unified kernel image.
    pub os_release: String,
    pub installed: Installed,
}

/// Composes an image's trees. The programs it needs come from the `build` tool set: systemctl, ldconfig, depmod.
///
/// # Errors
/// See [`ComposeError`]; nothing is left behind.
pub fn compose(
    inputs: &Inputs<'_>,
    toolset: &ToolSet,
    steps: &Steps,
    progress: &dyn Progress,
) -> Result<Composed, ComposeError> {
    let tools = Tools { command: &|program| Ok(toolset.command(program)), digest: toolset.digest(), steps };
    progress.begin("compose", 0, Unit::Items);
    let composed = run_tools(assemble(inputs)?, inputs, &tools)?;
    let summary = format!("{} entries, {} MB", composed.root.len(), composed.installed.total() / 1_000_000);
    progress.end("compose", &summary);
    Ok(composed)
}

/// The image as far as it can be made without running any program.
pub(crate) struct Assembled<'a> {
    pub root: Tree,
    kernel: Kernel,
    pub accounts: Accounts,
    units: Units<'a>,
    os_release: String,
}

/// Packages, fix-ups, overlays. The order matters: what fix-ups read of packages is read before prunes; prunes are about
/// packages' files only; fix-ups come before overlays, so that an overlay may replace what one made.
pub(crate) fn assemble<'a>(inputs: &Inputs<'a>) -> Result<Assembled<'a>, ComposeError> {
    let epoch = inputs.lock.source_date_epoch;
    scripts::check(inputs.packages, inputs.scripts, inputs.scripts_source)?;
    programs_are_built(inputs)?;
    let mut root = merge::merge(inputs.packages, epoch)?;
    let kernel = kernel::find(&root, inputs.board.architecture)?;
    let accounts = Accounts::of(&root, inputs.overlays)?;
    let certificates = caches::certificates(&root)?;
    prune::prune(&mut root, inputs.overlays)?;
    kernel::clear_boot(&mut root)?;
    fixups::make(&mut root, epoch)?;
    let os_release = fixups::os_release(inputs.profile, &inputs.lock.digest());
    fixups::write_os_release(&mut root, &os_release, epoch)?;
    about::write(&mut root, inputs, epoch)?;
    accounts.write(&mut root, epoch)?;
    if let Some(bundle) = certificates {
        let node = Node::File(bundle);
        let path = TreePath::new("/etc/ssl/certs/ca-certificates.crt")?;
        caches::put(&mut root, vec![(path, node)], "certificates", epoch)?;
    }
    package_list(&mut root, inputs.packages, epoch)?;
    lay::lay(&mut root, inputs.overlays, (inputs.programs, inputs.images), &accounts, epoch)?;
    images::put(&mut root, inputs.images, inputs.profile, epoch)?;
    sysusers::check(&root, &accounts)?;
    let units = Units::of(&root, inputs.overlays)?;
    units.write(&mut root, epoch)?;
    Ok(Assembled { root, kernel, accounts, units, os_release })
}

/// What programs make of the assembled tree; they run side by side.
pub(crate) fn run_tools(
    assembled: Assembled<'_>,
    inputs: &Inputs<'_>,
    tools: &Tools<'_>,
) -> Result<Composed, ComposeError> {
    let Assembled { mut root, kernel, accounts, units, os_release } = assembled;
    let epoch = inputs.lock.source_date_epoch;
    let tree = &root;
    let (modules, libraries, links) = thread::scope(|scope| {
        let modules = scope.spawn(|| caches::modules(tree, &kernel.version, tools));
        let libraries = caches::libraries(tree, inputs.board.architecture, tools);
        let links = units::preset_all(tree, tools);
        let modules = modules.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (modules, libraries, links)
    });
    caches::put(&mut root, modules?, "modules.dep", epoch)?;
    caches::put(&mut root, libraries?, "ld.so.cache", epoch)?;
    units.enable(&mut root, links?, epoch)?;
    var::to_tmpfiles(&mut root, &accounts, epoch)?;
    let board = (inputs.board, inputs.board_source);
    let initrd = initrd::initrd(&root, &kernel.version, inputs.overlays, board, inputs.programs, epoch)?;
    let installed = Installed::of(&root, inputs.lock);
    Ok(Composed { root, initrd, kernel, os_release, installed })
}

/// Every program that an overlay names was built.
fn programs_are_built(inputs: &Inputs<'_>) -> Result<(), ComposeError> {
    for source in inputs.overlays {
        for program in &source.overlay.programs {
            let built = |b: &BuiltProgram| b.overlay == source.name() && b.program.path == program.path;
            if !inputs.programs.iter().any(built) {
                let place = match program.place {
                    ProgramPlace::Initrd => "initrd",
                    ProgramPlace::Root => "root",
                    ProgramPlace::Image => "image",
                };
                let message = format!("program `{}` for the {place} was not built", program.binary);
                return Err(source
                    .source
                    .complain(program.source.span(), message)
                    .help("programs are compiled before a tree is composed")
                    .into());
            }
        }
    }
    Ok(())
}

/// What is in the image, for `inspect` and for whoever looks at a device: `name version architecture` lines.
fn package_list(
    tree: &mut Tree,
    packages: &[(LockedPackage, Package)],
    epoch: u64,
) -> Result<(), ComposeError> {
    let mut lines: Vec<String> =
        packages.iter().map(|(p, _)| format!("{} {} {}\n", p.name, p.version, p.architecture)).collect();
    lines.sort();
    let owner = Owner::Fixup("package list");
    let path = TreePath::new("/usr/share/geminios/packages")?;
    tree.make_parents(&path, &owner, epoch)?;
    tree.insert(path, Entry::file(lines.concat(), owner, epoch))
}
