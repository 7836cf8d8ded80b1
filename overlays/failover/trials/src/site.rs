//! A whole site, up and running.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::choice;
use crate::command::{run, words};
use crate::configure::Configure;
use crate::image::Image;
use crate::layout;
use crate::load::Load;
use crate::network::{ADDRESS, Host, Network};
use crate::node::Node;
use crate::sort::Sort;
use crate::story::Story;
use crate::volume::Volume;

/// Hang guard for what takes seconds on a free machine.
pub const PATIENCE: Duration = Duration::from_secs(300);
/// Of the witness.
pub const PORT: u16 = 7401;

pub struct Site {
    // Dropped in this order: processes, network, root, disks, folder.
    pub load: Option<Load>,
    pub a: Node,
    pub b: Node,
    witness: Option<Child>,
    pub network: Network,
    programs: PathBuf,
    _image: Image,
    volumes: Vec<Volume>,
    folder: tempfile::TempDir,
}

impl Site {
    /// Makes a new site and waits until each commit is on both nodes and the client writes through the site's address.
    ///
    /// # Errors
    /// This machine or user cannot do this; a program does not come up, with where its log is.
    pub fn up(sort: Sort) -> Result<Self> {
        let mut site = Site::without_client(sort)?;
        let kubeconfig = site.kubeconfig()?;
        site.load = Some(Load::start(&site.network, site.folder.path(), &kubeconfig)?);
        site.writes()?;
        Ok(site)
    }

    /// The same, but nobody writes.
    ///
    /// # Errors
    /// See [`Site::up`].
    pub fn without_client(sort: Sort) -> Result<Self> {
        let mut site = Site::make(sort)?;
        site.start_witness()?;
        site.a.power_on(&site.network)?;
        site.b.power_on(&site.network)?;
        site.settle()?;
        Ok(site)
    }

