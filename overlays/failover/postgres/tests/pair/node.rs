//! A node: a folder, a cluster, a driver, and what that said.

use std::{
    fs,
    io::Read,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, Weak},
    thread::sleep,
    time::{Duration, Instant},
};

use geminios_failover_postgres::{
    Direct, Driver, ForkLimits, Goal, Limits, Moment, Peer, Phase, Postgres, Report, Service, Settings, Stop,
};
use tempfile::TempDir;

use crate::place::binaries;

pub const STOPPED: Postgres = Postgres::Stopped;
pub const STREAMS: Postgres = Postgres::Standby { streams: true };
pub const COVERED: Postgres = Postgres::Primary { covered: true };
pub const PRIMARY: Postgres = Postgres::Primary { covered: false };

/// A hang is one after this.
const PATIENCE: Duration = Duration::from_secs(300);

/// What initdb makes: each node of a new site begins with a copy. It is there as long as a test holds it.
fn template() -> Arc<TempDir> {
    static MADE: Mutex<Weak<TempDir>> = Mutex::new(Weak::new());
    let mut made = MADE.lock().unwrap();
    made.upgrade().unwrap_or_else(|| {
        let folder = Arc::new(tempfile::Builder::new().prefix("gpg-initdb").tempdir().unwrap());
        own(folder.path());
        initdb(&folder.path().join("data"));
        *made = Arc::downgrade(&folder);
        folder
    })
}

