#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use crate::domain::columns::Mapping;

fn reading(headers: &[&str]) -> Reading {
    let headers = headers.iter().map(|header| (*header).to_owned()).collect();
    let columns = Columns::find(headers, &Mapping::default()).unwrap();
    Reading { columns, country: Country::parse("GB").ok(), tags: vec!["file".into()] }
}

const HEADERS: &[&str] = &["First name", "Last name", "Phone", "E-mail", "Tags", "City"];

fn read(cells: &[&str]) -> Row {
    reading(HEADERS).read(&cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>())
}

fn contact(cells: &[&str]) -> Details {
    match read(cells) {
        Row::Contact(details) => details,
        other => panic!("{cells:?}: {other:?}"),
    }
}

fn error(cells: &[&str]) -> RowError {
    match read(cells) {
        Row::Failed(error) => error,
        other => panic!("{cells:?}: {other:?}"),
    }
}

#[test]
fn a_row_becomes_a_contact() {
    let details = contact(&[" Ada ", "King", "020 7946 0018", "ada@example.org", "vip; new|file,", "London"]);
    assert_eq!(details.name, "Ada King");
    assert_eq!(details.phone_number, "+442079460018");
    assert_eq!(details.email.as_deref(), Some("ada@example.org"));
    assert_eq!(details.tags, ["file", "vip", "new"]);
    assert_eq!(details.metadata, [("City".to_owned(), "London".to_owned())].into());
}

#[test]
fn missing_cells_are_empty() {
    let details = contact(&["", "", "+442079460018"]);
    assert_eq!(details.name, "+442079460018");
    assert_eq!((details.email, details.metadata.len()), (None, 0));
    assert_eq!(contact(&["Ada", "", "+442079460018", "", "", "", "", " "]).name, "Ada");
}

#[test]
fn an_empty_row_is_none() {
    for cells in [&[][..], &[""], &["", " ", "\t"]] {
        assert_eq!(read(cells), Row::Blank);
    }
}

#[test]
fn each_fault_has_its_word() {
    let long = |length: usize| "x".repeat(length);
    let many = (0..50).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let number = "+442079460018";
    for (cells, column, code) in [
        (&["Ada", "", ""][..], "Phone", "missing_phone_number"),
        (&["Ada", "", "soon"], "Phone", "not_a_phone_number"),
        (&["Ada", "", "123"], "Phone", "invalid_phone_number"),
        (&["Ada", "", "020 7946 0018 ext. 7"], "Phone", "phone_extension"),
        (&["Ada", "", number, "ada"], "E-mail", "invalid_email"),
        (&["Ada", "", number, &format!("{}@example.org", long(300))], "E-mail", "value_too_long"),
        (&[&long(100), &long(100), number], "First name", "value_too_long"),
        (&["", "", number, "", &long(101)], "Tags", "value_too_long"),
        (&["", "", number, "", &many], "Tags", "too_many_tags"),
        (&["", "", number, "", "", &long(1_001)], "City", "value_too_long"),
        (&["", "", number, "", "", "", "over"], "", "too_many_cells"),
    ] {
        let error = error(cells);
        assert_eq!((error.column.as_str(), error.code.as_str()), (column, code), "{}", error.message);
    }
    let mut reading = reading(HEADERS);
    reading.country = None;
    let cells = ["", "", "020 7946 0018"].map(str::to_owned);
    assert!(matches!(reading.read(&cells), Row::Failed(error) if error.code == "missing_country"));
}

#[test]
fn all_faults_of_a_row_are_told_at_once() {
    let error = error(&["Ada", "", "soon", "ada"]);
    assert_eq!(error.message, "Phone is not a phone number; E-mail is not an e-mail address");
}

#[test]
fn limits_are_counted_in_characters() {
    assert_eq!(contact(&[&"é".repeat(200), "", "+442079460018"]).name.chars().count(), 200);
}

#[test]
fn what_was_made_harmless_is_read_as_it_was() {
    assert_eq!(contact(&["'=Ada", "'O'Hara", "'+442079460018"]).name, "=Ada 'O'Hara");
}

#[test]
fn a_cell_full_of_tags_is_one_fault() {
    let many = (0..300_000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let error = error(&["", "", "+442079460018", "", &many]);
    assert_eq!(error.message, "Tags has more than 50 tags");
}
