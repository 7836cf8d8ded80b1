//! The files of settings: which wins, and what is wrong in one is named with its line.

use std::fs;

use geminios_updater::config::{Automatic, Config, amount};
use geminios_updater::image::Update;

fn read(image: Option<&str>, device: Option<&str>) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: Option<&str>| {
        let path = dir.path().join(name);
        text.into_iter().for_each(|text| fs::write(&path, text).unwrap());
        path
    };
    let (image, device) = (file("image.toml", image), file("device.toml", device));
    let update = Update { url: Some("https://built.in/".to_owned()), channel: "built-in".to_owned() };
    let config = Config::read(Some(&update), [&image, &device]);
    config.map_err(|error| error.to_string().replace(&dir.path().display().to_string(), "/dir"))
}

#[test]
fn the_device_overrides_the_image_and_the_image_what_is_built_in() {
    let built_in = read(None, None).unwrap();
    assert_eq!(built_in.url.as_deref(), Some("https://built.in"));
    assert_eq!((built_in.channel.as_str(), built_in.automatic), ("built-in", Automatic::Check));
    assert_eq!((built_in.windows.len(), built_in.budget, built_in.usb), (0, None, false));

    let image = r#"
        url = "https://of.image/edge/"
        channel = "stable"
        windows = ["Mon-Fri 01:00-05:00", "daily 22:00-23:00"]
        budget = "500 MiB"
        automatic = "install"
        usb = true
    "#;
    let of_image = read(Some(image), None).unwrap();
    assert_eq!(of_image.url.as_deref(), Some("https://of.image/edge"));
    assert_eq!((of_image.windows.len(), of_image.budget), (2, amount("500 MiB")));

    let device = "budget = \"unlimited\"\nwindows = []\nautomatic = \"install-and-restart\"\n";
    let of_device = read(Some(image), Some(device)).unwrap();
    assert_eq!((of_device.windows.len(), of_device.budget), (0, None));
    assert_eq!((of_device.automatic, of_device.usb), (Automatic::InstallAndRestart, true));
    assert_eq!(of_device.url, of_image.url);
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let rows = [
        "channel = \"stable\"\nbudjet = \"1 MiB\"\n",
        "budget = 500\n",
        "budget = \"500\"\n",
        "# a comment\nwindows = [\"daily\"]\n",
        "url = \"ftp://example.org\"\n",
        "url = \"https://example.org/\\\" --output /etc/passwd\"\n",
        "url = \"file:///etc\"\n",
        "url = \"https://me:secret@example.org/\"\n",
        "channel = \"Stable!\"\n",
        "automatic = \"yes\"\n",
        "usb = \"true\"\n",
        "channel = \"a\"\nchannel = \"b\"\n",
        "channel = \n",
    ];
    let all: Vec<String> = rows
        .iter()
        .map(|row| {
            format!("## {}\n{}\n", row.trim_end().replace('\n', " | "), read(None, Some(row)).unwrap_err())
        })
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}
