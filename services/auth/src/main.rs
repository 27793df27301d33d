//! auth's own binary.

fn main() -> std::process::ExitCode {
    runtime::run(runtime::Program::Auth, auth::start)
}
