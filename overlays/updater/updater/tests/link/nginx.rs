//! nginx as the server. Without it the test is skipped with a word; GEMINIOS_ORACLES=required makes it fail.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use crate::run::Site;
use crate::world::{World, installed, untouched};

struct Nginx {
    child: Child,
    url: String,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn nginx(dir: &Path, root: &Path) -> Option<Nginx> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dir = dir.display();
    let settings = format!(
        "daemon off; master_process off; pid {dir}/pid; error_log {dir}/errors;\n\
         events {{}}\n\
         http {{ access_log {dir}/log; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;\n\
         fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;\n\
         server {{ listen 127.0.0.1:{port}; root {}; }} }}\n",
        root.display()
    );
    let file = format!("{dir}/nginx.conf");
    fs::write(&file, settings).unwrap();
    let program = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
    match Command::new(program).args(["-c", &file, "-e", &format!("{dir}/errors")]).spawn() {
        Ok(child) => {
            for _ in 0..500 {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            Some(Nginx { child, url: format!("http://127.0.0.1:{port}") })
        }
        Err(error) => {
            assert!(std::env::var_os("GEMINIOS_ORACLES").is_none(), "nginx: {error}");
            println!("skipped: no nginx: {error}");
            None
        }
    }
}

#[test]
fn from_nginx() {
    let world = World::shared();
    let dir = tempfile::tempdir().unwrap();
    // Its workers may be another user's.
    let Some(nginx) = nginx(dir.path(), &world.repo()) else { return };
    let site = Site::new(world);
    let done = site.install(&nginx.url);
    assert!(done.is_ok(), "{}", site.shown(&done));
    assert!(installed(&site.path(), &world.new) && untouched(&site.path(), &world.old));
    let log = fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(log.lines().filter(|line| line.contains("/blobs/")).all(|line| line.contains(" 200 ")), "{log}");
}
