//! The README's main flow, run as it stands there: what a newcomer copies has to work.

use crate::world::PATIENCE;
use std::path::Path;
use std::process::Stdio;
use testkit::{Layout, Platform};
use tokio::process::Command;

crate::on_both_stacks!(the_readme_is_true);

const COUNTS: &str = "as_robin $API/organisations/$ORG/campaigns/$CAMPAIGN";
const README: &str = include_str!("../../README.md");

/// The commands of a section, in order.
fn commands(section: &str) -> String {
    let (_, rest) = README.split_once(&format!("\n## {section}\n")).expect("the section is there");
    let text = rest.split("\n## ").next().unwrap_or(rest);
    text.split("```sh\n").skip(1).filter_map(|block| block.split("```").next()).collect::<Vec<_>>().join("\n")
}

async fn the_readme_is_true(layout: Layout) {
    let platform = Platform::start(layout, &[]).await;
    let (flow, admin) = (commands("The main flow"), platform.superadmin());
    let sign_in = flow.lines().find(|line| line.starts_with("ADMIN=$(login ")).expect("it signs in as the superadmin");
    let flow = flow
        .replace("http://127.0.0.1:8080", &platform.url())
        // Not longer than it takes until there is something to see.
        .replace("sleep 20\n", &format!("until {COUNTS} | grep -q '\"total\":950'; do sleep 1; done\n"))
        .replace(sign_in, &format!("ADMIN=$(login {} {})", admin.email, admin.password));
    let script = format!("set -euo pipefail\n{flow}");

    // It finds the mail and the file where a newcomer's shell does.
    let directory = platform.data_dir().parent().unwrap().to_owned();
    std::os::unix::fs::symlink(Path::new(env!("CARGO_MANIFEST_DIR")), directory.join("tests")).unwrap();
    let run = Command::new("bash")
        .arg("-c")
        .arg(script)
        .current_dir(directory)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, run).await.expect("it comes to its end").expect("bash is there");
    let (said, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{complaints}");
    for expected in [
        r#"{"detail":"The address is confirmed. You can sign in now."}"#,
        r#""role":"agent""#,
        r#""status":"completed","total_rows":1000,"imported_rows":950,"updated_rows":0,"duplicate_rows":20,"failed_rows":30"#,
        "missing_phone_number,Phone No. is missing",
        "running\n",
        "'total': 950",
    ] {
        assert!(said.contains(expected), "{expected} is missing in\n{said}\n{complaints}");
    }
}
