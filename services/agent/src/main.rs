//! agent's own binary.

fn main() -> std::process::ExitCode {
    runtime::run(runtime::Program::Agent, agent::start)
}
