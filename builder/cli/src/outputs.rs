//! What a build leaves in its folder: kernel image, disk image, block map, compressed copy, SBOM, manifest, sums.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use geminios_boot::{EspFile, Uki, write_esp};
use geminios_compose::{BuiltImage, Composed, Content, Data};
use geminios_disk::{Output, Outputs, Plan, write, write_sums};
use geminios_model::Digest;
use geminios_seal::Sealed;

use crate::manifest::{self, File, Manifest, Part};
use crate::pipeline::Build;
use crate::project::{Description, write_whole};
use crate::sbom;
use crate::terminal::megabytes;
use crate::wishes::IMAGE;

/// The packages whose versions users ask for first.
const SHOWN: [&str; 5] = ["containerd", "openssh-server", "postgresql-17", "runc", "systemd"];

/// What a kernel image is made of, and the image.
pub struct Boot {
    initrd: Vec<u8>,
    uki: Vec<u8>,
}

impl Build<'_> {
    /// The kernel image of a sealed root.
    pub fn boot(&self, composed: &Composed, sealed: &Sealed, initrd: Vec<u8>) -> Result<Boot> {
        let board = &self.description.board;
        let mut words = vec![format!("roothash={}", sealed.root_hash)];
        words.extend(board.consoles.iter().map(|console| format!("console={console}")));
        words.extend(board.cmdline.iter().cloned());
        let kernel = &composed.kernel;
        let uki = Uki {
            stub: &kernel.stub.read()?,
            kernel: &kernel.image.read()?,
            initrd: &initrd,
            cmdline: &words.join(" "),
            os_release: &composed.os_release,
            uname: &kernel.version,
        }
        .build()?;
        if let Some(limit) = &self.description.profile.budget.uki
            && uki.len() as u64 > **limit * 1_000_000
        {
            let parts = [
                ("kernel", kernel.image.len()),
                ("initrd", initrd.len() as u64),
                ("stub", kernel.stub.len()),
            ];
            let rows: String =
                parts.iter().map(|(name, size)| format!("  {name}: {}\n", megabytes(*size))).collect();
            return Err(self
                .description
                .profile_source
                .complain(
                    limit.span(),
                    format!(
                        "the unified kernel image has {}, its budget is {limit} MB",
                        megabytes(uki.len() as u64)
                    ),
                )
                .help(format!("take modules out of the initrd, or raise the budget; it is made of\n{rows}"))
                .into());
        }
        Ok(Boot { initrd, uki })
    }

    /// Writes everything into `out`; the manifest comes last but for the sums.
    pub fn write(
        &self,
        out: &Path,
        composed: &Composed,
        sealed: &Sealed,
        boot: &Boot,
        (images, data): (&[BuiltImage], Data),
    ) -> Result<Manifest> {
        let Description { profile, board, .. } = self.description;
        let scratch = tempfile::Builder::new().prefix(".unfinished-").tempdir_in(out)?;
        let esp = scratch.path().join("esp.fat");
        let files = EspFile::for_uefi(
            board.architecture,
            &profile.version,
            boot.uki.clone(),
            &composed.kernel.loader.read()?,
        );
        let serial = u32::from_le_bytes(std::array::from_fn(|i| sealed.root_hash.bytes()[i]));
        write_esp(&files, *profile.sizes.esp << 20, serial, self.lock.source_date_epoch, &esp)?;
        let plan = Plan::new(&profile.name, board.architecture, &profile.sizes, sealed, &esp)?;
        let stem = format!("geminios-{}-{}-{}", profile.name, profile.version, board.name);
        let Outputs { image, bmap, compressed } =
            write(&plan, out, &format!("{stem}.img"), self.compress, &self.session.terminal)?;
        let uki = small(out, &format!("{stem}.efi"), &boot.uki)?;
        let bill =
            serde_json::to_vec_pretty(&sbom::cyclonedx(profile, self.lock, board.architecture, images))?;
        let sbom = small(out, &format!("{stem}.cdx.json"), &bill)?;
        let mut outputs: BTreeMap<&str, &Output> =
            BTreeMap::from([("image", &image), ("bmap", &bmap), ("uki", &uki), ("sbom", &sbom)]);
        if let Some(compressed) = &compressed {
            outputs.insert("compressed", compressed);
        }
        let manifest = self.manifest(composed, sealed, boot, &outputs, (images, data))?;
        let manifest_file = small(out, manifest::NAME, &(serde_json::to_vec_pretty(&manifest)?))?;
        write_sums(out, outputs.values().copied().chain([&manifest_file]))?;
        Ok(manifest)
    }

    fn manifest(
        &self,
        composed: &Composed,
        sealed: &Sealed,
        boot: &Boot,
        outputs: &BTreeMap<&str, &Output>,
        (images, data): (&[BuiltImage], Data),
    ) -> Result<Manifest> {
        let digest_of =
            |path: &Path| Ok::<_, anyhow::Error>(Digest::of_reader(std::fs::File::open(path)?)?.0);
        let bytes = |bytes: &[u8]| Part { size: bytes.len() as u64, sha256: Digest::of(bytes) };
        let (erofs, verity) = rayon::join(|| digest_of(&sealed.erofs), || digest_of(&sealed.verity));
        let versions = self.lock.set(IMAGE).filter(|p| SHOWN.contains(&p.name.as_str()));
        let mut versions: BTreeMap<String, String> =
            versions.map(|p| (p.name.clone(), p.version.clone())).collect();
        versions.insert("linux".into(), composed.kernel.version.clone());
        let profile = &self.description.profile;
        Ok(Manifest {
            format: manifest::FORMAT,
            profile: profile.name.to_string(),
            version: profile.version.to_string(),
            board: self.description.board.name.to_string(),
            architecture: self.description.board.architecture,
            lock_digest: self.lock.digest(),
            root_hash: sealed.root_hash,
            source_date_epoch: self.lock.source_date_epoch,
            versions,
            data: data.into_iter().map(|(name, format)| (name.to_owned(), format)).collect(),
            parts: BTreeMap::from([
                ("root".to_owned(), Part { size: sealed.erofs_size, sha256: erofs? }),
                ("root-verity".to_owned(), Part { size: sealed.verity_size, sha256: verity? }),
                ("initrd".to_owned(), bytes(&boot.initrd)),
                ("uki".to_owned(), bytes(&boot.uki)),
            ]),
            files: outputs
                .iter()
                .map(|(kind, output)| {
                    let name = output.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    ((*kind).to_owned(), File { name, size: output.size, sha256: output.sha256 })
                })
                .collect(),
            images: images.iter().map(|image| (image.name.to_string(), image_part(image))).collect(),
            installed: composed.installed.totals(),
        })
    }
}

/// A container image, by the archive that carries it.
fn image_part(image: &BuiltImage) -> Part {
    let sha256 = match &image.content {
        Content::Blob { id, .. } => *id,
        Content::Bytes(bytes) => Digest::of(bytes),
    };
    Part { size: image.content.len(), sha256 }
}

/// A small result, whole or not at all.
fn small(out: &Path, name: &str, bytes: &[u8]) -> Result<Output> {
    let path = out.join(name);
    write_whole(&path, bytes)?;
    Ok(Output { path, size: bytes.len() as u64, sha256: Digest::of(bytes) })
}
