//! Reads a project's description files: profile, board, overlays, tools, maintainer scripts.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::programs::Language;
use anyhow::{Context, Result, bail};
use geminios_model::{
    Board, Diagnostic, Document, Lock, Overlay, Profile, ScriptTable, Source, ToolTable, parse,
};

/// The folder with profiles/, overlays/ and boards/.
pub struct Project {
    root: PathBuf,
}

/// A profile with all it names.
pub struct Description {
    pub profile: Profile,
    pub profile_source: Source,
    pub board: Board,
    pub board_source: Source,
    pub overlays: Vec<(Overlay, Source, PathBuf)>,
    pub tools: ToolTable,
    pub scripts: ScriptTable,
    pub scripts_source: Source,
    pub lock_path: PathBuf,
    /// The file that the profile's `[update]` names.
    pub root_of_trust: Option<Vec<u8>>,
}

impl Project {
    /// The project at `given`, or the one that holds the current folder.
    pub fn find(given: Option<&Path>) -> Result<Self> {
        let is_project = |dir: &Path| dir.join("profiles").is_dir() && dir.join("overlays").is_dir();
        let start = match given {
            Some(dir) if is_project(dir) => return Ok(Project { root: dir.to_owned() }),
            Some(dir) => bail!(
                "{} is not a project: it has no profiles/ and overlays/\n  help: give the folder that holds them",
                dir.display()
            ),
            None => std::env::current_dir().context("the current folder cannot be read")?,
        };
        match start.ancestors().find(|dir| is_project(dir)) {
            Some(dir) => Ok(Project { root: shorten(dir, &start) }),
            None => bail!(
                "no profiles/ and overlays/ in {} or above it\n  help: go to a clone of the project, or give --project DIR",
                start.display()
            ),
        }
    }

    /// The project's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Reads a profile, its board (the profile's first if `board` is none) and its overlays.
    pub fn describe(&self, profile: &str, board: Option<&str>) -> Result<Description> {
        let path = self.profile_path(profile)?;
        let profile_source = read(&path)?;
        let profile: Profile = parse(&profile_source)?;
        let board_name = match board {
            None => profile.boards[0].as_str(),
            Some(name) if profile.boards.iter().any(|b| b.as_str() == name) => name,
            Some(name) => bail!(
                "profile `{}` is not built for board `{name}`\n  help: its boards are: {}",
                profile.name,
                list(profile.boards.iter().map(|b| b.as_str()))
            ),
        };
        let (board, board_source) = self.board(&profile, &profile_source, board_name)?;
        let mut overlays = Vec::new();
        for name in &profile.overlays {
            let dir = self.root.join("overlays").join(name.as_str());
            let file = dir.join("overlay.toml");
            if !file.is_file() {
                let known = self.folders("overlays", "overlay.toml");
                return Err(absent(&profile_source, name.span(), "overlay", name, &known).into());
            }
            let source = read(&file)?;
            overlays.push((parse::<Overlay>(&source)?, source, dir));
        }
        check_together(&overlays)?;
        check_images(&profile, &profile_source, &overlays)?;
        let (tools, _) = self.table::<ToolTable>("tools.toml")?;
        let (scripts, scripts_source) = self.table::<ScriptTable>("overlays/scripts.toml")?;
        Ok(Description {
            lock_path: path.with_extension("lock"),
            root_of_trust: root_of_trust(&profile, &profile_source)?,
            profile,
            profile_source,
            board,
            board_source,
            overlays,
            tools,
            scripts,
            scripts_source,
        })
    }

    fn profile_path(&self, profile: &str) -> Result<PathBuf> {
        if profile.contains('/') || profile.ends_with(".toml") {
            return Ok(PathBuf::from(profile));
        }
        let path = self.root.join("profiles").join(format!("{profile}.toml"));
        if !path.is_file() {
            let known = self.names("profiles", "toml");
            bail!(
                "there is no profile `{profile}` in {}\n  help: profiles here: {}",
                self.root.join("profiles").display(),
                list(known.iter().map(String::as_str))
            );
        }
        Ok(path)
    }

    fn board(&self, profile: &Profile, profile_source: &Source, name: &str) -> Result<(Board, Source)> {
        let path = self.root.join("boards").join(format!("{name}.toml"));
        if !path.is_file() {
            let span = profile.boards.iter().find(|b| b.as_str() == name).map_or(0..0, |b| b.span());
            return Err(absent(profile_source, span, "board", name, &self.names("boards", "toml")).into());
        }
        let source = read(&path)?;
        Ok((parse(&source)?, source))
    }

    fn table<D: Document>(&self, path: &str) -> Result<(D, Source)> {
        let source = read(&self.root.join(path))?;
        Ok((parse(&source)?, source))
    }

