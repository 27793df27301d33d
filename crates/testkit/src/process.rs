//! A program of ours as a child process.

use crate::eventually;
use anyhow::{Context as _, Result, ensure};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

/// How many lines of a log are shown when a test fails.
const SHOWN_LINES: usize = 120;
/// What a child takes over from the test's environment; all else it gets from the test alone.
const INHERITED: &[&str] = &["PATH", "HOME", "TMPDIR", "LANG", "RUST_BACKTRACE", "CALLFAIRY_TEST_RUN"];

/// A program that can be killed and started again. Killed at once when dropped.
///
/// It stays in the test's process group, so that what ends a test from outside (a terminal, nextest's time limit)
/// ends it too.
#[derive(Debug)]
pub struct Process {
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Not started yet. `log` gets its output, appended at each start; its environment is what `environment` has.
    pub fn new(program: impl Into<PathBuf>, arguments: &[&str], log: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            environment: Vec::new(),
            log: log.into(),
            child: None,
        }
    }

    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.environment.extend(variables);
        self
    }

    /// # Panics
    /// When it runs already or cannot be started.
    #[track_caller]
    pub fn start(&mut self) {
        assert!(!self.is_running(), "{} runs already", self.name());
        match self.spawn() {
            Ok(child) => self.child = Some(child),
            Err(error) => panic!("{} does not start: {error:#}", self.name()),
        }
    }

    fn spawn(&self) -> Result<Child> {
        let log = open_log(&self.log)?;
        let mut command = self.command();
        command.stdout(log.try_clone()?).stderr(log);
        command.spawn().with_context(|| self.program.display().to_string())
    }

    fn command(&self) -> Command {
        let inherited = INHERITED.iter().filter_map(|&name| Some((name, std::env::var_os(name)?)));
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(inherited);
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command
    }

    /// Runs it to its end, beside itself if need be; what it printed is not in the log. Blocks.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn run_to_end(&self) -> Output {
        match self.command().output() {
            Ok(output) => output,
            Err(error) => panic!("{} does not start: {error}", self.name()),
        }
    }

    /// Its process id while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub fn is_running(&mut self) -> bool {
        self.exited().is_none() && self.child.is_some()
    }

    /// How it ended, if it was started and has ended by itself.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    /// SIGKILL: it gets no chance to do anything.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM, then waits until it has ended.
    ///
    /// # Panics
    /// When it has not ended after `deadline`; it is killed then.
    #[track_caller]
    pub fn terminate(&mut self, deadline: Duration) -> impl Future<Output = ExitStatus> {
        self.signal("TERM");
        let what = format!("{} ended after SIGTERM", self.name());
        async move {
            let status = eventually(&what, deadline, async || self.exited()).await;
            self.child = None;
            status
        }
    }

    /// A signal by its name without `SIG`, such as `STOP` and `CONT`.
    ///
    /// # Panics
    /// When it does not run.
    #[track_caller]
    pub fn signal(&self, signal: &str) {
        if let Err(error) = self.send(signal) {
            panic!("SIG{signal} to {}: {error:#}", self.name());
        }
    }

    fn send(&self, signal: &str) -> Result<()> {
        let id = self.id().context("it was not started")?;
        // The shell's own kill: the program of that name is not everywhere.
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {id}")]).output()?;
        ensure!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr).trim());
        Ok(())
    }

    /// All that it has written so far.
    pub fn output(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The end of its output under a heading, to show when a test fails.
    pub fn last_output(&self) -> String {
        let output = self.output();
        let lines: Vec<_> = output.lines().collect();
        let skipped = lines.len().saturating_sub(SHOWN_LINES);
        let mut text = format!("---- {}", self.name());
        if skipped > 0 {
            let _ = write!(text, " (without the first {skipped} lines)");
        }
        for line in &lines[skipped..] {
            let _ = write!(text, "\n{line}");
        }
        text
    }

    fn name(&self) -> String {
        let program = self.program.file_name().unwrap_or_default().to_string_lossy();
        [&[program.into_owned()], self.arguments.as_slice()].concat().join(" ")
    }
}

