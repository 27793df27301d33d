//! Rows and queries. Assignments belong to the platform: only superadmins and services see them.

pub mod assignments;
pub mod schema;
