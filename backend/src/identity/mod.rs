//! Who asks, for which workspace, and what they may do.

pub mod authorize;
pub mod credential;
pub mod http;
pub mod ids;
pub mod origin;
pub mod proof;
pub mod secrets;
pub mod service;
pub mod settings;
pub mod store;
pub mod terms;
pub mod view;

pub use authorize::{Action, Actor, Permit, Principal, Resource, Role, authorize};
pub use credential::{Caller, Sender};
pub use ids::{Environment, Scope, SubjectId, WorkspaceId};
pub use settings::Settings;
pub use terms::KeyTerms;
