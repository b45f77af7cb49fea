//! Links the loader low, with the linker script beside this file.

fn main() {
    let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it for build scripts");
    println!("cargo:rustc-link-arg-bins=-T{folder}/pvh.ld");
    println!("cargo:rerun-if-changed=pvh.ld");
}
