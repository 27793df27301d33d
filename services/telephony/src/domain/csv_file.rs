//! What a file is, found out while it passes by: its encoding from all of it, delimiter and header from its beginning.

use crate::domain::columns::{Columns, Mapping};
use callfairy_core::Problem;
use encoding_rs::{UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::borrow::Cow;

/// The beginning of the file, which is kept while the rest passes by. The header must lie in it.
pub const HEAD: usize = 64 * 1024;
/// What a field is separated by, the likeliest first.
const DELIMITERS: &[u8] = b",;\t|";
/// Rows that are looked at to find the delimiter.
const SAMPLE: usize = 100;
/// What files begin with, marks and magic, is at most this long.
const LONGEST_MAGIC: usize = 16;
const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";

/// How files begin that are not text, and what they are.
const MAGIC: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "an Excel workbook or another archive; save it as CSV and upload that"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save it as CSV and upload that"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"\x1f\x8b", "a compressed file"),
    (b"SQLite format 3", "a database"),
];

db::text_enum!(
    /// By the names of the Encoding Standard.
    pub enum Encoding {
        Utf8 = "utf-8",
        Windows1252 = "windows-1252",
        Utf16Le = "utf-16le",
        Utf16Be = "utf-16be",
    }
);

/// What there is to know of a file before its rows are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvFile {
    pub encoding: Encoding,
    pub delimiter: char,
    pub columns: Columns,
    /// Where the first row after the header is: bytes of the file as UTF-8, and the line.
    pub byte_offset: u64,
    pub line: u64,
}

/// Looks at a file that passes by in pieces, without keeping it.
#[derive(Debug)]
pub struct Sniffer {
    mapping: Mapping,
    head: Vec<u8>,
    bytes: u64,
    scan: Option<Scan>,
}

impl Sniffer {
    pub fn new(mapping: Mapping) -> Self {
        Self { mapping, head: Vec::new(), bytes: 0, scan: None }
    }

    /// The next piece. A problem with the field `file` or `mapping` as soon as it is clear.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), Problem> {
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        let (headed, rest) = piece.split_at(piece.len().min(HEAD - self.head.len()));
        self.head.extend_from_slice(headed);
        match &mut self.scan {
            Some(scan) => scan.feed(piece)?,
            None if self.head.len() < LONGEST_MAGIC => {}
            None => {
                let mut scan = Scan::begin(&self.head)?;
                scan.feed(&self.head)?;
                scan.feed(rest)?;
                self.scan = Some(scan);
            }
        }
        // A file without a header that can be used is refused before the rest of it has come.
        if !headed.is_empty() && self.head.len() == HEAD {
            self.read_head(false)?;
        }
        Ok(())
    }

    /// After the last piece.
    pub fn finish(mut self) -> Result<CsvFile, Problem> {
        if self.scan.is_none() {
            let mut scan = Scan::begin(&self.head)?;
            scan.feed(&self.head)?;
            self.scan = Some(scan);
        }
        self.scan.iter_mut().for_each(Scan::finish);
        self.read_head(self.bytes <= HEAD as u64)
    }

    /// `whole`: the head is all of the file.
    fn read_head(&self, whole: bool) -> Result<CsvFile, Problem> {
        let encoding = self.scan.as_ref().map_or(Encoding::Utf8, Scan::encoding);
        read_head(&self.head, encoding, whole, &self.mapping)
    }
}

/// What all bytes together tell.
#[derive(Debug)]
enum Scan {
    /// UTF-8 so far; `partial` is the beginning of a character that the next piece goes on with.
    Utf8 { partial: Vec<u8> },
    /// Not UTF-8.
    Other,
    /// With its byte order mark; `half` is the first byte of a code unit.
    Utf16 { little: bool, half: Option<u8> },
}

impl Scan {
    fn begin(head: &[u8]) -> Result<Self, Problem> {
        if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Err(refused(format!("is {what}")));
        }
        Ok(match head {
            [0xff, 0xfe, ..] => Self::Utf16 { little: true, half: None },
            [0xfe, 0xff, ..] => Self::Utf16 { little: false, half: None },
            _ => Self::Utf8 { partial: vec![] },
        })
    }

    fn feed(&mut self, piece: &[u8]) -> Result<(), Problem> {
        let has_nul = match self {
            Self::Utf16 { half, .. } => {
                // Both bytes zero, in either order.
                let mut nul = false;
                for byte in piece {
                    match half.take() {
                        Some(first) => nul |= first == 0 && *byte == 0,
                        None => *half = Some(*byte),
                    }
                }
                nul
            }
            Self::Utf8 { .. } | Self::Other => piece.contains(&0),
        };
        if has_nul {
            return Err(refused("is not text: it contains NUL characters"));
        }
        if let Self::Utf8 { partial } = self
            && !goes_on(partial, piece)
        {
            *self = Self::Other;
        }
        Ok(())
    }

    fn finish(&mut self) {
        if matches!(self, Self::Utf8 { partial } if !partial.is_empty()) {
            *self = Self::Other;
        }
    }

    fn encoding(&self) -> Encoding {
        match self {
            Self::Utf8 { .. } => Encoding::Utf8,
            Self::Other => Encoding::Windows1252,
            Self::Utf16 { little: true, .. } => Encoding::Utf16Le,
            Self::Utf16 { little: false, .. } => Encoding::Utf16Be,
        }
    }
}

