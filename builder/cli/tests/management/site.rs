//! Two nodes on this host: the program of the device, compiled by the locked Go, and what a person has.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use geminios_compile::{GoCaches, GoJob, GoTools, compile_go};
use geminios_fetch::Steps;
use geminios_model::{Arch, Document, Lock, Overlay, Silent, Source, ToolTable, parse};
use geminios_unpack::ToolSet;
use tempfile::TempDir;

use crate::agent::{self, Scene};
use crate::certificates::{Authority, Of};
use crate::project::{cache, folder, geminios, profile};

pub struct Site {
    folder: TempDir,
    pub authority: Authority,
    pub scene: Arc<Mutex<Scene>>,
    pub ports: [u16; 2],
    nodes: [Option<Child>; 2],
}

impl Site {
    /// Nothing where Go cannot be compiled, and that is allowed.
    pub fn new() -> Option<Self> {
        Self::of([Of::Node, Of::Node])
    }

    /// With these certificates of the nodes.
    pub fn of(certificates: [Of<'_>; 2]) -> Option<Self> {
        let program = program()?;
        let folder = tempfile::tempdir().unwrap();
        let (authority, scene) = (Authority::new(), Arc::new(Mutex::new(Scene::whole())));
        let free = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let metrics = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let number = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let (ports, loopback) = (free.each_ref().map(number), metrics.each_ref().map(number));
        drop((free, metrics));
        let mut site = Site { folder, authority, scene, ports, nodes: [None, None] };
        for node in [0, 1] {
            let own = site.folder.path().join(["a", "b"][node]);
            site.authority.place(&own, "node", certificates[node]);
            let names = ["node-a", "node-b"];
            let settings = serde_json::json!({
                "listen": format!("127.0.0.1:{}", ports[node]),
                "metrics": format!("127.0.0.1:{}", loopback[node]),
                "agent": own.join("agent"),
                "node": names[node],
                "peer": { "node": names[1 - node], "address": format!("127.0.0.1:{}", ports[1 - node]) },
            });
            fs::write(own.join("settings.json"), settings.to_string()).unwrap();
            agent::run(own.join("agent"), node, Arc::clone(&site.scene));
            let mut run = Command::new(program);
            run.arg("--folder").arg(&own).arg("--state").arg(&own).stderr(Stdio::null());
            site.nodes[node] = Some(run.spawn().unwrap());
            let begun = Instant::now();
            while std::net::TcpStream::connect(("127.0.0.1", ports[node])).is_err() {
                assert!(begun.elapsed() < Duration::from_secs(30), "{} does not serve", program.display());
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Some(site)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A folder of credentials of this site.
    pub fn credentials(&self, name: &str, of: Of<'_>) {
        self.authority.place(&self.path(name), "client", of);
    }

    pub fn stop(&mut self, node: usize) {
        if let Some(mut child) = self.nodes[node].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Command, status, what it prints: `A` and `B` are the nodes, and folders are of the site.
    pub fn told(&self, words: &str) -> String {
        let [a, b] = self.ports.map(|port| format!("127.0.0.1:{port}"));
        let words: Vec<String> = words
            .split(' ')
            .map(|word| match word {
                "A" => a.clone(),
                "B" => b.clone(),
                word => word.to_owned(),
            })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = geminios(self.folder.path(), &words).output().unwrap();
        let text = format!(
            "$ geminios {}\n[{}]\n{}{}",
            words.join(" "),
            output.status.code().unwrap(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        text.replace(&a, "A").replace(&b, "B")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop(0);
        self.stop(1);
    }
}

/// The device's program, for this host.
fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let made = PROGRAM.get_or_init(|| match compile() {
        Ok(path) => Some(path),
        Err(error) => {
            assert!(std::env::var_os("GEMINIOS_ORACLES").is_none(), "{error:#}");
            eprintln!("SKIPPED: {error:#}");
            None
        }
    });
    made.as_deref()
}

fn compile() -> Result<PathBuf> {
    let host = Arch::host().context("this host is none that is built on")?;
    let pin = read::<ToolTable>("tools.toml")?.go;
    let overlay: Overlay = read("overlays/failover/overlay.toml")?;
    let wish = overlay.programs.iter().find(|program| program.binary == "geminios-site");
    let wish = &wish.context("overlay failover has no geminios-site")?.go;
    let module = folder().join("overlays/failover/management");
    let job = GoJob { module: &module, binary: "geminios-site", wish, target: host };
    let (steps, caches) = (Steps::open(&cache())?, GoCaches::of(&cache(), true));
    let tools = || -> Result<GoTools> {
        if let Some(tools) = GoTools::unpacked(&pin, host, &steps) {
            return Ok(tools);
        }
        let path = profile().with_extension("lock");
        let lock = Lock::parse(&Source::new(&path, fs::read_to_string(&path)?))?;
        let fetcher = ToolSet::unpacked(&steps, host, lock.set("go"))?;
        let fetcher = fetcher
            .context("Go is not in the cache; building any image with a program in Go puts it there")?;
        Ok(GoTools::fetch(&pin, host, &fetcher, true, &steps, &Silent)?)
    };
    Ok(compile_go(&job, &pin, tools, &caches, &steps, &Silent)?.path)
}

fn read<D: Document>(path: &str) -> Result<D> {
    let path = folder().join(path);
    Ok(parse(&Source::new(&path, fs::read_to_string(&path)?))?)
}
