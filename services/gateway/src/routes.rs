//! The contract's routes: which path, which verb, which service, which call.

use crate::browser;
use crate::problem::Failure;
use crate::rpc::{self, Call};
use actix_web::http::{Method, StatusCode};
use actix_web::{FromRequest, Handler, HttpResponse, Responder, guard, web};
use callfairy_core::Problem;
use matchit::{Params, Router};
use proto::{Access, Answer, Route, Rpc, Visit};
use runtime::Service;
use std::collections::BTreeMap;

/// One route of the contract.
#[derive(Clone, Copy)]
pub struct Endpoint {
    pub route: Route,
    pub access: Access,
    pub service: Service,
    pub call: Call,
    /// Whether it is where browsers come back to.
    pub comes_back: bool,
}

/// All routes of the contract by their paths.
#[derive(Default)]
pub struct Routes(Router<Resource>);

/// A path of the contract, with what its verbs do. A wrong verb is told from a wrong path.
#[derive(Default)]
struct Resource {
    path: &'static str,
    verbs: Vec<(Method, Endpoint)>,
}

/// What a request's path and verb lead to.
pub struct Found<'r, 'p> {
    verb: &'p Method,
    resource: Option<(&'r Resource, Params<'r, 'p>)>,
}

/// The contract has a route that the gateway cannot serve.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve {0}: {1}")]
pub struct RouteError(&'static str, &'static str);

impl Routes {
    pub fn of_contract() -> Result<Self, RouteError> {
        let mut collected = Collected { resources: BTreeMap::new(), fault: None };
        proto::each_rpc(&mut collected);
        if let Some(fault) = collected.fault {
            return Err(fault);
        }
        let mut routes = Self::default();
        for (path, verbs) in collected.resources {
            routes
                .0
                .insert(path, Resource { path, verbs })
                .map_err(|_| RouteError(path, "another path takes its place"))?;
        }
        Ok(routes)
    }

    /// `path` as it came. Its values are not decoded before they are apart, so a `%2F` in one is no slash.
    pub fn find<'r, 'p>(&'r self, verb: &'p Method, path: &'p str) -> Found<'r, 'p> {
        Found { verb, resource: self.0.at(path).ok().map(|matched| (matched.value, matched.params)) }
    }
}

impl<'r, 'p> Found<'r, 'p> {
    /// The contract's path.
    pub fn path(&self) -> Option<&'static str> {
        self.resource.as_ref().map(|(resource, _)| resource.path)
    }

    /// What answers, and the values in the path.
    pub fn endpoint(self) -> Result<(Endpoint, Params<'r, 'p>), Failure> {
        let (resource, values) = self.resource.ok_or_else(Problem::not_found)?;
        if let Some((_, endpoint)) = resource.verbs.iter().find(|(verb, _)| verb == self.verb) {
            return Ok((*endpoint, values));
        }
        let allow = resource.verbs.iter().map(|(verb, _)| verb.as_str()).collect::<Vec<_>>().join(", ");
        Err(Failure::method_not_allowed(allow))
    }
}

/// What is read at a path outside the contract.
pub fn page<H, Args>(path: &str, handler: H) -> actix_web::Resource
where
    H: Handler<Args>,
    Args: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    let read = guard::Any(guard::Get()).or(guard::Head());
    let refused = || async { Err::<HttpResponse, _>(Failure::method_not_allowed("GET, HEAD".to_owned())) };
    web::resource(path).default_service(web::to(refused)).route(web::route().guard(read).to(handler))
}

struct Collected {
    resources: BTreeMap<&'static str, Vec<(Method, Endpoint)>>,
    fault: Option<RouteError>,
}

impl Collected {
    fn add<R: Rpc>(&mut self, call: Call) {
        let Some(route) = R::ROUTE else { return };
        let package = R::SERVICE.split('.').nth(1).unwrap_or_default();
        let service = Service::ALL.into_iter().find(|service| service.name() == package);
        let verb = Method::from_bytes(route.verb.as_bytes());
        match (service, verb, StatusCode::from_u16(route.status)) {
            (Some(service), Ok(verb), Ok(_)) => {
                let comes_back = browser::comes_back::<R>();
                let endpoint = Endpoint { route, access: R::ACCESS, service, call, comes_back };
                self.resources.entry(route.path).or_default().push((verb, endpoint));
            }
            (None, ..) => self.fault = Some(RouteError(R::GRPC_PATH, "no service has its package's name")),
            (_, Err(_), _) => self.fault = Some(RouteError(R::GRPC_PATH, "its verb is none of HTTP's")),
            (.., Err(_)) => self.fault = Some(RouteError(R::GRPC_PATH, "its status is none of HTTP's")),
        }
    }
}

impl Visit for Collected {
    fn unary<R: Rpc>(&mut self) {
        self.add::<R>(Call::Unary(rpc::unary::<R>));
    }

    fn server_streaming<R: Rpc>(&mut self) {
        self.add::<R>(match R::ROUTE.map(|route| route.answer) {
            Some(Answer::Download) => Call::Download(rpc::download::<R>),
            _ => Call::Events(rpc::events::<R>),
        });
    }

    fn client_streaming<R: Rpc>(&mut self) {
        self.add::<R>(Call::Upload(rpc::upload::<R>));
    }
}
