fn main() {
    // Cargo does not see new migrations by itself.
    println!("cargo:rerun-if-changed=../../migrations/telephony");
}