/// Whether `piece` goes on with UTF-8 after `partial`, which becomes what is left over.
fn goes_on(partial: &mut Vec<u8>, piece: &[u8]) -> bool {
    let bytes: Cow<'_, [u8]> =
        if partial.is_empty() { Cow::Borrowed(piece) } else { Cow::Owned([partial, piece].concat()) };
    let left = match std::str::from_utf8(&bytes) {
        Ok(_) => vec![],
        Err(error) if error.error_len().is_none() => bytes[error.valid_up_to()..].to_vec(),
        Err(_) => return false,
    };
    *partial = left;
    true
}

fn refused(message: impl Into<String>) -> Problem {
    Problem::field("file", message)
}

fn read_head(head: &[u8], encoding: Encoding, whole: bool, mapping: &Mapping) -> Result<CsvFile, Problem> {
    let mark = if head.starts_with(UTF_8_MARK) { UTF_8_MARK.len() } else { 0 };
    let text = decode(head, encoding);
    if text.trim().is_empty() {
        return Err(refused(if whole { "is empty" } else { "begins with nothing but empty lines" }));
    }
    let (declared, skipped) = declared_delimiter(&text);
    let body = &text[skipped..];
    let candidates = DELIMITERS.iter().filter(|delimiter| declared.is_none_or(|declared| declared == **delimiter));
    let best = candidates.filter_map(|delimiter| Candidate::read(body, *delimiter, whole, mapping)).reduce(
        // The first of equals.
        |best, next| if next.score() > best.score() { next } else { best },
    );
    let best = best.ok_or_else(|| refused(format!("has no header in its first {} KiB", HEAD / 1_024)))?;
    let columns = best.columns?;
    let start = skipped + best.header_end;
    if whole && text[start..].trim().is_empty() {
        return Err(refused("has a header, but no rows"));
    }
    let bytes_before = start + if encoding == Encoding::Utf8 { mark } else { 0 };
    Ok(CsvFile {
        encoding,
        delimiter: char::from(best.delimiter),
        columns,
        byte_offset: bytes_before as u64,
        line: 1 + line_ends(&text[..start]),
    })
}

/// The head as text, without its byte order mark and without a character that is cut at its end.
fn decode(head: &[u8], encoding: Encoding) -> Cow<'_, str> {
    match encoding {
        Encoding::Utf8 => {
            let bytes = head.strip_prefix(UTF_8_MARK).unwrap_or(head);
            let valid = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
            String::from_utf8_lossy(&bytes[..valid])
        }
        Encoding::Windows1252 => WINDOWS_1252.decode_without_bom_handling(head).0,
        Encoding::Utf16Le => UTF_16LE.decode_with_bom_removal(&head[..head.len() & !1]).0,
        Encoding::Utf16Be => UTF_16BE.decode_with_bom_removal(&head[..head.len() & !1]).0,
    }
}

/// The delimiter of a first line such as `sep=;`, which Excel writes and reads, and that line's length.
fn declared_delimiter(text: &str) -> (Option<u8>, usize) {
    let line = text.split(['\r', '\n']).next().unwrap_or_default();
    match line.as_bytes() {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter] if DELIMITERS.contains(delimiter) => {
            let rest = &text[line.len()..];
            let end = if rest.starts_with("\r\n") { 2 } else { rest.len().min(1) };
            (Some(*delimiter), line.len() + end)
        }
        _ => (None, 0),
    }
}

/// The head as it reads with one delimiter.
struct Candidate {
    delimiter: u8,
    columns: Result<Columns, Problem>,
    column_count: usize,
    /// Where the first row begins.
    header_end: usize,
    /// Of a thousand rows, those with as many cells as the header.
    regular: usize,
}

impl Candidate {
    /// `None` if the header does not end in `text`.
    fn read(text: &str, delimiter: u8, whole: bool, mapping: &Mapping) -> Option<Self> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let mut record = csv::StringRecord::new();
        reader.read_record(&mut record).ok().filter(|found| *found)?;
        let headers: Vec<String> = record.iter().map(str::to_owned).collect();
        let header_end = usize::try_from(reader.position().byte()).ok()?;
        // Behind all line ends, of which a cut head may hide one.
        let header_end = header_end + text[header_end..].bytes().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        if header_end == text.len() && !whole {
            return None;
        }
        let mut lengths = vec![];
        while lengths.len() < SAMPLE && reader.read_record(&mut record).unwrap_or(false) {
            lengths.push(record.len());
        }
        if !whole && reader.is_done() {
            lengths.pop(); // it may be cut
        }
        let regular = lengths.iter().filter(|length| **length == headers.len()).count();
        let regular = (regular * 1_000).checked_div(lengths.len()).unwrap_or(1_000);
        let column_count = headers.len();
        Some(Self { delimiter, columns: Columns::find(headers, mapping), column_count, header_end, regular })
    }

    fn score(&self) -> (bool, bool, usize, usize) {
        (self.columns.is_ok(), self.column_count > 1, self.regular, self.column_count)
    }
}

/// Ends of lines: LF, CR LF or CR.
fn line_ends(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let ends = |at: usize| bytes[at] == b'\n' || bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n');
    (0..bytes.len()).filter(|at| ends(*at)).count() as u64
}

#[cfg(test)]
#[path = "csv_file_tests.rs"]
mod tests;
