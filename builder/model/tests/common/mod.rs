/// A profile with all that one must have.
pub const PROFILE: &str = r#"name = "edge"
description = "An image"
version = "1.0"
boards = ["pc"]
overlays = ["base"]

[[archive]]
name = "debian"
suites = ["trixie"]
components = ["main"]
keys = ["debian/stable.asc"]

[sizes]
esp = 128
root = 320
root-verity = 8
config = 16
var-min = 512
"#;
