//! The report of the rows that failed.

use crate::files::{THOUSAND, Uploader, Worker};
use crate::world::World;
use proto::telephony::CreateImportRequest;

testkit::on_both!(
    a_report_has_every_row_as_it_was,
    what_is_corrected_goes_in,
    a_report_is_harmless_and_in_the_files_form
);

const MARK: &[u8] = b"\xef\xbb\xbf";

/// Records of a report.
fn read(report: &[u8], delimiter: u8) -> Vec<Vec<String>> {
    let text = report.strip_prefix(MARK).expect("a byte order mark");
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text);
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

async fn a_report_has_every_row_as_it_was(world: &World) {
    let (uploader, worker) = (Uploader::new(world), Worker::with_max_rows(world, 90));
    let import = uploader.import(THOUSAND).await;
    let report = read(&uploader.errors(&import.id).await, b',');
    let original = read(&[MARK, THOUSAND].concat(), b',');
    let reasons = ["error_line", "error_column", "error_code", "error_message"].map(str::to_owned);
    assert_eq!(report[0], [&original[0][..], &reasons].concat());
    assert_eq!(report.len(), 31);
    let codes = |code: &str| report.iter().filter(|row| row[8] == code).count();
    assert_eq!(codes("missing_phone_number"), 6);
    assert_eq!(codes("not_a_phone_number") + codes("invalid_phone_number"), 24);
    let text = String::from_utf8(THOUSAND.to_vec()).unwrap();
    let lines: Vec<&str> = text.split('\n').collect();
    for row in &report[1..] {
        // Two cells of the line that it names: the row begins there.
        let line = lines[row[6].parse::<usize>().unwrap() - 1];
        assert!(line.contains(&row[0]) && line.contains(&row[2]), "{row:?}: {line}");
        let guarded = |(was, is): (&String, &String)| was == is || format!("'{was}") == *is;
        assert!(original.iter().any(|original| original.iter().zip(row).all(guarded)), "{row:?}");
        assert_eq!(row[7], "Phone No.");
    }
    // Nothing failed: only the header.
    let import = uploader.import(b"phone\n+442079460018\n").await;
    assert_eq!(read(&uploader.errors(&import.id).await, b',').len(), 1);
    worker.stop().await;
}

async fn what_is_corrected_goes_in(world: &World) {
    let (uploader, worker) = (Uploader::new(world), Worker::start(world));
    let import = uploader.import(THOUSAND).await;
    let before = uploader.contacts().await.len();
    let mut rows = read(&uploader.errors(&import.id).await, b',');
    for (n, row) in rows.iter_mut().skip(1).enumerate() {
        row[1] = format!("+353 1 234 56{n:02}");
    }
    "still wrong".clone_into(&mut rows[30][1]);
    let mut writer = csv::WriterBuilder::new().from_writer(vec![]);
    for row in &rows {
        writer.write_record(row).unwrap();
    }
    let import = uploader.import(&writer.into_inner().unwrap()).await;
    assert_eq!((import.total_rows, import.imported_rows, import.failed_rows), (30, 29, 1));
    let contacts = uploader.contacts().await;
    assert_eq!(contacts.len(), before + 29);
    // Why a row had failed is not a part of the contact; what a spreadsheet would run is as it was.
    assert!(
        contacts[before..]
            .iter()
            .all(|c| c.metadata.keys().all(|key| ["Company", "City", "Notes"].contains(&key.as_str())))
    );
    let begins = |c: &proto::telephony::Contact| c.metadata.values().any(|value| value.starts_with('\''));
    assert!(!contacts.iter().any(begins));
    // The second report has the reasons once.
    let report = read(&uploader.errors(&import.id).await, b',');
    assert_eq!((report[0].len(), report[1][1].as_str()), (10, "still wrong"));
    worker.stop().await;
}

async fn a_report_is_harmless_and_in_the_files_form(world: &World) {
    let (uploader, worker) = (Uploader::new(world), Worker::start(world));
    let file = "name;phone;note\n=cmd();x;-1\n@you;y;+1;over;und \"out\"\nAda\n\"a\nb\";+44 (20);'=1\n";
    let form = CreateImportRequest { default_country: None, ..uploader.form() };
    let import = uploader.import_with(form, file.as_bytes()).await;
    let report = read(&uploader.errors(&import.id).await, b';');
    let cells: Vec<Vec<&str>> = report.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
    assert_eq!(cells[1][..3], ["'=cmd()", "x", "'-1"]);
    assert_eq!((&cells[2][..3], &cells[2][7..]), (&["'@you", "y", "+1"][..], &["over", "und \"out\""][..]));
    assert_eq!(cells[2][3..6], ["3", "", "too_many_cells"]);
    assert_eq!(cells[3][..6], ["Ada", "", "", "4", "phone", "missing_phone_number"]);
    assert_eq!(cells[4][..4], ["a\nb", "+44 (20)", "''=1", "5"]);
    worker.stop().await;
}
