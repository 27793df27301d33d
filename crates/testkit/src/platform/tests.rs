//! With shell scripts in place of the binaries.

#![allow(clippy::unwrap_used)]

use super::*;
use std::os::unix::fs::PermissionsExt as _;

/// Stands for every binary: keeps its variables, and lives until it is told to end.
const SCRIPT: &str = "#!/bin/sh
echo \"$0 $* in $CALLFAIRY_DATA_DIR\"
env >\"$CALLFAIRY_DATA_DIR/$(basename \"$0\")$1.env\"
trap 'exit 0' TERM
while :; do sleep 0.02; done
";
const LIMIT: Duration = Duration::from_secs(10);

fn scripts() -> TempDir {
    let directory = TempDir::new().unwrap();
    for name in ["callfairy", "auth", "tenancy", "agent", "telephony", "worker", "gateway"] {
        let path = directory.path().join(name);
        std::fs::write(&path, SCRIPT).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    directory
}

fn started(layout: Layout, binaries: &TempDir) -> Platform {
    let mut platform = Platform::prepare(layout, binaries.path(), &[("CALLFAIRY_SWEEP_SECONDS", "1")]).unwrap();
    platform.processes.values_mut().for_each(Process::start);
    platform
}

async fn file(path: &Path, holds: &str) {
    let what = format!("{} held {holds}", path.display());
    eventually(&what, LIMIT, async || std::fs::read_to_string(path).ok()?.contains(holds).then_some(())).await;
}

#[tokio::test]
async fn six_processes_are_started_killed_and_restarted_apart() {
    let binaries = scripts();
    let mut platform = started(Layout::SixProcesses, &binaries);
    for name in ["callfairysimulator", "auth", "tenancy", "agent", "telephony", "worker", "gateway"] {
        let variables = platform.data_dir().join(format!("{name}.env"));
        file(&variables, &format!("DATABASE_URL={}", platform.database().unwrap().url())).await;
        file(&variables, "CALLFAIRY_SWEEP_SECONDS=1").await;
    }
    let ids = |platform: &mut Platform| {
        [Program::Worker, Program::Gateway].map(|program| platform.process_mut(program).id().unwrap())
    };
    let before = ids(&mut platform);
    platform.kill9(Program::Worker);
    assert!(!platform.process_mut(Program::Worker).is_running());
    platform.restart(Program::Worker);
    let after = ids(&mut platform);
    assert_ne!(before[0], after[0]);
    assert_eq!(before[1], after[1]);

    file(&platform.directory.path().join("auth.log"), "/auth").await;
    assert!(platform.terminate(Program::Auth).await.success());

    drop(platform);
    for id in [before[0], after[0], after[1]] {
        assert!(!std::fs::exists(format!("/proc/{id}")).unwrap());
    }
}

#[tokio::test]
#[should_panic(expected = "callfairy ended with exit status: 3")]
async fn a_process_that_ends_is_not_waited_for() {
    let binaries = scripts();
    std::fs::write(binaries.path().join("callfairy"), "#!/bin/sh\nexit 3\n").unwrap();
    started(Layout::OneProcess, &binaries).wait_ready().await;
}

#[tokio::test]
async fn is_ready_when_the_gateway_says_so() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let binaries = scripts();
    let mut platform = started(Layout::OneProcess, &binaries);
    let listener = tokio::net::TcpListener::bind(platform.addresses.http()).await.unwrap();
    let answers = tokio::spawn(async move {
        for status in ["503 Service Unavailable", "200 OK"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /readyz "));
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    platform.wait_ready().await;
    answers.await.unwrap();
}

#[tokio::test]
#[should_panic(expected = "OneProcess has no process gateway")]
async fn a_wrong_program_is_named() {
    let binaries = scripts();
    started(Layout::OneProcess, &binaries).kill9(Program::Gateway);
}

#[test]
fn the_binaries_are_beside_the_tests() {
    let directory = binaries();
    assert!(directory.join("deps").is_dir(), "{}", directory.display());
}
