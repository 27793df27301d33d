//! The gateway's own binary.

fn main() -> std::process::ExitCode {
    runtime::run(runtime::Program::Gateway, gateway::start)
}
