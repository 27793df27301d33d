//! From bytes to rows, piece by piece, each row with its place in the file.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// Bytes of one row's cells.
pub const MAX_ROW: usize = 1024 * 1024;
/// Cells of one row.
pub const MAX_CELLS: usize = 1_000;
const FIRST_OUTPUT: usize = 4 * 1024;
const FIRST_ENDS: usize = 32;

/// Between two bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub byte_offset: u64,
    /// Counted from 1. Lines end in LF, CR LF or CR.
    pub line: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where it begins, behind empty lines.
    pub start: Place,
    pub cells: Vec<String>,
}

/// Why a file cannot be read any further, with the line at which the row begins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the row that begins in line {0} is longer than a megabyte; most likely a quotation mark is not closed")]
    TooLong(u64),
    #[error("the row that begins in line {0} has more than {MAX_CELLS} cells")]
    TooManyCells(u64),
    #[error("the row that begins in line {0} has a quotation mark that is not closed before the end of the file")]
    OpenQuote(u64),
    #[error("the row that begins in line {0} is not text in the file's encoding")]
    NotText(u64),
}

/// Reads rows from pieces of UTF-8.
pub struct RowReader {
    csv: Reader,
    /// Behind the last byte taken.
    place: Place,
    /// The last byte taken was a CR, whose LF belongs to the same line end.
    after_cr: bool,
    /// Where the row began of which something is taken.
    begun: Option<Place>,
    output: Vec<u8>,
    output_length: usize,
    ends: Vec<usize>,
    ends_length: usize,
}

impl RowReader {
    /// `place` is where the bytes begin: between two rows.
    pub fn new(delimiter: u8, place: Place) -> Self {
        let mut csv = ReaderBuilder::new().delimiter(delimiter).build();
        // A file that is read from its middle begins with no byte order mark: after an empty line none is looked for.
        let _ = csv.read_record(b"\n", &mut [0], &mut [0]);
        Self {
            csv,
            place,
            after_cr: false,
            begun: None,
            output: vec![0; FIRST_OUTPUT],
            output_length: 0,
            ends: vec![0; FIRST_ENDS],
            ends_length: 0,
        }
    }

    /// The end of what was taken.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Takes bytes off the front of `input`, up to the end of a row or of the input.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Row>, Unreadable> {
        if self.begun.is_none() {
            let empty = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            self.take(input, empty);
        }
        while !input.is_empty() {
            let begun = *self.begun.get_or_insert(self.place);
            let (result, read) = self.step(input);
            self.take(input, read);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.output.len() > MAX_ROW => {
                    return Err(Unreadable::TooLong(begun.line));
                }
                ReadRecordResult::OutputFull => self.output.resize((self.output.len() * 2).min(MAX_ROW + 1), 0),
                ReadRecordResult::OutputEndsFull if self.ends.len() > MAX_CELLS => {
                    return Err(Unreadable::TooManyCells(begun.line));
                }
                ReadRecordResult::OutputEndsFull => self.ends.resize((self.ends.len() * 2).min(MAX_CELLS + 1), 0),
                ReadRecordResult::Record | ReadRecordResult::End => return self.row(begun).map(Some),
            }
        }
        Ok(None)
    }

    /// After the last byte: the row that no line end has ended.
    pub fn finish(&mut self) -> Result<Option<Row>, Unreadable> {
        let Some(begun) = self.begun else { return Ok(None) };
        let end = self.place;
        // A line end would be a part of a quoted cell, and ends the row otherwise.
        let row = self.read(&mut b"\n".as_slice())?;
        self.place = end;
        row.map(Some).ok_or(Unreadable::OpenQuote(begun.line))
    }

    fn step(&mut self, input: &[u8]) -> (ReadRecordResult, usize) {
        let (output, ends) = (&mut self.output[self.output_length..], &mut self.ends[self.ends_length..]);
        let (result, read, written, ended) = self.csv.read_record(input, output, ends);
        self.output_length += written;
        self.ends_length += ended;
        (result, read)
    }

    fn row(&mut self, start: Place) -> Result<Row, Unreadable> {
        let ends = &self.ends[..self.ends_length];
        if ends.len() > MAX_CELLS {
            return Err(Unreadable::TooManyCells(start.line));
        }
        let mut cells = Vec::with_capacity(ends.len());
        let mut from = 0;
        for end in ends {
            let cell = std::str::from_utf8(&self.output[from..*end]).map_err(|_| Unreadable::NotText(start.line))?;
            cells.push(cell.to_owned());
            from = *end;
        }
        (self.begun, self.output_length, self.ends_length) = (None, 0, 0);
        Ok(Row { start, cells })
    }

    fn take(&mut self, input: &mut &[u8], count: usize) {
        let (taken, rest) = input.split_at(count);
        *input = rest;
        self.place.byte_offset += taken.len() as u64;
        for byte in taken {
            self.place.line += u64::from(*byte == b'\r' || *byte == b'\n' && !self.after_cr);
            self.after_cr = *byte == b'\r';
        }
    }
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
