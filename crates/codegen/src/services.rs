//! What a service implements, and how it is mounted behind the guard.

use crate::access::Access;
use crate::model::{Contract, Rpc, Shape, snake};
use crate::rpcs::{by_service, type_path};
use std::fmt::{Result, Write};

pub fn rust(contract: &Contract) -> std::result::Result<String, std::fmt::Error> {
    let mut o = String::new();
    for (service, rpcs) in by_service(contract) {
        let comment = rpcs.first().map(|r| crate::model::source(&r.service.parent_file(), r.service.path()).1);
        writeln!(o, "/// {}\npub trait {service}: Send + Sync + 'static {{", comment.unwrap_or_default())?;
        for rpc in &rpcs {
            signature(&mut o, rpc)?;
        }
        writeln!(o, "}}")?;
    }
    for rpc in &contract.rpcs {
        let marker = rpc.marker();
        if rpc.access.is_scoped() {
            writeln!(o, "impl crate::Scoped for proto::{marker} {{}}")?;
        }
        if !matches!(rpc.access, Access::Public | Access::Internal) {
            writeln!(o, "impl crate::SignedIn for proto::{marker} {{}}")?;
        }
    }
    writeln!(o, "impl crate::Services {{")?;
    for (service, rpcs) in by_service(contract) {
        writeln!(
            o,
            "/// Mounts `{service}` behind the guard.\npub fn {}(self, handlers: impl {service}) -> Self {{",
            snake(&service)
        )?;
        writeln!(o, "let handlers = std::sync::Arc::new(handlers);\nself")?;
        for rpc in &rpcs {
            let kind = match rpc.shape {
                Shape::Unary => "unary",
                Shape::ServerStreaming => "server_streaming",
                Shape::ClientStreaming => "client_streaming",
            };
            let (marker, method) = (rpc.marker(), snake(rpc.method.name()));
            writeln!(
                o,
                ".{kind}::<proto::{marker}, _>({{ let handlers = handlers.clone(); move |call| {{ let handlers = handlers.clone(); async move {{ handlers.{method}(call).await }} }} }})"
            )?;
        }
        writeln!(o, "}}")?;
    }
    writeln!(o, "}}")?;
    Ok(o)
}

fn signature(o: &mut String, rpc: &Rpc) -> Result {
    let comment = crate::model::source(&rpc.method.parent_file(), rpc.method.path()).1;
    let (marker, method) = (rpc.marker(), snake(rpc.method.name()));
    let response = format!("proto::{}", type_path(&rpc.method.output()));
    let (call, answer) = match rpc.shape {
        Shape::Unary => ("Call", response),
        Shape::ServerStreaming => ("Call", format!("crate::Replies<{response}>")),
        Shape::ClientStreaming => ("StreamCall", response),
    };
    writeln!(
        o,
        "/// {comment}\nfn {method}(&self, call: crate::{call}<proto::{marker}>) -> impl Future<Output = Result<{answer}, callfairy_core::Problem>> + Send;"
    )
}
