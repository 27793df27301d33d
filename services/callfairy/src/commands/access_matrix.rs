//! Who may call which method: the contract's own words, as a table.

use proto::{Access, Rpc, Visit};
use std::fmt::Write;

struct Row {
    service: &'static str,
    method: &'static str,
    route: String,
    who: String,
}

#[derive(Default)]
struct Rows(Vec<Row>);

impl Rows {
    fn add<R: Rpc>(&mut self) {
        let route = R::ROUTE.map_or("gRPC only".to_owned(), |r| format!("`{} {}`", r.verb, r.path));
        let who = match R::ACCESS {
            Access::Public => "anybody".to_owned(),
            Access::SignedIn => "signed in".to_owned(),
            Access::Organisation => "any access to the organisation".to_owned(),
            Access::Permission(permission) => format!("`{}`", permission.key()),
            Access::Superadmin => "superadmin".to_owned(),
            Access::Internal => "our services".to_owned(),
        };
        let method = R::GRPC_PATH.rsplit('/').next().unwrap_or_default();
        self.0.push(Row { service: R::SERVICE, method, route, who });
    }
}

impl Visit for Rows {
    fn unary<R: Rpc>(&mut self) {
        self.add::<R>();
    }
    fn server_streaming<R: Rpc>(&mut self) {
        self.add::<R>();
    }
    fn client_streaming<R: Rpc>(&mut self) {
        self.add::<R>();
    }
}

/// Markdown, sorted.
pub fn table() -> String {
    let mut rows = Rows::default();
    proto::each_rpc(&mut rows);
    rows.0.sort_by_key(|row| (row.service, row.method));
    let mut out = String::from("| method | REST | who |\n| --- | --- | --- |\n");
    for Row { service, method, route, who } in rows.0 {
        let service = service.trim_start_matches("callfairy.");
        let _ = writeln!(out, "| {service}.{method} | {route} | {who} |");
    }
    out
}
