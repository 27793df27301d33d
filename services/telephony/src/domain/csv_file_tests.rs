#![allow(clippy::unwrap_used)]
use super::*;

/// The file in pieces of one byte, of seven, and whole: all must say the same.
fn sniff_with(content: &[u8], mapping: &str) -> Result<CsvFile, Problem> {
    let sniff = |size: usize| {
        let mut sniffer = Sniffer::new(Mapping::parse(mapping)?);
        content.chunks(size).try_for_each(|piece| sniffer.feed(piece))?;
        sniffer.finish()
    };
    let whole = sniff(content.len().max(1));
    for size in [1, 7] {
        assert_eq!(sniff(size), whole, "in pieces of {size}");
    }
    whole
}

fn sniff(content: impl AsRef<[u8]>) -> Result<CsvFile, Problem> {
    sniff_with(content.as_ref(), "")
}

fn refusal(content: impl AsRef<[u8]>) -> String {
    let problem = sniff(content).unwrap_err();
    assert_eq!(problem.fields[0].field, "file");
    problem.fields[0].message.clone()
}

/// What is left of the text when rows begin.
fn rest(content: &str) -> &str {
    &content[usize::try_from(sniff(content).unwrap().byte_offset).unwrap()..]
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect()
}

#[test]
fn four_delimiters() {
    for delimiter in [',', ';', '\t', '|'] {
        let file =
            "Name,Phone,City\nAda,+442079460018,London\nBob,+442079460019,\n".replace(',', &delimiter.to_string());
        let found = sniff(&file).unwrap();
        assert_eq!((found.delimiter, found.columns.phone_number), (delimiter, 1));
    }
    // What stands inside the cells does not mislead.
    assert_eq!(sniff("name;phone;note\nA, B;1;a,b\nC, D;2;c,d\n").unwrap().delimiter, ';');
    assert_eq!(sniff("name,phone,note\n\"A;B;C\",1,\"a;b\"\n").unwrap().delimiter, ',');
    assert_eq!(sniff("phone\n+442079460018\n").unwrap().delimiter, ',');
    assert_eq!(sniff("sep=|\r\nphone|name\r\n1|A,B\r\n").unwrap().line, 3);
}

#[test]
fn encodings() {
    let text = "Name;Téléphone\nÆsa;1\n";
    assert_eq!(sniff(text).unwrap().encoding, Encoding::Utf8);
    let marked = sniff(format!("\u{feff}{text}")).unwrap();
    assert_eq!(marked.encoding, Encoding::Utf8);
    assert_eq!(marked.byte_offset, sniff(text).unwrap().byte_offset + 3);
    for (file, encoding) in [
        (WINDOWS_1252.encode(text).0.into_owned(), Encoding::Windows1252),
        (utf16(text, u16::to_le_bytes), Encoding::Utf16Le),
        (utf16(text, u16::to_be_bytes), Encoding::Utf16Be),
    ] {
        let found = sniff(file).unwrap();
        assert_eq!(found.encoding, encoding);
        assert_eq!(found.columns.headers, ["Name", "Téléphone"]);
        // Counted as UTF-8, without a mark.
        assert_eq!(found.byte_offset, sniff(text).unwrap().byte_offset);
    }
}

#[test]
fn one_wrong_byte_at_the_very_end_makes_it_another_encoding() {
    let mut file = "phone,name\n".to_owned().into_bytes();
    file.extend("1,A\n".repeat(HEAD).into_bytes());
    assert_eq!(sniff(&file).unwrap().encoding, Encoding::Utf8);
    // The beginning of a character that does not go on.
    file.push(0xc3);
    assert_eq!(sniff(&file).unwrap().encoding, Encoding::Windows1252);
}

#[test]
fn rows_begin_behind_the_header() {
    assert_eq!(rest("phone,name\n1,A\n"), "1,A\n");
    assert_eq!(rest("\n\r\nphone,\"full\nname\"\r\n\r\n1,A\r\n"), "1,A\r\n");
    assert_eq!(sniff("\n\r\nphone,\"full\nname\"\r\n\r\n1,A\r\n").unwrap().line, 6);
    assert_eq!(rest("phone,name\r1,A\r"), "1,A\r");
    assert_eq!(sniff("phone,name\r1,A\r").unwrap().line, 2);
}

#[test]
fn what_is_no_list_of_contacts_is_refused() {
    for empty in ["", "\u{feff}", " \r\n\n"] {
        assert_eq!(refusal(empty), "is empty");
    }
    for header in ["phone,name", "phone,name\r\n\r\n", "\u{feff}phone\n \n"] {
        assert_eq!(refusal(header), "has a header, but no rows");
    }
    assert!(refusal(b"PK\x03\x04\x14\x00").contains("Excel"));
    assert!(refusal("%PDF-1.7\nphone\n1\n").contains("PDF"));
    assert!(refusal(b"\x89PNG\r\n\x1a\n").contains("image"));
    assert!(refusal(b"phone,name\n1,A\0B\n").contains("NUL"));
    assert!(refusal(utf16("phone,name\n1,A\0B\n", u16::to_le_bytes)).contains("NUL"));
    // UTF-32 begins as UTF-16 does.
    assert!(refusal(b"\xff\xfe\0\0p\0\0\0h\0\0\0").contains("NUL"));
    assert!(refusal("who,where\nAda,London\n").contains(r#""who", "where""#));
    assert!(refusal(format!("phone,{}", "x".repeat(HEAD))).contains("64 KiB"));
    assert!(refusal("\n".repeat(HEAD + 1)).contains("empty lines"));
}

#[test]
fn a_header_that_cannot_be_used_is_refused_before_the_rest_comes() {
    let mut sniffer = Sniffer::new(Mapping::default());
    let file = "who,where\n".repeat(HEAD);
    assert!(sniffer.feed(&file.as_bytes()[..HEAD]).is_err());
}

#[test]
fn a_wrong_mapping_is_told_from_a_wrong_file() {
    let problem = sniff_with(b"phone;name\n1;A\n", r#"{"fax": "phone_number"}"#).unwrap_err();
    assert_eq!(problem.fields[0].field, "mapping");
    assert!(problem.fields[0].message.contains(r#""phone", "name""#), "{problem}");
}

#[test]
fn nothing_makes_it_panic() {
    let pieces: &[&[u8]] = &[
        b"phone",
        b"\"",
        b",",
        b"\r",
        b"\n",
        b"\xff",
        b"\xfe",
        b"\xef\xbb\xbf",
        b"\xc3",
        b"\xa9",
        b"sep=",
        b";",
        b"1",
    ];
    // Every sequence of three pieces.
    for n in 0..pieces.len().pow(3) {
        let file: Vec<u8> =
            (0..3).flat_map(|digit| pieces[n / pieces.len().pow(digit) % pieces.len()]).copied().collect();
        let _ = sniff(file);
    }
}