    /// Names of the files of one extension in a folder, sorted.
    fn names(&self, folder: &str, extension: &str) -> Vec<String> {
        let mut names: Vec<String> = entries(&self.root.join(folder))
            .filter(|path| path.extension().is_some_and(|e| e == extension))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect();
        names.sort();
        names
    }

    /// Names of the folders that hold a file of that name, sorted.
    fn folders(&self, folder: &str, holding: &str) -> Vec<String> {
        let mut names: Vec<String> = entries(&self.root.join(folder))
            .filter(|path| path.join(holding).is_file())
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect();
        names.sort();
        names
    }
}

impl Description {
    /// The profile's lock.
    pub fn lock(&self) -> Result<Lock> {
        if !self.lock_path.exists() {
            bail!(
                "profile `{0}` has no lock: {1} does not exist\n  help: make it with `geminios lock {0}`",
                self.profile.name,
                self.lock_path.display()
            );
        }
        Ok(Lock::parse(&read(&self.lock_path)?)?)
    }
}

/// The keys that the profile's devices believe first, if it names some.
fn root_of_trust(profile: &Profile, source: &Source) -> Result<Option<Vec<u8>>> {
    let Some(update) = &profile.update else { return Ok(None) };
    let path = source.path().with_file_name(update.root.as_str());
    let refused = |problem: String| {
        source
            .complain(update.root.span(), format!("{} is no root of trust: {problem}", path.display()))
            .help("make one with `geminios keys init`, and name its 1.root.json here")
    };
    let bytes = std::fs::read(&path).map_err(|error| refused(error.to_string()))?;
    geminios_update_format::State::of_root(&bytes).map_err(|error| refused(error.to_string()))?;
    Ok(Some(bytes))
}

/// What one overlay alone cannot know: that its programs are there, and that its ports are nobody else's.
fn check_together(overlays: &[(Overlay, Source, PathBuf)]) -> Result<(), Diagnostic> {
    let mut taken = BTreeMap::new();
    for (overlay, source, dir) in overlays {
        for program in &overlay.programs {
            let folder = dir.join(program.source.as_str());
            if Language::of(&folder).is_none() {
                return Err(source
                    .complain(program.source.span(), format!("there is no program `{}`", program.source))
                    .help(format!(
                        "make Cargo.toml or go.mod in {}, or name another folder there",
                        folder.display()
                    )));
            }
        }
        for port in &overlay.ports {
            let place = (*port.number, port.protocol.clone());
            if let Some(other) = taken.insert(place, &overlay.name) {
                return Err(source
                    .complain(port.number.span(), format!("port {}/{} is taken", *port.number, port.protocol))
                    .label(format!("overlay `{other}` has it")));
            }
        }
    }
    Ok(())
}

/// No two container images have one name.
fn check_images(
    profile: &Profile,
    profile_source: &Source,
    overlays: &[(Overlay, Source, PathBuf)],
) -> Result<(), Diagnostic> {
    let mut taken = BTreeMap::new();
    let own =
        overlays.iter().flat_map(|(o, source, _)| o.images.iter().map(move |i| (source, &i.name, &o.name)));
    for (source, name, overlay) in own {
        if let Some(other) = taken.insert(name.as_str(), overlay) {
            return Err(source
                .complain(name.span(), format!("image `{name}` is in two overlays"))
                .label(format!("overlay `{other}` makes it")));
        }
    }
    for name in profile.images.iter().map(|wish| &wish.reference) {
        if let Some(overlay) = taken.get(name.as_str()) {
            return Err(profile_source
                .complain(name.span(), format!("image `{name}` is made by overlay `{overlay}`"))
                .help("remove this [[image]]: the overlay's comes with the disk anyway"));
        }
    }
    Ok(())
}

/// Reads a text file.
pub fn read(path: &Path) -> Result<Source> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(Source::new(path, text))
}

/// Writes a file whole or not at all; anybody may read it.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with_mode(path, bytes, 0o644)
}

/// Writes a file whole or not at all, for its owner only.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with_mode(path, bytes, 0o600)
}

fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let context = || format!("{} cannot be written", path.display());
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
        .tempfile_in(folder)
        .with_context(context)?;
    file.write_all(bytes).with_context(context)?;
    file.as_file().sync_all().with_context(context)?;
    file.persist(path).with_context(context)?;
    Ok(())
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn absent(
    source: &Source,
    span: std::ops::Range<usize>,
    kind: &str,
    name: &str,
    known: &[String],
) -> Diagnostic {
    source
        .complain(span, format!("there is no {kind} `{name}`"))
        .help(format!("{kind}s here: {}", list(known.iter().map(String::as_str))))
}

/// `a, b, c`, or `none`.
pub fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// `dir` relative to the current folder where it is below or the same, so that messages stay short.
fn shorten(dir: &Path, current: &Path) -> PathBuf {
    if dir == current { PathBuf::new() } else { dir.to_owned() }
}