fn open_log(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).open(path).with_context(|| path.display().to_string())
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;
    use tempfile::TempDir;

    const DEADLINE: Duration = Duration::from_secs(10);

    fn shell(directory: &TempDir, script: &str) -> Process {
        Process::new("sh", &["-c", script], directory.path().join("log"))
    }

    fn exists(id: u32) -> bool {
        std::fs::exists(format!("/proc/{id}")).unwrap()
    }

    #[tokio::test]
    async fn is_killed_and_started_again() {
        let directory = TempDir::new().unwrap();
        let mut process = shell(&directory, "echo \"$$ says $WORD\"; exec sleep 60")
            .environment([("WORD".to_owned(), "hello".to_owned())]);
        assert!(!process.is_running());
        let mut said = String::new();
        for _ in 0..2 {
            process.start();
            let id = process.id().unwrap();
            writeln!(said, "{id} says hello").unwrap();
            eventually("it spoke", DEADLINE, async || (process.output() == said).then_some(())).await;
            assert!(process.is_running());
            process.kill9();
            assert!(!process.is_running());
            assert!(!exists(id));
        }
        assert_eq!(process.last_output().lines().count(), 3);
    }

    #[tokio::test]
    async fn is_asked_to_end() {
        let directory = TempDir::new().unwrap();
        let mut process = shell(&directory, "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.02; done");
        process.start();
        eventually("it is up", DEADLINE, async || (process.output() == "up\n").then_some(())).await;
        assert_eq!(process.terminate(DEADLINE).await.code(), Some(7));
        assert_eq!(process.output(), "up\nbye\n");
        assert!(!process.is_running());
    }

    #[tokio::test]
    #[should_panic(expected = "sh -c trap '' TERM")]
    async fn is_not_waited_for_without_end() {
        let directory = TempDir::new().unwrap();
        let mut process = shell(&directory, "trap '' TERM; echo up; while :; do sleep 0.02; done");
        process.start();
        eventually("it is up", DEADLINE, async || (process.output() == "up\n").then_some(())).await;
        process.terminate(Duration::from_millis(50)).await;
    }

    #[tokio::test]
    async fn gets_signals_and_tells_how_it_ended() {
        let directory = TempDir::new().unwrap();
        let mut process = shell(&directory, "exec sleep 60");
        process.start();
        let id = process.id().unwrap();
        let state = async |wanted: &str| {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
            stat.contains(&format!(") {wanted} ")).then_some(())
        };
        process.signal("STOP");
        eventually("it stopped", DEADLINE, async || state("T").await).await;
        process.signal("CONT");
        eventually("it went on", DEADLINE, async || state("S").await).await;
        process.signal("USR1");
        let status = eventually("it ended", DEADLINE, async || process.exited()).await;
        assert_eq!(status.signal(), Some(10));
    }

    #[test]
    fn ends_with_its_value() {
        let directory = TempDir::new().unwrap();
        let mut process = shell(&directory, "exec sleep 60");
        process.start();
        let id = process.id().unwrap();
        drop(process);
        assert!(!exists(id));
    }

    #[test]
    fn knows_nothing_of_the_test_s_environment() {
        let directory = TempDir::new().unwrap();
        let mut process = shell(&directory, "env");
        process.start();
        process.child.as_mut().unwrap().wait().unwrap();
        let output = process.output();
        assert!(output.contains("PATH=") && !output.contains("CARGO_"), "{output}");
    }

    #[test]
    #[should_panic(expected = "/no/such/program")]
    fn names_what_does_not_start() {
        let directory = TempDir::new().unwrap();
        Process::new("/no/such/program", &[], directory.path().join("log")).start();
    }
}
