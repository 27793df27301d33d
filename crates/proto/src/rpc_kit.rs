//! What a generated RPC says of itself.

use crate::Validate;
use crate::types::Permission;
use prost::Message;
use serde::{Serialize, de::DeserializeOwned};

/// Who may call an RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Public,
    SignedIn,
    /// Any access to the organisation that the request names.
    Organisation,
    /// This permission in the organisation that the request names.
    Permission(Permission),
    Superadmin,
    Internal,
}

impl Access {
    /// Whether the request names an organisation.
    pub const fn is_scoped(self) -> bool {
        matches!(self, Self::Organisation | Self::Permission(_))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Unary,
    ServerStreaming,
    ClientStreaming,
}

/// How a REST request's body becomes the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    None,
    Json,
    Raw,
    Upload,
}

/// How the message becomes a REST answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Json,
    Empty,
    Download,
    ServerSentEvents,
}

#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub verb: &'static str,
    /// With placeholders in braces, which are fields of the request.
    pub path: &'static str,
    pub body: Body,
    pub answer: Answer,
    /// The status of success.
    pub status: u16,
}

/// One method of the contract. Generic code runs once for each, with no table of function pointers.
pub trait Rpc: Send + Sync + 'static {
    type Request: Message + Default + std::fmt::Debug + DeserializeOwned + Validate + 'static;
    type Response: Message + Default + Serialize + 'static;
    /// The gRPC service's full name.
    const SERVICE: &'static str;
    /// `/<service>/<method>`.
    const GRPC_PATH: &'static str;
    const ACCESS: Access;
    /// API keys are refused, whatever their permissions.
    const PEOPLE_ONLY: bool;
    const SHAPE: Shape;
    /// Internal RPCs have none.
    const ROUTE: Option<Route>;

    /// The organisation that the request names, where the access rule asks for one.
    fn organisation(_request: &Self::Request) -> Option<&str> {
        None
    }
}

/// Sees every RPC by its type; `each_rpc` leads through them.
pub trait Visit {
    fn unary<R: Rpc>(&mut self);
    fn server_streaming<R: Rpc>(&mut self);
    fn client_streaming<R: Rpc>(&mut self);
}

/// A permission, as the documentation tells it.
#[derive(Clone, Copy, Debug)]
pub struct PermissionInfo {
    pub permission: Permission,
    pub key: &'static str,
    pub category: &'static str,
    pub description: &'static str,
    /// Only superadmins hold it; it cannot be granted.
    pub system: bool,
}

impl Permission {
    /// All that is said of it; `None` for the unspecified one.
    pub fn info(self) -> Option<&'static PermissionInfo> {
        crate::PERMISSIONS.iter().find(|info| info.permission == self)
    }

    /// Its key, such as `view_contacts`.
    pub fn key(self) -> &'static str {
        self.info().map_or("unspecified", |info| info.key)
    }
}
