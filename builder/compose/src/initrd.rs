use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use geminios_model::{Board, Located, ProgramPlace, Source, TreePath};

use crate::error::ComposeError;
use crate::lay::BuiltProgram;
use crate::modules::Modules;
use crate::rootfs::OverlaySource;
use crate::tree::{Entry, Owner, Tree};

const OWNER: Owner = Owner::Fixup("initrd");
/// Mount points that an init needs before it has a root.
const FOLDERS: [&str; 6] = ["/dev", "/modules", "/proc", "/run", "/sys", "/sysroot"];

/// The initrd: programs that overlays place there, kernel modules as /modules/*.ko, and /modules.list with their names in
/// the order to load them.
///
/// # Errors
/// A module that this kernel does not have; no /init.
pub(crate) fn initrd(
    root: &Tree,
    version: &str,
    overlays: &[OverlaySource],
    board: (&Board, &Source),
    programs: &[BuiltProgram],
    epoch: u64,
) -> Result<Tree, ComposeError> {
    let mut tree = Tree::new(OWNER, epoch);
    for folder in FOLDERS {
        tree.insert(TreePath::new(folder)?, Entry::directory(OWNER, epoch))?;
    }
    let mut places: BTreeMap<&TreePath, String> = BTreeMap::new();
    for source in overlays {
        for built in
            programs.iter().filter(|p| p.overlay == source.name() && p.program.place == ProgramPlace::Initrd)
        {
            let (path, place) = (&built.program.path, source.place_at(built.program.source.span()));
            if let Some(first) = places.insert(path, place.clone()) {
                return Err(ComposeError::TwoOverlays { path: path.clone(), first, second: place });
            }
            let owner = Owner::Overlay(built.overlay.clone());
            tree.make_parents(path, &owner, epoch)?;
            tree.insert(path.clone(), Entry::file(built.content.clone(), owner, epoch).with_mode(0o755))?;
        }
    }
    if tree.get(&TreePath::new("/init")?).is_none() {
        return Err(ComposeError::Missing {
            what: "/init in its initrd",
            looked: "no overlay has a [[program]] with place = \"initrd\" and path = \"/init\"".into(),
            help: "add the overlay that brings it to the profile",
        });
    }
    let modules = Modules::read(root, version)?;
    let mut list = String::new();
    for path in wanted(&modules, overlays, board)? {
        let name = module_file(&path);
        list.push_str(&name);
        list.push('\n');
        let entry = root.get(&path).ok_or_else(|| ComposeError::Malformed {
            path: format!("modules.dep of {version}"),
            why: format!("{path} is not in the tree"),
        })?;
        let bytes = decompressed(&path, entry)?;
        let file = Entry::file(bytes, entry.owner.clone(), epoch);
        tree.insert(TreePath::new("/modules")?.join(&name)?, file)?;
    }
    tree.insert(TreePath::new("/modules.list")?, Entry::file(list, OWNER, epoch))?;
    Ok(tree)
}

/// The module files to load, in order.
fn wanted(
    modules: &Modules,
    overlays: &[OverlaySource],
    (board, board_source): (&Board, &Source),
) -> Result<Vec<TreePath>, ComposeError> {
    let overlay_wishes =
        overlays.iter().flat_map(|s| s.overlay.initrd.modules.iter().map(|m| (m, &s.source)));
    let wishes = overlay_wishes.chain(board.initrd_modules.iter().map(|m| (m, board_source)));
    let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
    for (name, source) in wishes {
        if !modules.load(name, &mut order, &mut seen) {
            return Err(unknown(modules, name, source));
        }
    }
    Ok(order)
}

fn unknown(modules: &Modules, name: &Located<String>, source: &Source) -> ComposeError {
    let complaint = source
        .complain(name.span(), format!("kernel {} has no module `{name}`", modules.version()))
        .label("neither as a file nor built in");
    match modules.nearest(name) {
        Some(near) => complaint.help(format!("did you mean `{near}`?")),
        None => complaint.help("mend the name; a [[prune]] may also have left the module out"),
    }
    .into()
}

/// `/…/virtio_blk.ko.xz` as `virtio_blk.ko`.
fn module_file(path: &TreePath) -> String {
    let name = path.name();
    name.strip_suffix(".xz").unwrap_or(name).to_owned()
}

/// The kernel takes compressed modules only with a flag and a decompressor of its own; the init need not care.
fn decompressed(path: &TreePath, entry: &Entry) -> Result<Vec<u8>, ComposeError> {
    let content = entry
        .content()
        .ok_or_else(|| ComposeError::Malformed { path: path.to_string(), why: "it is no file".into() })?;
    if !path.name().ends_with(".xz") {
        return content.read().map_err(ComposeError::io(path));
    }
    let mut bytes = Vec::new();
    let reader = content.reader().map_err(ComposeError::io(path))?;
    liblzma::read::XzDecoder::new(reader).read_to_end(&mut bytes).map_err(ComposeError::io(path))?;
    Ok(bytes)
}
