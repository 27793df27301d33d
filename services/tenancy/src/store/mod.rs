//! Rows and queries. The platform's own questions (who is who, what exists) are asked of every organisation; a query
//! of one organisation's data takes its `OrgScope`.

pub mod accounts;
pub mod assignments;
pub mod organisations;
pub mod schema;
pub mod snapshots;
