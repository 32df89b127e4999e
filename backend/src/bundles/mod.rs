//! Publishing: what pages need to decide, as immutable parts behind one signed manifest.

pub mod http;
mod open;
mod scoring;
mod script;
mod sdk;
mod service;
mod store;
mod view;

pub use open::{OpenBundle, OpenBundles};
pub use scoring::Scoring;
pub use script::Scripts;
pub use sdk::SdkFiles;
pub(crate) use service::keep;
pub use service::{
    Published, current, page_config, part, publish, publish_flags, publish_moved, published_flags,
    verifying_key,
};
pub(crate) use store::insert_publication;
pub use store::{BundleStore, Publication};