pub fn initdb(data: &Path) {
    let mut command = Command::new(binaries().unwrap().join("initdb"));
    command.args([
        "-U",
        "postgres",
        "-E",
        "UTF8",
        "--locale=C",
        "--data-checksums",
        "--auth=trust",
        "--no-sync",
        "-D",
    ]);
    if let Some((user, group)) = owner() {
        command.uid(user).gid(group);
    }
    let made = command.arg(data).current_dir("/").output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

pub struct Node {
    pub settings: Settings,
    pub driver: Option<Driver>,
    reports: Arc<Mutex<Vec<Report>>>,
    phases: Arc<Mutex<Vec<Moment>>>,
    aim: u64,
}

/// PostgreSQL refuses to run as root.
fn owner() -> Option<(u32, u32)> {
    rustix::process::geteuid().is_root().then_some((65534, 65534))
}

pub fn own(path: &Path) {
    if let Some((user, group)) = owner() {
        chown(path, Some(user), Some(group)).unwrap();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The folder of a site, which goes with this.
pub struct Site {
    pub folder: TempDir,
    _template: Arc<TempDir>,
}

/// Both nodes of a new site.
pub fn pair() -> Option<(Site, Node, Node)> {
    let folder = tempfile::Builder::new().prefix("gpg").tempdir().unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let ports = (free_port(), free_port());
    let mut a = Node::at(&folder.path().join("a"), "a", "b", ports)?;
    let mut b = Node::at(&folder.path().join("b"), "b", "a", (ports.1, ports.0))?;
    let template = template();
    let data = template.path().join("data").display().to_string();
    a.settings.initdb = Some(["cp", "--archive", "--no-target-directory", &data].map(String::from).into());
    a.begin();
    b.begin();
    Some((Site { folder, _template: template }, a, b))
}

/// A pair that is up: `a` leads, each commit waits for `b`.
pub fn covered_pair() -> Option<(Site, Node, Node)> {
    let (folder, mut a, mut b) = pair()?;
    a.aim(Goal::Lead { epoch: 1, sync: false });
    a.until(PRIMARY);
    b.aim(Goal::Follow { epoch: 1 });
    b.until(STREAMS);
    a.aim(Goal::Lead { epoch: 1, sync: true });
    a.until(COVERED);
    a.sql("create table t (n int primary key)");
    Some((folder, a, b))
}

impl Node {
    /// Makes the folder if it is not there. The ports are its own and its peer's.
    pub fn at(folder: &Path, name: &str, peer: &str, ports: (u16, u16)) -> Option<Node> {
        let real = binaries()?;
        let own_folder = folder.join("own");
        if !folder.exists() {
            fs::create_dir(folder).unwrap();
            own(folder);
            fs::create_dir(folder.join("bin")).unwrap();
            for entry in fs::read_dir(&real).unwrap() {
                let entry = entry.unwrap();
                std::os::unix::fs::symlink(entry.path(), folder.join("bin").join(entry.file_name())).unwrap();
            }
            let show = |file: &str| own_folder.join(file).display().to_string();
            let conf = format!(
                "data_directory = '{0}/data'\nhba_file = '{0}/pg_hba.conf'\nident_file = '{0}/pg_ident.conf'\n\
                 unix_socket_directories = '{0}'\nport = {1}\nwal_log_hints = on\nshared_buffers = 16MB\nmax_connections = 30\n\
                 min_wal_size = 32MB\nmax_wal_size = 64MB\nlog_line_prefix = '%m [%p] '\ninclude '{2}'\n",
                folder.display(),
                ports.0,
                show("postgresql.conf")
            );
            fs::write(folder.join("postgresql.conf"), conf).unwrap();
            fs::write(
                folder.join("pg_hba.conf"),
                format!("local all all trust\ninclude {}\n", show("pg_hba.conf")),
            )
            .unwrap();
            fs::write(folder.join("pg_ident.conf"), format!("include {}\n", show("pg_ident.conf"))).unwrap();
        }
        let second = Duration::from_secs(1);
        let settings = Settings {
            data: folder.join("data"),
            own: own_folder,
            binaries: folder.join("bin"),
            config_file: folder.join("postgresql.conf"),
            socket: folder.into(),
            port: ports.0,
            superuser: "postgres".into(),
            run_as: owner(),
            name: name.into(),
            listen: "127.0.0.1".parse().unwrap(),
            peer: Peer { name: peer.into(), address: "127.0.0.1".parse().unwrap(), port: ports.1 },
            replication_user: "replicator".into(),
            tls: None,
            slot_keep: 32,
            initdb: None,
            clients: Vec::new(),
            forks: ForkLimits { number: 2, bytes: 256 << 20 },
            limits: Limits {
                poll: second / 10,
                answer: second * 2,
                hang: second * 20,
                clean: second * 30,
                immediate: second * 3,
                stuck: second * 30,
                ask: second / 2,
            },
        };
        Some(Node { settings, driver: None, reports: Arc::default(), phases: Arc::default(), aim: 0 })
    }

    pub fn service(&self) -> Direct {
        Direct::new(&self.settings, self.settings.socket.join("log"))
    }

    /// Starts a driver, in the place of the one that is there.
    pub fn begin(&mut self) {
        self.driver = None;
        self.reports.lock().unwrap().clear();
        let (reports, phases) = (self.reports.clone(), self.phases.clone());
        let report = move |report| reports.lock().unwrap().push(report);
        let phase = move |moment| phases.lock().unwrap().push(moment);
        self.driver =
            Some(Driver::start(self.settings.clone(), Box::new(self.service()), report, phase).unwrap());
    }

    pub fn aim(&mut self, goal: Goal) {
        self.phases.lock().unwrap().clear();
        self.aim = self.driver.as_ref().unwrap().aim(goal);
    }

    /// What was reported for the newest goal.
    pub fn seen(&self) -> Vec<Postgres> {
        let reports = self.reports.lock().unwrap();
        reports.iter().filter(|report| report.aim == self.aim).map(|report| report.postgres).collect()
    }

    pub fn now(&self) -> Option<Postgres> {
        self.seen().last().copied()
    }

    pub fn until(&self, postgres: Postgres) {
        self.wait(&format!("{postgres:?}"), || self.now() == Some(postgres));
    }

    pub fn wait(&self, what: &str, done: impl Fn() -> bool) {
        let begun = Instant::now();
        while !done() {
            assert!(self.driver.as_ref().is_none_or(Driver::is_alive), "the driver's thread panicked");
            if begun.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.settings.socket.join("log")).unwrap_or_default();
                let tail: Vec<_> = log.lines().rev().take(25).collect();
                panic!(
                    "{} waits for {what}\nreports {:?}\nphases {:#?}\nlog, newest first {tail:#?}",
                    self.settings.name,
                    self.seen(),
                    self.phases()
                );
            }
            sleep(Duration::from_millis(20));
        }
    }

    pub fn phases(&self) -> Vec<Phase> {
        self.phases.lock().unwrap().iter().map(|moment| moment.phase.clone()).collect()
    }

    pub fn until_phase(&self, what: &str, is: impl Fn(&Phase) -> bool) {
        self.wait(what, || self.phases().iter().any(&is));
    }

    pub fn had(&self, is: impl Fn(&Phase) -> bool) -> bool {
        self.phases().iter().any(is)
    }

    fn psql(&self, sql: &str) -> Command {
        let mut command = Command::new(self.settings.binaries.join("psql"));
        command.args(["-XAtq", "-U", "postgres", "-d", "postgres", "-h"]).arg(&self.settings.socket);
        command.args(["-p", &self.settings.port.to_string(), "-v", "ON_ERROR_STOP=1", "-c", sql]);
        command
    }

    pub fn try_sql(&self, sql: &str) -> Result<String, String> {
        let output = self.psql(sql).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    pub fn sql(&self, sql: &str) -> String {
        self.try_sql(sql).unwrap_or_else(|error| panic!("{}: {error}", self.settings.name))
    }

    /// A statement that may never return.
    pub fn begin_sql(&self, sql: &str) -> Child {
        self.psql(sql).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub fn rows(&self) -> Vec<i32> {
        self.sql("select n from t order by n").lines().map(|line| line.parse().unwrap()).collect()
    }

    pub fn forks(&self) -> Vec<PathBuf> {
        let mut forks: Vec<_> = fs::read_dir(self.settings.own.join("forks"))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path())
            .collect();
        forks.sort();
        forks
    }

    /// As by a power cut.
    pub fn kill(&self) {
        let mut service = self.service();
        while service.is_running().unwrap() {
            service.stop(Stop::Kill).unwrap();
            sleep(Duration::from_millis(20));
        }
    }

    /// Replaces a program by a script; `$REAL` is the real one, `$DATA` the cluster.
    pub fn replace(&self, name: &str, script: &str) {
        let path = self.settings.binaries.join(name);
        let real = binaries().unwrap().join(name);
        self.restore(name);
        fs::remove_file(&path).unwrap();
        let data = self.settings.data.display();
        let text = path.with_extension("text");
        fs::write(
            &text,
            format!(
                "#!/bin/sh\nREAL={}\nDATA={data}\nOWN={}\n{script}\n",
                real.display(),
                self.settings.own.display()
            ),
        )
        .unwrap();
        // A copy that another process made: what this one had open for writing while another test started a program cannot be
        // run ("text file busy").
        assert!(std::process::Command::new("install").args([&text, &path]).status().unwrap().success());
    }

    pub fn restore(&self, name: &str) {
        let path = self.settings.binaries.join(name);
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(binaries().unwrap().join(name), &path).unwrap();
    }

    pub fn postmaster(&self) -> i32 {
        let text = fs::read_to_string(self.settings.data.join("postmaster.pid")).unwrap();
        text.lines().next().unwrap().parse().unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::env::var_os("GEMINIOS_TEST_NODE").is_none() {
            self.driver = None;
            self.kill();
        }
    }
}

/// Sees that a statement does not return.
pub fn waits(child: &mut Child) {
    sleep(Duration::from_millis(1500));
    if let Some(status) = child.try_wait().unwrap() {
        let mut why = String::new();
        child.stderr.take().unwrap().read_to_string(&mut why).unwrap();
        assert!(!status.success(), "a commit was acknowledged without the standby");
        panic!("a commit failed: {why}");
    }
}

pub fn returns(mut child: Child) {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("a commit does not return");
        }
        sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !text.contains("WARNING"), "{text}");
}
