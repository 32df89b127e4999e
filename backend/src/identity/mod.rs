//! Who asks, for which workspace, and what they may do.

pub mod authorize;
pub mod credential;
pub mod http;
pub mod ids;
pub mod service;
pub mod store;
pub mod view;

pub use authorize::{Action, Actor, Permit, Principal, Resource, Role, authorize};
pub use credential::{Caller, Sender};
pub use ids::{Environment, Scope, SubjectId, WorkspaceId};
