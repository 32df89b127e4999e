//! `KEY.js`: a page's configuration, the bundle that it decides by, and its code, in one file, so that a new visitor's
//! page asks once, and then for nothing but engines, which browsers compile while they stream.

use super::sdk::{Pages, Sdk};
use super::service::{PageConfig, keep, page_config, part};
use crate::app::App;
use crate::error::Problem;
use crate::files::{PartKind, PartName};
use crate::identity::Scope;
use crate::secret::Sha256Digest;
use crate::sqlite::lock;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Parts of the bundle that are larger together are fetched one by one, and kept, by their own names.
const MOST_DATA: usize = 96 * 1024;

/// Most functions run while the page starts: Chromium then compiles them in one go, beside the main thread.
/// It heeds this at the very beginning alone.
const EAGER: &str = "//# allFunctionsCalledOnLoad";

/// The newest file of each key: pages ask for it far more often than it changes.
#[derive(Default)]
pub struct Scripts {
    by_key: Mutex<HashMap<(Scope, String), Made>>,
}

struct Made {
    name: PartName,
    /// What it was made of: the configuration names each part of the bundle by its hash.
    config: Sha256Digest,
    sdk: Arc<Sdk>,
}

/// The file as it is kept; made first, and packed, where anything that it holds has changed.
///
/// # Errors
/// Where the SDK, the publication or a part of it cannot be read, or the file cannot be kept.
pub fn script(app: &App, scope: Scope, key: &str) -> Result<PartName, Problem> {
    let page = page_config(app, scope, key)?;
    let sdk = app.sdk.load(&*app.files)?;
    let config = Sha256Digest::of(page.wire.to_string().as_bytes());
    let key = (scope, key.to_owned());
    if let Some(made) = lock(&app.scripts.by_key).get(&key)
        && made.config == config
        && Arc::ptr_eq(&made.sdk, &sdk)
    {
        return Ok(made.name);
    }
    let name = make(app, scope, page, &sdk)?;
    lock(&app.scripts.by_key).insert(key, Made { name, config, sdk });
    Ok(name)
}

fn make(app: &App, scope: Scope, page: PageConfig, sdk: &Sdk) -> Result<PartName, Problem> {
    let PageConfig { wire, decision, flags } = page;
    let pages = match (&wire["bundle"], flags) {
        (_, Some(_)) => Pages::Show,
        (Value::Null, None) => Pages::Track,
        (_, None) => Pages::Score,
    };
    let mut data = Map::new();
    let mut length = 0;
    for (kind, name) in [("decision", decision), ("flags", flags)] {
        let Some(name) = name else { continue };
        let (_, bytes) = part(app, scope, name, false)?;
        length += bytes.len();
        data.insert(kind.to_owned(), Value::from(BASE64_STANDARD.encode(bytes)));
    }
    if length > MOST_DATA {
        data.clear();
    }
    let text = format!(
        "{EAGER}\nself.rapportConfig={wire};\nself.rapportData={};\n{}",
        Value::Object(data),
        sdk.script(pages)
    );
    Ok(keep(&*app.files, scope, PartKind::Script, text.as_bytes())?)
}
