#![allow(clippy::unwrap_used)]
use super::*;

const START: Place = Place { byte_offset: 0, line: 1 };

fn read_from(place: Place, content: &[u8], piece: usize) -> Result<Vec<Row>, Unreadable> {
    let mut reader = RowReader::new(b',', place);
    let mut rows = vec![];
    for mut input in content.chunks(piece) {
        while !input.is_empty() {
            rows.extend(reader.read(&mut input)?);
        }
    }
    rows.extend(reader.finish()?);
    assert_eq!(reader.place().byte_offset, place.byte_offset + content.len() as u64);
    Ok(rows)
}

/// In pieces of every small size, and whole: always the same.
fn read(content: &str) -> Result<Vec<Row>, Unreadable> {
    let whole = read_from(START, content.as_bytes(), content.len().max(1));
    for piece in 1..8 {
        assert_eq!(read_from(START, content.as_bytes(), piece), whole, "in pieces of {piece}");
    }
    whole
}

fn cells(content: &str) -> Vec<Vec<String>> {
    read(content).unwrap().into_iter().map(|row| row.cells).collect()
}

fn lines(content: &str) -> Vec<u64> {
    read(content).unwrap().into_iter().map(|row| row.start.line).collect()
}

#[test]
fn quotes_commas_and_line_breaks() {
    assert_eq!(cells("a,b\nc,d\n"), [["a", "b"], ["c", "d"]]);
    assert_eq!(cells("\"a,\"\"1\"\"\",\"b\nc\"\r\n"), [["a,\"1\"", "b\nc"]]);
    assert_eq!(cells("a,\n,b"), [["a", ""], ["", "b"]]);
    assert_eq!(cells("a\nb,c,d\n"), [vec!["a"], vec!["b", "c", "d"]]);
    assert_eq!(cells("5\" pipe,\"\"\n"), [["5\" pipe", ""]]);
    assert_eq!(cells(""), Vec::<Vec<String>>::new());
}

#[test]
fn lines_are_the_files_own() {
    assert_eq!(lines("a\n\n\nb\n"), [1, 4]);
    assert_eq!(lines("a\r\n\r\nb\r\n"), [1, 3]);
    assert_eq!(lines("a\rb\r\rc"), [1, 2, 4]);
    assert_eq!(lines("\"a\n\n\",x\nb\n"), [1, 4]);
    assert_eq!(lines("\"a\r\nb\rc\"\r\nd"), [1, 4]);
}

/// Whoever goes on at the beginning of any row reads the same rows from there.
#[test]
fn every_row_is_a_place_to_go_on() {
    for end in ["\n", "\r\n", "\r", "\n\n", "\r\n\r\n"] {
        let file = format!("\"1{end}2\",x{end}\u{feff}b,\"y\"{end}{end}c,é{end}d,{end}");
        let rows = read(&file).unwrap();
        assert_eq!(rows.len(), 4);
        for (index, row) in rows.iter().enumerate() {
            let rest = &file[usize::try_from(row.start.byte_offset).unwrap()..];
            assert_eq!(read_from(row.start, rest.as_bytes(), 3).unwrap(), rows[index..], "{end:?} {index}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_named_with_its_line() {
    assert_eq!(read("a\nb,\"c\nd\n"), Err(Unreadable::OpenQuote(2)));
    assert_eq!(read("\""), Err(Unreadable::OpenQuote(1)));
    let long = |length: usize| format!("a\n{}\n", "x".repeat(length));
    let too_long = read_from(START, long(MAX_ROW + 1).as_bytes(), 10_000);
    assert_eq!(too_long, Err(Unreadable::TooLong(2)));
    assert_eq!(read_from(START, long(MAX_ROW).as_bytes(), 10_000).unwrap().len(), 2);
    let wide = |cells: usize| format!("a\n{}\n", ",".repeat(cells - 1));
    assert_eq!(read_from(START, wide(MAX_CELLS + 1).as_bytes(), 100), Err(Unreadable::TooManyCells(2)));
    assert_eq!(read_from(START, wide(MAX_CELLS).as_bytes(), 100).unwrap()[1].cells.len(), MAX_CELLS);
    assert_eq!(read_from(START, b"a\n\xff\n", 1), Err(Unreadable::NotText(2)));
    // Two halves of a character in two cells make none.
    assert_eq!(read_from(START, b"\xc3,\xa9\n", 1), Err(Unreadable::NotText(1)));
}
