//! Takes Swagger UI's two files out of the archive that its crate holds.

use anyhow::{Context, bail};
use std::io::{Cursor, Read as _};
use std::path::Path;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

const WANTED: [&str; 2] = ["swagger-ui-bundle.js", "swagger-ui.css"];

fn main() -> anyhow::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    let out = std::env::var("OUT_DIR")?;
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    for wanted in WANTED {
        let end = format!("/dist/{wanted}");
        let names = archive.file_names().collect::<Result<Vec<_>, _>>()?;
        let Some(name) = names.into_iter().find(|name| name.ends_with(&end)).map(String::from) else {
            bail!("the archive has no {wanted}");
        };
        let mut content = Vec::new();
        archive.by_name(&name)?.read_to_end(&mut content)?;
        std::fs::write(Path::new(&out).join(wanted), content).with_context(|| format!("cannot write {wanted}"))?;
    }
    Ok(())
}
