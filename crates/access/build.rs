//! The traits that services implement, from `proto/` at the top of the tree.

use std::{env, path::Path};

fn main() -> anyhow::Result<()> {
    println!("cargo:rerun-if-changed=../../proto");
    codegen::services(Path::new("../../proto"), Path::new(&env::var("OUT_DIR")?))
}
