//! tenancy's own binary.

fn main() -> std::process::ExitCode {
    runtime::run(runtime::Program::Tenancy, tenancy::start)
}
