//! The contract as the writers see it.

use crate::access::Access;
use crate::route::Route;
use crate::rules::Rules;
use crate::{OPTIONS, ROOT, access, messages, permissions, route, rules};
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor,
    MethodDescriptor, ServiceDescriptor,
};
use std::collections::{BTreeMap, BTreeSet, HashSet};

pub struct Contract {
    pub rpcs: Vec<Rpc>,
    pub messages: Vec<MessageDescriptor>,
    pub enums: Vec<EnumDescriptor>,
    /// By the field's full name.
    pub rules: BTreeMap<String, Rules>,
    pub permissions: Vec<permissions::Permission>,
    pub pool: DescriptorPool,
}

pub struct Rpc {
    pub service: ServiceDescriptor,
    pub method: MethodDescriptor,
    pub access: Access,
    /// Not for API keys.
    pub people_only: bool,
    pub route: Option<Route>,
    pub shape: Shape,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    Unary,
    ServerStreaming,
    ClientStreaming,
}

impl Contract {
    /// The contract, and all that is wrong with it, each fault with its file and line.
    pub fn read(pool: &DescriptorPool) -> (Self, Vec<String>) {
        let mut faults = vec![];
        let mut rpcs = vec![];
        for method in pool.services().flat_map(|s| s.methods().collect::<Vec<_>>()) {
            match rpc(pool, &method) {
                Ok(rpc) => rpcs.push(rpc),
                Err(fault) => {
                    let (service, at) = (method.parent_service(), source(&method.parent_file(), method.path()).0);
                    faults.push(format!("{at}: {}.{}: {fault}", service.name(), method.name()));
                }
            }
        }
        let ours = |package: &str| package.starts_with(ROOT) && package != OPTIONS;
        let messages: Vec<_> = pool.all_messages().filter(|m| ours(m.package_name()) && !m.is_map_entry()).collect();
        let enums: Vec<_> = pool.all_enums().filter(|e| ours(e.package_name())).collect();
        let mut all_rules = BTreeMap::new();
        for field in messages.iter().flat_map(MessageDescriptor::fields) {
            match rules::read(pool, &field) {
                Ok(rules) => _ = all_rules.insert(field.full_name().to_owned(), rules),
                Err(fault) => {
                    let at = source(&field.parent_message().parent_file(), field.path()).0;
                    faults.push(format!("{at}: {}: {fault}", field.full_name()));
                }
            }
        }
        let permissions = permissions::read(pool, &mut faults);
        let contract = Self { rpcs, messages, enums, rules: all_rules, permissions, pool: pool.clone() };
        contract.check_names(&mut faults);
        messages::check(&contract, &mut faults);
        (contract, faults)
    }

    /// Names that end up side by side must differ: services, routes, and the messages of the OpenAPI document.
    fn check_names(&self, faults: &mut Vec<String>) {
        let mut routes = HashSet::new();
        for rpc in &self.rpcs {
            let Some(route) = &rpc.route else { continue };
            let shape: Vec<_> = route.path.split('/').map(|s| if s.starts_with('{') { "{}" } else { s }).collect();
            if !routes.insert((route.verb, shape.join("/"))) {
                faults.push(format!("{}: {} {} is already taken", rpc.method.full_name(), route.verb, route.path));
            }
        }
        let services = self.pool.services().map(|s| (s.name().to_owned(), s.full_name().to_owned()));
        let messages = self.reachable(|rpc| rpc.route.is_some(), true);
        let messages = messages.iter().map(|m| (m.name().to_owned(), m.full_name().to_owned()));
        for kind in [services.collect::<BTreeSet<_>>(), messages.collect()] {
            let mut seen = BTreeMap::new();
            for (name, full) in kind {
                if let Some(other) = seen.insert(name.clone(), full.clone()) {
                    faults.push(format!("{full} and {other} have the same short name {name}: rename one"));
                }
            }
        }
    }

    /// The messages that the chosen RPCs take in, and with `answers` those that they give, nested ones too.
    pub fn reachable(&self, choose: impl Fn(&Rpc) -> bool, answers: bool) -> Vec<MessageDescriptor> {
        let (mut found, mut seen) = (vec![], HashSet::new());
        let mut open: Vec<_> = self.rpcs.iter().filter(|r| choose(r)).map(|r| r.method.input()).collect();
        if answers {
            open.extend(self.rpcs.iter().filter(|r| choose(r)).map(|r| r.method.output()));
        }
        while let Some(message) = open.pop() {
            if !message.package_name().starts_with(ROOT) || !seen.insert(message.full_name().to_owned()) {
                continue;
            }
            open.extend(message.fields().filter_map(|f| match f.kind() {
                Kind::Message(m) if !m.is_map_entry() => Some(m),
                _ => None,
            }));
            found.push(message);
        }
        found.sort_by(|a, b| a.full_name().cmp(b.full_name()));
        found
    }

    pub fn rules(&self, field: &FieldDescriptor) -> Rules {
        self.rules.get(field.full_name()).cloned().unwrap_or_default()
    }
}

impl Rpc {
    pub fn grpc_path(&self) -> String {
        format!("/{}/{}", self.service.full_name(), self.method.name())
    }

    /// The marker type's path, from the crate `proto`.
    pub fn marker(&self) -> String {
        format!("rpc::{}::{}", snake(self.service.name()), self.method.name())
    }
}

fn rpc(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<Rpc, String> {
    let access = access::read(pool, method)?;
    let people_only = access::people_only(pool, method, &access)?;
    let shape = match (method.is_client_streaming(), method.is_server_streaming()) {
        (false, false) => Shape::Unary,
        (false, true) => Shape::ServerStreaming,
        (true, false) => Shape::ClientStreaming,
        (true, true) => return Err("streams both ways, which nothing here can carry".into()),
    };
    let route = route::read(pool, method, shape)?;
    match (&access, &route) {
        (Access::Internal, Some(_)) => {
            return Err("is internal, so it must not have a (google.api.http) option".into());
        }
        (Access::Internal, None) | (_, Some(_)) => {}
        (_, None) => {
            return Err(concat!(
                "has no (google.api.http) option and is not internal: ",
                "add `option (google.api.http) = {get: \"/api/v1/…\"};`"
            )
            .into());
        }
    }
    Ok(Rpc { service: method.parent_service().clone(), method: method.clone(), access, people_only, route, shape })
}

/// `file:line` and the comment above a descriptor.
pub fn source(file: &FileDescriptor, path: &[i32]) -> (String, String) {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let place = info.and_then(|i| i.location.iter().find(|l| l.path == path));
    let line = place.and_then(|l| l.span.first()).map_or(0, |l| l + 1);
    let comment = place.map_or("", |l| l.leading_comments()).lines().map(str::trim).collect::<Vec<_>>().join(" ");
    (format!("{}:{line}", file.name()), comment.trim().to_owned())
}

/// The value of an option of a method, a field or an enum's value.
pub fn option(pool: &DescriptorPool, options: &DynamicMessage, name: &str) -> Result<Option<DynamicMessage>, String> {
    let extension = pool.get_extension_by_name(name).ok_or_else(|| format!("nothing imports {name}"))?;
    Ok(options.has_extension(&extension).then(|| options.get_extension(&extension).as_message().cloned()).flatten())
}

pub fn text(message: &DynamicMessage, field: &str) -> String {
    message.get_field_by_name(field).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// `NoAnswer` is `no_answer`.
pub fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// `no_answer` is `NoAnswer`.
pub fn camel(snake: &str) -> String {
    let mut out = String::new();
    for word in snake.split('_') {
        let mut letters = word.chars();
        out.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        out.extend(letters);
    }
    out
}
