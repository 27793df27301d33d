//! What a row of a file says, and what is wrong with it.

use crate::domain::columns::Columns;
use crate::domain::contact::{self, Details, MAX_EMAIL};
use crate::domain::formula;
use crate::domain::phone::{self, Country};
use proto::telephony as api;
use serde::{Deserialize, Serialize};

/// Characters of a name, of a tag, of a value of the metadata; tags of a contact. The contract's limits.
const MAX_NAME: usize = 200;
const MAX_TAG: usize = 100;
const MAX_VALUE: usize = 1_000;
const MAX_TAGS: usize = 50;
/// Characters of a header in an error.
const MAX_HEADER: usize = 100;
/// What stands between tags in one cell.
const TAG_SEPARATORS: [char; 3] = [',', ';', '|'];

db::text_enum!(
    pub enum ImportStatus {
        Pending = "pending",
        Processing = "processing",
        Completed = "completed",
        Failed = "failed",
        Cancelled = "cancelled",
    }
);

impl ImportStatus {
    /// Nothing changes it any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

db::text_enum!(
    /// What happens to a contact that has a row's number already.
    pub enum OnDuplicate {
        Skip = "skip",
        Update = "update",
    }
);

impl From<api::OnDuplicate> for OnDuplicate {
    fn from(choice: api::OnDuplicate) -> Self {
        match choice {
            api::OnDuplicate::Unspecified | api::OnDuplicate::Skip => Self::Skip,
            api::OnDuplicate::Update => Self::Update,
        }
    }
}

/// How the rows of one file are read.
#[derive(Debug, Clone)]
pub struct Reading {
    pub columns: Columns,
    pub country: Option<Country>,
    /// Given to every contact.
    pub tags: Vec<String>,
}

/// Why a row is not imported. Of several reasons the first gives column and code, the message has all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowError {
    /// The header of the column at fault; empty if it is not one column.
    pub column: String,
    pub code: String,
    pub message: String,
}

/// What a row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    Contact(Details),
    Failed(RowError),
    /// Nothing in any cell: spreadsheets leave such rows behind, and they count for nothing.
    Blank,
}

impl Reading {
    /// Reads one row. Missing cells are empty. A row without a name has its number as the name.
    pub fn read(&self, cells: &[String]) -> Row {
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            return Row::Blank;
        }
        let cell =
            |column: usize| cells.get(column).map(|cell| formula::restore(cell.trim()).trim()).unwrap_or_default();
        let mut faults = Faults { columns: &self.columns, first: None };

        let count = self.columns.headers.len();
        if cells.get(count..).is_some_and(|more| more.iter().any(|cell| !cell.trim().is_empty())) {
            faults.add(None, "too_many_cells", format!("the row has {} cells, the header has {count}", cells.len()));
        }
        let number = cell(self.columns.phone_number);
        let phone_number = if number.is_empty() {
            faults.add(Some(self.columns.phone_number), "missing_phone_number", "is missing");
            String::new()
        } else {
            phone::parse(number, self.country).unwrap_or_else(|error| {
                faults.add(Some(self.columns.phone_number), error.code(), error);
                String::new()
            })
        };
        let parts: Vec<&str> = self.columns.name.iter().map(|column| cell(*column)).filter(|p| !p.is_empty()).collect();
        let mut name = parts.join(" ");
        faults.length(self.columns.name.first().copied(), &name, MAX_NAME);
        if name.is_empty() {
            name.clone_from(&phone_number);
        }
        let email = self.columns.email.map(|column| (column, cell(column))).filter(|(_, text)| !text.is_empty());
        if let Some((column, text)) = email
            && !contact::is_email(text)
        {
            let long = text.chars().count() > MAX_EMAIL;
            let code = if long { "value_too_long" } else { "invalid_email" };
            faults.add(Some(column), code, "is not an e-mail address");
        }
        let own = self.columns.tags.iter().flat_map(|column| cell(*column).split(TAG_SEPARATORS));
        let tags = contact::tags(self.tags.iter().map(String::as_str).chain(own));
        let tags_column = self.columns.tags.first().copied();
        if tags.len() > MAX_TAGS {
            faults.add(tags_column, "too_many_tags", format!("has more than {MAX_TAGS} tags"));
        } else {
            for tag in &tags {
                faults.length(tags_column, tag, MAX_TAG);
            }
        }
        let mut metadata = std::collections::BTreeMap::new();
        for (column, key) in &self.columns.metadata {
            let value = cell(*column);
            faults.length(Some(*column), value, MAX_VALUE);
            if !value.is_empty() {
                metadata.insert(key.clone(), value.to_owned());
            }
        }
        let email = email.map(|(_, text)| text.to_owned());
        match faults.first {
            None => Row::Contact(Details { name, phone_number, email, tags, metadata }),
            Some(error) => Row::Failed(error),
        }
    }
}

/// Collects what is wrong with a row.
struct Faults<'a> {
    columns: &'a Columns,
    first: Option<RowError>,
}

impl Faults<'_> {
    fn add(&mut self, column: Option<usize>, code: &str, message: impl std::fmt::Display) {
        let header = column.map(|column| self.columns.header(column)).unwrap_or_default();
        let column: String = header.chars().take(MAX_HEADER).collect();
        let space = if column.is_empty() { "" } else { " " };
        match &mut self.first {
            None => {
                let message = format!("{column}{space}{message}");
                self.first = Some(RowError { column, code: code.to_owned(), message });
            }
            Some(first) => first.message = format!("{}; {column}{space}{message}", first.message),
        }
    }

    fn length(&mut self, column: Option<usize>, text: &str, limit: usize) {
        if text.len() > limit && text.chars().count() > limit {
            self.add(column, "value_too_long", format!("has more than {limit} characters"));
        }
    }
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
