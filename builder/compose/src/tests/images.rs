//! Container images in the tree.

use geminios_model::Digest;

use super::world::World;
use crate::{BuiltImage, Content};

fn image(overlay: Option<&str>, name: &str) -> BuiltImage {
    BuiltImage {
        overlay: overlay.map(str::to_owned),
        name: name.parse().unwrap(),
        digest: Digest::of(name),
        content: Content::from("archive"),
    }
}

const OVERLAY: &str = r#"
[[image]]
name = "localhost/web/web:1"
entrypoint = ["/web"]
user = "1:1"

[[program]]
source = "web"
binary = "web"
path = "/web"
place = "image"
image = "localhost/web/web:1"

[[directory]]
path = "/usr/share/geminios/images"
"#;

#[test]
fn images_of_overlays_and_of_the_profile_stand_side_by_side() {
    let mut world = World::new();
    world.overlay("web", OVERLAY, &[]);
    world.images =
        vec![image(Some("web"), "localhost/web/web:1"), image(None, "registry.example/team/app:1.2")];
    insta::assert_snapshot!(world.listing(&["/usr/share/geminios", "/web"]), @r"
    /usr/share/geminios: 0755 0:0 folder
    /usr/share/geminios/container-images: 0644 0:0 198
    /usr/share/geminios/images: 0755 0:0 folder
    /usr/share/geminios/images/localhost+web+web@1.tar: 0644 0:0 7
    /usr/share/geminios/images/registry.example+team+app@1.2.tar: 0644 0:0 7
    /usr/share/geminios/packages: 0644 0:0 98
    ");
    let first = format!("localhost/web/web:1 sha256:{} 7\n", Digest::of("localhost/web/web:1"));
    assert!(world.text("/usr/share/geminios/container-images").starts_with(&first));
}

#[test]
fn a_device_without_images_has_no_list_of_them() {
    let world = World::new();
    assert!(!world.listing(&["/usr/share/geminios"]).contains("container-images"));
}

#[test]
fn nobody_else_may_have_the_path_of_an_image() {
    let mut world = World::new();
    world.overlay("other", "", &[("usr/share/geminios/images/registry.example+app@1.tar", "x")]);
    world.images = vec![image(None, "registry.example/app:1")];
    assert_eq!(
        world.error(),
        "/usr/share/geminios/images/registry.example+app@1.tar of profile edge is taken: overlay other puts something there\n  help: keep one of them"
    );
}
