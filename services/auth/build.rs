//! Migrations are embedded; cargo does not see a new folder of them by itself.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations/auth");
    println!("cargo:rerun-if-changed=build.rs");
}
