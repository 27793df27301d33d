//! The worker's own binary.

fn main() -> std::process::ExitCode {
    runtime::run(runtime::Program::Worker, worker::start)
}
