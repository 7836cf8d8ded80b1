//! The data contract: what is refused before anything is downloaded, and what is said.

use geminios_update_format::name::version;
use geminios_update_format::release::{Device, InstalledData, Older, Release, check};

use crate::made::release;

fn device() -> Device {
    Device {
        profile: "x86-edge".into(),
        board: "pc".into(),
        arch: "amd64".into(),
        version: version("2026.10.0").unwrap(),
        data: Some(InstalledData { postgresql: 17, kine_schema: 2, kubernetes_minor: 34 }),
    }
}

fn said(change: impl FnOnce(&mut Release, &mut Device)) -> String {
    let (mut release, mut device) = (release(), device());
    change(&mut release, &mut device);
    check(&release, &device, Older::Refused).err().map_or("fits".to_owned(), |refusal| refusal.to_string())
}

fn data(postgresql: u64, kine_schema: u64, kubernetes_minor: u64) -> String {
    said(|_, device| device.data = Some(InstalledData { postgresql, kine_schema, kubernetes_minor }))
}

#[test]
fn what_fits() {
    assert_eq!(said(|_, _| ()), "fits");
    assert_eq!(said(|_, device| device.data = None), "fits");
    assert_eq!(said(|_, device| device.version = version("2026.9.0").unwrap()), "fits");
    assert_eq!(said(|release, _| release.data.from = None), "fits");
    for fits in [data(16, 2, 34), data(15, 2, 34), data(17, 1, 34), data(17, 2, 33), data(17, 2, 35)] {
        assert_eq!(fits, "fits");
    }
}

/// 0: there is no such program, in the release or in the data.
#[test]
fn what_is_not_there_is_not_compared() {
    assert_eq!(data(0, 0, 0), "fits");
    for none in [data(0, 2, 34), data(17, 0, 34), data(17, 2, 0)] {
        assert_eq!(none, "fits");
    }
    let without = |change: fn(&mut Release)| said(|release, _| change(release));
    assert_eq!(without(|release| release.data.postgresql = 0), "fits");
    assert_eq!(without(|release| release.data.kine_schema = 0), "fits");
    assert_eq!(without(|release| release.data.kubernetes_minor = 0), "fits");
    // What both have is compared all the same.
    let newer = InstalledData { postgresql: 18, kine_schema: 0, kubernetes_minor: 0 };
    let refused = said(|release, device| {
        release.data.kine_schema = 0;
        device.data = Some(newer);
    });
    assert!(refused.contains("cannot read the data of PostgreSQL 18"), "{refused}");
}

#[test]
fn another_device() {
    assert_eq!(
        said(|_, device| device.board = "rpi4".into()),
        "2026.11.1 is for board pc, this device has board rpi4\n  help: use the release of this version for rpi4"
    );
    assert!(
        said(|_, device| device.arch = "arm64".into()).starts_with("2026.11.1 is for architecture amd64")
    );
    assert!(
        said(|_, device| device.profile = "other".into()).starts_with("2026.11.1 is for profile x86-edge")
    );
    assert_eq!(
        said(|release, _| release.updater = 2),
        "2026.11.1 needs an updater of level 2, this one has level 1\n  help: install a release between, which has a newer updater"
    );
}

#[test]
fn another_version() {
    let not_newer =
        "2026.11.1 is not newer than 2026.11.1, which runs\n  help: to go back, ask for this version by name";
    assert_eq!(said(|_, device| device.version = version("2026.11.1").unwrap()), not_newer);
    assert!(said(|_, device| device.version = version("2027.0.0").unwrap()).contains("is not newer"));
    assert!(said(|release, _| release.version = version("2026.10.0-rc.1").unwrap()).contains("is not newer"));
    assert_eq!(
        said(|_, device| device.version = version("2026.8.9").unwrap()),
        "2026.11.1 can be installed from 2026.9.0 on, 2026.8.9 runs\n  help: install 2026.9.0 first"
    );
    let mut newer = device();
    newer.version = version("2027.0.0").unwrap();
    assert!(check(&release(), &newer, Older::Allowed).is_ok());
    // Asked for or not: data that cannot be read stays unread.
    newer.data = Some(InstalledData { postgresql: 18, kine_schema: 2, kubernetes_minor: 34 });
    assert!(check(&release(), &newer, Older::Allowed).is_err());
}

#[test]
fn data_that_it_cannot_read() {
    assert_eq!(
        data(18, 2, 34),
        "2026.11.1 has PostgreSQL 17, which cannot read the data of PostgreSQL 18\n  help: restore a backup that PostgreSQL 17 \
         made, on a device installed anew"
    );
    assert_eq!(
        data(14, 2, 34),
        "2026.11.1 has PostgreSQL 17 and does not convert data of PostgreSQL 14\n  help: install a release between, which does"
    );
    assert_eq!(
        data(17, 3, 34),
        "2026.11.1 has Kine's schema 2, the data has schema 3, which it does not know\n  help: restore a backup with schema 2, \
         on a device installed anew"
    );
    assert_eq!(
        data(17, 2, 36),
        "2026.11.1 has Kubernetes 1.34, the data is of 1.36: it may go back by 1 minor\n  help: choose a release with Kubernetes \
         1.35 or newer"
    );
    assert_eq!(
        data(17, 2, 32),
        "2026.11.1 has Kubernetes 1.34, the data is of 1.32: no minor may be skipped\n  help: install a release with Kubernetes \
         1.33 first"
    );
}