    fn make(sort: Sort) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("gt").tempdir()?;
        // PostgreSQL's user goes through it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let image = Image::open(&folder.path().join("image"))?;
        let programs = programs(folder.path())?;
        let network = Network::make(&image.root)?;
        let node = |host: Host| Node::new(host, folder.path().join(host.name()), &image.root, &programs);
        let volume = |host: Host| Volume::make(&folder.path().join(host.name()));
        let volumes = if sort == Sort::Disks { vec![volume(Host::A)?, volume(Host::B)?] } else { Vec::new() };
        let (mut a, mut b) = (node(Host::A)?, node(Host::B)?);
        if sort == Sort::Fence {
            a.reaches(&b);
            b.reaches(&a);
        }
        let configure = Configure { sort, folder: folder.path(), image: &image.root, programs: &programs };
        configure.all([&a, &b], &network)?;
        Ok(Site { load: None, a, b, witness: None, network, programs, _image: image, volumes, folder })
    }

    /// # Errors
    /// It does not start.
    pub fn start_witness(&mut self) -> Result<()> {
        let folder = self.folder.path();
        let log = fs::File::options().append(true).create(true).open(folder.join("witness.log"))?;
        let mut command = self.network.at(Host::Witness);
        command.args(["chrt", "--rr", "1"]).arg(self.programs.join("geminios-witness")).args([
            "serve",
            "--listen",
            &format!("0.0.0.0:{PORT}"),
        ]);
        command.arg("--dir").arg(folder.join("register")).arg("--sites").arg(folder.join("sites"));
        self.witness = Some(command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?);
        Ok(())
    }

    #[must_use]
    pub fn witness(&self) -> Option<&Child> {
        self.witness.as_ref()
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// # Errors
    /// It cannot be ended.
    pub fn stop_witness(&mut self) -> Result<()> {
        if let Some(mut witness) = self.witness.take() {
            witness.kill()?;
            witness.wait()?;
        }
        Ok(())
    }

    /// The witness gets back an old copy of its registers, and this is what it forgets: `meanwhile`.
    ///
    /// # Errors
    /// It cannot be stopped, copied or started.
    pub fn set_witness_back(&mut self, meanwhile: impl FnOnce(&mut Site) -> Result<()>) -> Result<()> {
        let [register, old] = ["register", "register.old"].map(|name| self.folder.path().join(name));
        run(words("cp --archive --no-target-directory").args([&register, &old]))?;
        meanwhile(self)?;
        self.stop_witness()?;
        fs::remove_dir_all(&register)?;
        fs::rename(&old, &register)?;
        self.start_witness()
    }

    /// Of a client that writes through the site's address.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn kubeconfig(&self) -> Result<PathBuf> {
        let text = fs::read_to_string(self.a.path(layout::KUBERNETES).join("super-admin.conf"))?;
        // The certificates have no address that moves.
        let server = format!("server: https://{ADDRESS}:6443\n    tls-server-name: kubernetes");
        let path = self.folder.path().join("kubeconfig");
        fs::write(&path, text.replace("server: https://127.0.0.1:6443", &server))?;
        Ok(path)
    }

    /// Waits until one leads, each commit is on both nodes, and both API servers answer.
    ///
    /// # Errors
    /// That does not come; with what both say.
    pub fn settle(&self) -> Result<()> {
        self.until("one leads, the other has everything, and both API servers answer", |site| {
            let roles = [site.a.role(), site.b.role()].map(Option::unwrap_or_default);
            matches!(roles.each_ref().map(String::as_str), ["leader", "standby"] | ["standby", "leader"])
                && site.answers(Host::A)
                && site.answers(Host::B)
        })
    }

    fn writes(&self) -> Result<()> {
        let history = self.folder.path().join("history.jsonl");
        self.until("the client writes", |_| fs::metadata(&history).is_ok_and(|data| data.len() > 50_000))
    }

    /// Whether the API server of this node is ready, with all that it needs.
    #[must_use]
    pub fn answers(&self, host: Host) -> bool {
        let mut curl = self.network.at(host);
        let url = format!("https://{}:6443/readyz", host.address());
        run(curl.args(["curl", "--silent", "--insecure", "--fail", "--max-time", "2", &url]))
            .is_ok_and(|text| text == "ok")
    }

    /// # Errors
    /// It is not so within [`PATIENCE`]; with what both nodes say.
    pub fn until(&self, what: &str, is_so: impl Fn(&Site) -> bool) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE * choice::pace() {
            if is_so(self) {
                return Ok(());
            }
            sleep(Duration::from_millis(200));
        }
        let say = |node: &Node| node.ask("status").unwrap_or_else(|error| error.to_string());
        bail!("not within {PATIENCE:?}: {what}\na: {}b: {}", say(&self.a), say(&self.b));
    }

    /// Who leads and has everything on the other one, and the other one.
    ///
    /// # Errors
    /// Nobody does.
    pub fn leader(&self) -> Result<Host> {
        [&self.a, &self.b]
            .into_iter()
            .find(|node| {
                node.role().is_some_and(|role| role.starts_with("leader") && role != "leader-not-serving")
            })
            .map(|node| node.host)
            .context("nobody leads")
    }

    #[must_use]
    pub fn at(&self, host: Host) -> &Node {
        if host == Host::A { &self.a } else { &self.b }
    }

    /// It acknowledges without its standby.
    #[must_use]
    pub fn leads_alone(&self, host: Host) -> bool {
        self.at(host).role().is_some_and(|role| role == "leader-alone")
    }

    pub fn node(&mut self, host: Host) -> (&mut Node, &Network) {
        (if host == Host::A { &mut self.a } else { &mut self.b }, &self.network)
    }

    /// The disk of a machine at a site whose disks can fail.
    ///
    /// # Errors
    /// This is none.
    pub fn volume(&self, host: Host) -> Result<&Volume> {
        self.volumes.get(usize::from(host == Host::B)).context("the disks of this site cannot fail")
    }

    /// See [`Network::detour`].
    ///
    /// # Errors
    /// As there.
    pub fn detour(&mut self, host: Host, late: Duration, again: Option<Duration>) -> Result<()> {
        self.network.detour(host, late, again, &self.programs.join("failover-trials"))
    }

    #[must_use]
    pub fn story(&self, from: u64, to: u64) -> Story {
        Story::merged([self.a.story(), self.b.story()].concat(), from, to)
    }

    /// Where everything of it is; kept when a trial fails.
    #[must_use]
    pub fn keep(self) -> PathBuf {
        let Site { load, a, b, mut witness, network, _image, volumes, folder, .. } = self;
        drop((load, a, b));
        if let Some(witness) = &mut witness {
            let _ = witness.kill().and_then(|()| witness.wait());
        }
        drop((network, _image, volumes));
        folder.keep()
    }
}

/// The agent and this program, where the nodes have /opt.
fn programs(folder: &Path) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    // A test is one folder deeper than the programs.
    let places = here.ancestors().skip(1).take(2);
    let programs = folder.join("programs");
    fs::create_dir_all(&programs)?;
    for name in ["failover-trials", "geminios-failover", "geminios-witness"] {
        let found = places.clone().map(|place| place.join(name)).find(|path| path.is_file());
        let found = found.with_context(|| {
            format!("{name} is not beside {}\n  help: cargo build -p geminios-failover -p geminios-failover-witness -p geminios-failover-trials --bins", here.display())
        })?;
        fs::copy(&found, programs.join(name)).with_context(|| found.display().to_string())?;
    }
    Ok(programs)
}
