//! Who may call which method, and what can be granted: the contract's own words, as a document.

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
            Access::Permission(permission) if R::PEOPLE_ONLY => format!("`{}`, no API keys", permission.key()),
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

/// Markdown.
pub fn document() -> String {
    format!(
        "# Who may do what\n\n\
         Made from the contract by `callfairy access-matrix`; what the roles mean, [front-ends.md](front-ends.md) tells.\n\n\
         ## Permissions\n\n{}\n\
         ## Methods\n\n\
         A permission is one in the organisation that the path names, of a person or of an API key. Superadmins may call \
         everything but what is for our services alone; what says `signed in` or `superadmin` is not for API keys.\n\n{}",
        permissions(),
        methods()
    )
}

/// By category. A superadmin has all of them, an agent what a package or single grants give, a member single grants.
fn permissions() -> String {
    let packages = agent::packages();
    let mut out = String::from("| category | permission | allows |");
    let mut line = String::from("| --- | --- | --- |");
    for (name, _) in &packages {
        let _ = write!(out, " {name} |");
        line.push_str(" --- |");
    }
    let _ = writeln!(out, " can be granted |\n{line} --- |");
    for info in proto::PERMISSIONS {
        let _ = write!(out, "| {} | `{}` | {} |", info.category, info.key, info.description);
        let yes = |holds: bool| if holds { "yes" } else { "" };
        for (_, held) in &packages {
            let _ = write!(out, " {} |", yes(held.contains(info.permission)));
        }
        let _ = writeln!(out, " {} |", if info.system { "no: superadmins alone" } else { "yes" });
    }
    out
}

/// Sorted.
fn methods() -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_is_up_to_date() {
        let committed = include_str!("../../../../deploy/docs/access-matrix.md");
        assert!(committed == document(), "cargo run -- access-matrix > deploy/docs/access-matrix.md");
    }
}
