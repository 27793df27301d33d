//! Cells that a spreadsheet would take for formulas.
//!
//! A cell of a download that begins with `=`, `-`, `@`, a tab or a carriage return gets an apostrophe in front, which
//! spreadsheets do not show. One that begins with `+` gets it too, unless the rest is only digits, spaces and `()-.`:
//! phone numbers stay as they are. What comes back with such an apostrophe loses it again.

use std::borrow::Cow;

const GUARD: char = '\'';

fn is_formula(cell: &str) -> bool {
    match cell.strip_prefix('+') {
        Some(rest) => !rest.bytes().all(|b| b.is_ascii_digit() || b" ()-.".contains(&b)),
        None => cell.starts_with(['=', '-', '@', '\t', '\r']),
    }
}

/// Whether the cell, which begins with an apostrophe, has it only to be harmless.
fn is_guarded(cell: &str) -> bool {
    cell.starts_with(GUARD) && cell.trim_start_matches(GUARD).starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// The cell as it can be opened without harm.
pub fn neutralise(cell: &str) -> Cow<'_, str> {
    // A cell that looks guarded by itself gets a second one, so that what comes back is what went out.
    if is_formula(cell) || is_guarded(cell) { Cow::Owned(format!("{GUARD}{cell}")) } else { Cow::Borrowed(cell) }
}

/// The cell without an apostrophe that only makes it harmless.
pub fn restore(cell: &str) -> &str {
    if is_guarded(cell) { &cell[GUARD.len_utf8()..] } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_made_text() {
        for cell in ["=1+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "+1+cmd|' /C calc'!A0", "+A1", "+44\u{a0}20"] {
            assert_eq!(neutralise(cell), format!("'{cell}"), "{cell:?}");
        }
        for cell in ["", "Ada", "+44 (20) 7946-00.18", "020 7946", "'tis", "a=b", "1-2", "'", "''"] {
            assert_eq!(neutralise(cell), cell, "{cell:?}");
        }
    }

    #[test]
    fn what_went_out_comes_back() {
        for cell in ["=1", "'=1", "''=1", "'tis", "'", "+44 20", "'+44 20", "'+x", "-", "Ada", "", "'é"] {
            assert_eq!(restore(&neutralise(cell)), cell, "{cell:?}");
        }
    }
}
