//! The build-time half of the contract: reads `proto/`, checks that every method says who may call it and where it
//! is found, and writes the Rust and the OpenAPI document that follow from it. No protoc.
//!
//! Owns: the rules of the contract and the shape of generated code. Refuses: anything that runs after the build.
//!
//! To add an option: declare it in `proto/callfairy/options/v1`, read it in `model`, use it in one of the writers
//! (`messages`, `rpcs`, `validation`, `services`, `openapi`), and show in `tests/rules.rs` what it refuses.

mod access;
mod messages;
mod model;
mod openapi;
mod permissions;
mod route;
mod rpcs;
mod rules;
mod services;
mod validation;

use anyhow::{Context, Result, bail};
use model::Contract;
use std::fs;
use std::path::{Path, PathBuf};

/// Packages that are ours start with this.
pub(crate) const ROOT: &str = "callfairy.";
/// The package of the options: read by the build, absent from the generated code.
pub(crate) const OPTIONS: &str = "callfairy.options.v1";

/// Writes the contract's messages, RPCs, validation and OpenAPI document into `out`: for the crate `proto`.
pub fn contract(include: &Path, out: &Path) -> Result<()> {
    let (contract, descriptors) = read(include)?;
    messages::write(&contract, descriptors, out)?;
    let rust = [rpcs::rust(&contract)?, validation::rust(&contract)?, permissions::rust(&contract)?].concat();
    fs::write(out.join("contract.rs"), rust)?;
    fs::write(out.join("openapi.json"), serde_json::to_string_pretty(&openapi::document(&contract)?)?)?;
    Ok(())
}

/// Writes the traits that services implement and their guarded adapters into `out`: for the crate `access`.
pub fn services(include: &Path, out: &Path) -> Result<()> {
    let (contract, _) = read(include)?;
    fs::write(out.join("services.rs"), services::rust(&contract)?)?;
    Ok(())
}

/// All `.proto` files of ours under `include`, relative to it, in a stable order.
pub fn proto_files(include: &Path) -> Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (vec![], vec![include.join("callfairy")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "proto") {
                files.push(path.strip_prefix(include)?.to_owned());
            }
        }
    }
    files.sort();
    Ok(files)
}

fn read(include: &Path) -> Result<(Contract, prost_types::FileDescriptorSet)> {
    let files = proto_files(include)?;
    let mut protox = protox::Compiler::new([include])?;
    protox.include_source_info(true).include_imports(true).open_files(&files)?;
    // Unlike the descriptors of prost-types, this pool keeps the options.
    let (contract, faults) = Contract::read(&protox.descriptor_pool());
    if !faults.is_empty() {
        bail!("the contract breaks its rules:\n  {}", faults.join("\n  "));
    }
    Ok((contract, protox.file_descriptor_set()))
}
