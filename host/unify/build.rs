//! Here only so that the build dependencies of the manifest count.
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
