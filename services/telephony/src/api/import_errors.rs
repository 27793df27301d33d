//! The rows that were not imported, as a CSV file that can be corrected and imported again.
//!
//! The file's own columns and delimiter, then the line, column, code and message of the error; cells beyond the header
//! come last. With a byte order mark, without which Excel reads no UTF-8. Cells that a spreadsheet would run are made
//! harmless, see `domain::formula`.

use crate::domain::columns::ERROR_COLUMNS;
use crate::domain::formula::neutralise;
use crate::error::Error;
use crate::store::imports::{self, ErrorRow, ImportRow};
use access::{OrgScope, Replies};
use callfairy_core::Problem;
use proto::types::Download;

/// Errors that are read at a time. A row has at most 1 MiB.
const PAGE: i64 = 50;
/// Bytes of one message; one row may make it longer.
const PIECE: usize = 256 * 1024;
const MARK: &[u8] = "\u{feff}".as_bytes();

pub fn download(pool: db::Pool, scope: OrgScope, import: ImportRow) -> Replies<Download> {
    let stem = import.filename.strip_suffix(".csv").unwrap_or(&import.filename);
    let first = Download {
        content_type: "text/csv; charset=utf-8".into(),
        filename: format!("{stem}-errors.csv"),
        ..Download::default()
    };
    Box::pin(async_stream::try_stream! {
        let mut sheet = Sheet::new(&import)?;
        yield Download { data: sheet.take(), ..first };
        let (id, mut after) = (import.id.0, 0);
        loop {
            let page = pool.read(move |db| -> Result<_, Error> { Ok(imports::errors_after(db, &scope, id, after, PAGE)?) });
            let errors = page.await.map_err(Problem::from)?;
            let Some(last) = errors.last() else { break };
            after = last.line;
            for error in &errors {
                sheet.row(error)?;
                if sheet.len() >= PIECE {
                    yield Download { data: sheet.take(), ..Download::default() };
                }
            }
        }
        if sheet.len() > 0 {
            yield Download { data: sheet.take(), ..Download::default() };
        }
    })
}

/// Writes CSV into memory, to be taken out in pieces.
struct Sheet {
    /// The file's columns, without those of an error report that was imported again.
    columns: Vec<usize>,
    count: usize,
    delimiter: u8,
    writer: csv::Writer<Vec<u8>>,
}

impl Sheet {
    fn new(import: &ImportRow) -> Result<Self, Problem> {
        let headers = &import.layout.0.headers;
        let delimiter = import.delimiter.bytes().next().unwrap_or(b',');
        let own = |column: &usize| !ERROR_COLUMNS.contains(&headers[*column].as_str());
        let columns: Vec<usize> = (0..headers.len()).filter(own).collect();
        let mut sheet = Self { columns, count: headers.len(), delimiter, writer: writer(delimiter, MARK.to_vec()) };
        let own: Vec<&str> = sheet.columns.iter().map(|column| headers[*column].as_str()).collect();
        sheet.record(own.into_iter().chain(ERROR_COLUMNS))?;
        Ok(sheet)
    }

    fn row(&mut self, error: &ErrorRow) -> Result<(), Problem> {
        let cells = &error.cells.0;
        let own = self.columns.iter().map(|column| cells.get(*column).map_or("", String::as_str));
        let line = error.line.to_string();
        let why = [line.as_str(), &error.column, &error.code, &error.message];
        let beyond = cells.iter().skip(self.count).map(String::as_str);
        let row: Vec<&str> = own.chain(why).chain(beyond).collect();
        self.record(row.into_iter())
    }

    fn record<'c>(&mut self, cells: impl Iterator<Item = &'c str>) -> Result<(), Problem> {
        let written = self.writer.write_record(cells.map(|cell| neutralise(cell).into_owned()));
        written.and_then(|()| Ok(self.writer.flush()?)).map_err(|error| {
            tracing::error!(%error, "an error report cannot be written");
            Problem::internal()
        })
    }

    /// How much is written and not taken.
    fn len(&self) -> usize {
        self.writer.get_ref().len()
    }

    fn take(&mut self) -> Vec<u8> {
        let written = std::mem::replace(&mut self.writer, writer(self.delimiter, vec![]));
        // Every record was flushed: nothing is left that could fail.
        written.into_inner().unwrap_or_default()
    }
}

fn writer(delimiter: u8, out: Vec<u8>) -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().delimiter(delimiter).flexible(true).from_writer(out)
}
