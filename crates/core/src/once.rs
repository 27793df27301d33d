//! What makes two requests the same one.

/// Whose request it is, what for, and by which key the client knows it again. Made by `access::Call::once_key`,
/// remembered by `db::idempotency`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnceKey {
    /// The caller, the organisation and the method: keys of one scope say nothing about those of another.
    pub scope: String,
    /// What the client sent as `Idempotency-Key`. Without it every request is a new one.
    pub key: Option<String>,
    /// SHA-256 of what is asked. The same key with another one is refused.
    pub request_hash: [u8; 32],
}
