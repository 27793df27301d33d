//! Texts that people write.

use callfairy_core::Problem;

/// One line of text, without the spaces around it. The problem names the field.
pub fn line(field: &str, text: &str) -> Result<String, Problem> {
    if text.contains(char::is_control) {
        return Err(Problem::field(field, "must be one line of text"));
    }
    Ok(text.trim().to_owned())
}
