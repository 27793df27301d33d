//! The walls between crates, as `.deny.toml` names them. `cargo deny` holds them too, but it is not everywhere; this
//! takes no time and runs with every test.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

const SERVICES: &[&str] = &["agent", "auth", "gateway", "telephony", "tenancy", "worker"];
/// The one process, which is made of all services.
const PLATFORM: &str = "callfairy";
const TOP_LEVEL: &[&str] =
    &["Cargo.lock", "Cargo.toml", "README.md", "crates", "deploy", "k8s", "migrations", "proto", "services", "tests"];
/// Made by work, never committed.
const MADE: &[&str] = &["data", "target"];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A crate that only some may depend on, or none.
struct Wall {
    around: String,
    allowed: Vec<String>,
}

fn walls() -> Vec<Wall> {
    let settings = std::fs::read_to_string(root().join(".deny.toml")).unwrap();
    let settings: toml::Table = settings.parse().unwrap();
    let text = |value: &toml::Value| value.as_str().unwrap().to_owned();
    let wall = |entry: &toml::Value| Wall {
        around: text(&entry["crate"]),
        allowed: entry
            .get("wrappers")
            .map(|list| list.as_array().unwrap().iter().map(text).collect())
            .unwrap_or_default(),
    };
    settings["bans"]["deny"].as_array().unwrap().iter().map(wall).collect()
}

/// Each package of the workspace with what it depends on in any way, and what only its tests depend on.
struct Package {
    all: BTreeSet<String>,
    shipped: BTreeSet<String>,
}

fn packages() -> BTreeMap<String, Package> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let list = metadata["packages"].as_array().unwrap();
    let packages: BTreeMap<_, _> = list.iter().map(package).collect();
    assert_eq!(packages.len(), list.len());
    for known in SERVICES.iter().chain([&PLATFORM]) {
        assert!(packages.contains_key(*known), "{known} is no package any more");
    }
    packages
}

fn package(package: &Value) -> (String, Package) {
    let dependencies = package["dependencies"].as_array().unwrap();
    let named = |dependency: &Value| dependency["name"].as_str().unwrap().to_owned();
    let shipped = dependencies.iter().filter(|dependency| dependency["kind"] != "dev");
    let names = Package { all: dependencies.iter().map(named).collect(), shipped: shipped.map(named).collect() };
    (package["name"].as_str().unwrap().to_owned(), names)
}

#[test]
fn only_those_inside_a_wall_use_what_is_in_it() {
    let (walls, mut breaches) = (walls(), Vec::new());
    assert!(["actix-web", "db", "diesel", "lapin"].iter().all(|name| walls.iter().any(|wall| wall.around == *name)));
    for (name, package) in packages() {
        for wall in &walls {
            if package.all.contains(&wall.around) && !wall.allowed.contains(&name) {
                breaches.push(format!("{name} depends on {}, which only {:?} may", wall.around, wall.allowed));
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

/// What they ship; a service's tests may run a neighbour beside it.
#[test]
fn services_do_not_know_each_other() {
    let mut breaches = Vec::new();
    for (name, package) in packages() {
        let others = SERVICES.iter().chain([&PLATFORM]).filter(|service| package.shipped.contains(**service));
        if name != PLATFORM {
            breaches.extend(others.map(|service| format!("{name} depends on the service {service}")));
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn nothing_that_ships_depends_on_the_testkit() {
    for (name, package) in packages() {
        assert!(name == "tests" || !package.shipped.contains("testkit"), "{name} ships with testkit");
    }
}

#[test]
fn the_lock_has_one_provider_of_tls() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let names: BTreeSet<_> =
        lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect();
    assert!(names.contains("ring"));
    for Wall { around, .. } in walls().iter().filter(|wall| wall.allowed.is_empty()) {
        assert!(!names.contains(around.as_str()), "{around} is in Cargo.lock: cargo tree --invert {around}");
    }
}

#[test]
fn nothing_else_stands_at_the_top() {
    for entry in std::fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = TOP_LEVEL.iter().chain(MADE).any(|known| *known == name);
        assert!(known || name.starts_with('.'), "{name} stands at the top of the repository");
    }
}
