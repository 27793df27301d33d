//! telephony's own binary.

fn main() -> std::process::ExitCode {
    runtime::run(runtime::Program::Telephony, telephony::start)
}
