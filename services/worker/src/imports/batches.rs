//! From rows to batches, each with the place at which the file goes on behind it.

use super::Stop;
use super::rows::{Place, Row, RowReader};
use super::text::Text;
use bytes::{Buf as _, Bytes};
use futures_util::StreamExt as _;
use proto::jobs::{ImportBatch, ImportOrder, ImportRow};

/// Rows of a batch; telephony takes no more.
pub const MAX_ROWS: usize = 5_000;
/// Bytes of a batch's cells, unless one row alone has more.
const MAX_BYTES: usize = 2 * 1024 * 1024;
/// What a cell takes beside its bytes: a file can consist of empty ones.
const CELL_BYTES: usize = 16;

/// Reads one file's batches, one at a time.
pub struct Batches {
    import_id: String,
    epoch: i64,
    max_rows: usize,
    text: Text,
    piece: Bytes,
    rows: RowReader,
    /// The row with which the next batch begins.
    next: Option<Row>,
    /// Where the next batch begins.
    checkpoint: Place,
    over: bool,
}

impl Batches {
    pub fn new(order: &ImportOrder, text: Text, max_rows: usize) -> Result<Self, Stop> {
        let [delimiter] = order.delimiter.as_bytes() else {
            return Err(Stop::Unreadable(format!("the delimiter {:?} is not one character", order.delimiter)));
        };
        let checkpoint = Place { byte_offset: order.byte_offset, line: order.line };
        Ok(Self {
            import_id: order.import_id.clone(),
            epoch: order.epoch,
            max_rows,
            text,
            piece: Bytes::new(),
            rows: RowReader::new(*delimiter, checkpoint),
            next: None,
            checkpoint,
            over: false,
        })
    }

    /// `None` after the last one.
    pub async fn next(&mut self) -> Result<Option<ImportBatch>, Stop> {
        if self.over {
            return Ok(None);
        }
        let (mut rows, mut bytes) = (vec![], 0);
        loop {
            let Some(row) = self.next_row().await? else {
                self.checkpoint = self.rows.place();
                self.over = true;
                return Ok(Some(ImportBatch { last: true, ..self.batch(rows) }));
            };
            let size: usize = row.cells.iter().map(|cell| cell.len() + CELL_BYTES).sum();
            if rows.len() == self.max_rows || !rows.is_empty() && bytes + size > MAX_BYTES {
                self.checkpoint = row.start;
                self.next = Some(row);
                return Ok(Some(self.batch(rows)));
            }
            bytes += size;
            rows.push(ImportRow { line: row.start.line, cells: row.cells });
        }
    }

    /// Whether the last batch was read.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Says that nothing more comes from here for now.
    pub fn release(&self) -> ImportBatch {
        ImportBatch { release: true, ..self.batch(vec![]) }
    }

    fn batch(&self, rows: Vec<ImportRow>) -> ImportBatch {
        let Place { byte_offset, line } = self.checkpoint;
        ImportBatch {
            import_id: self.import_id.clone(),
            epoch: self.epoch,
            rows,
            byte_offset,
            line,
            ..ImportBatch::default()
        }
    }

    async fn next_row(&mut self) -> Result<Option<Row>, Stop> {
        if let Some(row) = self.next.take() {
            return Ok(Some(row));
        }
        loop {
            let mut input = &self.piece[..];
            let row = self.rows.read(&mut input)?;
            let taken = self.piece.len() - input.len();
            self.piece.advance(taken);
            if row.is_some() {
                return Ok(row);
            }
            match self.text.next().await {
                Some(piece) => self.piece = piece?,
                None => return Ok(self.rows.finish()?),
            }
        }
    }
}
