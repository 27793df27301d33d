//! The contract's routes: which path, which verb, which service, which call.

use crate::handle;
use crate::problem::Failure;
use crate::rpc::{self, Call};
use actix_web::http::{Method, StatusCode};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, guard, web};
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
}

/// All routes by their paths. A literal sorts before a placeholder, and so is found first.
#[derive(Clone, Default)]
pub struct Routes(BTreeMap<&'static str, Vec<(Method, Endpoint)>>);

/// The contract has a route that the gateway cannot serve.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve {0}: {1}")]
pub struct RouteError(&'static str, &'static str);

impl Routes {
    pub fn of_contract() -> Result<Self, RouteError> {
        let mut collected = Collected { routes: Self::default(), fault: None };
        proto::each_rpc(&mut collected);
        collected.fault.map_or(Ok(collected.routes), Err)
    }

    /// Mounts one resource a path, so that a wrong verb is told from a wrong path.
    pub fn mount(&self, app: &mut web::ServiceConfig) {
        for (path, endpoints) in &self.0 {
            let allow = endpoints.iter().map(|(verb, _)| verb.as_str()).collect::<Vec<_>>().join(", ");
            let mut resource = resource(path, allow);
            for (verb, endpoint) in endpoints.clone() {
                let handler =
                    move |gateway, request: HttpRequest, payload| handle::handle(endpoint, gateway, request, payload);
                resource = resource.route(web::method(verb).to(handler));
            }
            app.service(resource);
        }
    }
}

/// What is read at a path outside the contract.
pub fn page<H, Args>(path: &str, handler: H) -> Resource
where
    H: Handler<Args>,
    Args: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    let read = guard::Any(guard::Get()).or(guard::Head());
    resource(path, "GET, HEAD".to_owned()).route(web::route().guard(read).to(handler))
}

/// A path with no verbs yet; the answer to those that it will not have lists `allow`.
fn resource(path: &str, allow: String) -> Resource {
    web::resource(path).default_service(web::to(move || {
        let failure = Failure::method_not_allowed(allow.clone());
        async { Err::<HttpResponse, _>(failure) }
    }))
}

struct Collected {
    routes: Routes,
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
                let endpoint = Endpoint { route, access: R::ACCESS, service, call };
                self.routes.0.entry(route.path).or_default().push((verb, endpoint));
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
