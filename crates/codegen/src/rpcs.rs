//! A marker type for each RPC, the modules of the messages, and the visitor over all RPCs.

use crate::access::Access;
use crate::model::{Contract, Rpc, Shape, camel, snake};
use crate::route::{Answer, Body};
use prost_reflect::MessageDescriptor;
use std::collections::BTreeMap;
use std::fmt::{Result, Write};

/// The module of a package in the crate `proto`: `callfairy.auth.v1` is `auth`.
pub fn module(package: &str) -> &str {
    package.split('.').nth(1).unwrap_or(package)
}

/// A message's path from inside the crate `proto`, without `crate::` or `proto::`.
pub fn type_path(message: &MessageDescriptor) -> String {
    format!("{}::{}", module(message.package_name()), message.name())
}

pub fn by_service(contract: &Contract) -> BTreeMap<String, Vec<&Rpc>> {
    let mut services = BTreeMap::<_, Vec<_>>::new();
    for rpc in &contract.rpcs {
        services.entry(rpc.service.name().to_owned()).or_default().push(rpc);
    }
    services
}

pub fn rust(contract: &Contract) -> std::result::Result<String, std::fmt::Error> {
    let mut o = String::new();
    modules(&mut o, contract)?;
    writeln!(
        o,
        "/// One marker type for each RPC.\npub mod rpc {{\nuse crate::rpc_kit::{{Access, Answer, Body, Route, Rpc, Shape}};\nuse crate::types::Permission;"
    )?;
    for (service, rpcs) in by_service(contract) {
        writeln!(o, "pub mod {} {{\nuse super::*;", snake(&service))?;
        for rpc in rpcs {
            marker(&mut o, rpc)?;
        }
        writeln!(o, "}}")?;
    }
    writeln!(o, "}}")?;
    writeln!(
        o,
        "/// Shows every RPC to the visitor, by its type.\npub fn each_rpc(visitor: &mut impl crate::Visit) {{"
    )?;
    for rpc in &contract.rpcs {
        let method = match rpc.shape {
            Shape::Unary => "unary",
            Shape::ServerStreaming => "server_streaming",
            Shape::ClientStreaming => "client_streaming",
        };
        writeln!(o, "visitor.{method}::<{}>();", rpc.marker())?;
    }
    writeln!(o, "}}")?;
    Ok(o)
}

fn modules(o: &mut String, contract: &Contract) -> Result {
    let mut names = BTreeMap::<String, Vec<String>>::new();
    let messages = contract.messages.iter().filter(|m| m.parent_message().is_none());
    let messages = messages.map(|m| (m.package_name().to_owned(), m.name().to_owned()));
    let enums = contract.enums.iter().map(|e| (e.package_name().to_owned(), e.name().to_owned()));
    for (package, name) in messages.chain(enums) {
        names.entry(package).or_default().push(name);
    }
    for (package, names) in names {
        let path = package.replace('.', "::");
        writeln!(o, "pub mod {} {{ pub use crate::pb::{path}::{{{}}}; }}", module(&package), names.join(", "))?;
    }
    Ok(())
}

fn marker(o: &mut String, rpc: &Rpc) -> Result {
    let name = rpc.method.name();
    let (input, output) = (type_path(&rpc.method.input()), type_path(&rpc.method.output()));
    let access = match &rpc.access {
        Access::Public => "Access::Public".to_owned(),
        Access::SignedIn => "Access::SignedIn".into(),
        Access::Organisation => "Access::Organisation".into(),
        Access::Permission(key) => format!("Access::Permission(Permission::{})", camel(key)),
        Access::Superadmin => "Access::Superadmin".into(),
        Access::Internal => "Access::Internal".into(),
    };
    writeln!(o, "#[derive(Debug)]\npub enum {name} {{}}")?;
    writeln!(o, "impl Rpc for {name} {{\ntype Request = crate::{input};\ntype Response = crate::{output};")?;
    writeln!(o, "const SERVICE: &'static str = {:?};", rpc.service.full_name())?;
    writeln!(o, "const GRPC_PATH: &'static str = {:?};", rpc.grpc_path())?;
    writeln!(o, "const PEOPLE_ONLY: bool = {};", rpc.people_only)?;
    writeln!(o, "const ACCESS: Access = {access};\nconst SHAPE: Shape = Shape::{:?};", rpc.shape)?;
    match &rpc.route {
        None => writeln!(o, "const ROUTE: Option<Route> = None;")?,
        Some(route) => {
            let body = match route.body {
                Body::None => "None",
                Body::Json => "Json",
                Body::Raw => "Raw",
                Body::Upload => "Upload",
            };
            let answer = match route.answer {
                Answer::Json => "Json",
                Answer::Empty => "Empty",
                Answer::Download => "Download",
                Answer::ServerSentEvents => "ServerSentEvents",
            };
            let (verb, path, status) = (route.verb, &route.path, route.status);
            writeln!(
                o,
                "const ROUTE: Option<Route> = Some(Route {{ verb: {verb:?}, path: {path:?}, body: Body::{body}, answer: Answer::{answer}, status: {status} }});"
            )?;
        }
    }
    if rpc.access.is_scoped() {
        writeln!(o, "fn organisation(request: &Self::Request) -> Option<&str> {{ Some(&request.organisation_id) }}")?;
    }
    writeln!(o, "}}")
}
