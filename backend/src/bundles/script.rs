//! `KEY.js`: a page's configuration, the bundle that it decides by, and its code, in one file. While a slow line
//! carries it, the engines that its `Link` header names are already on their way.

use super::sdk::Pages;
use super::service::{PageConfig, keep, page_config, part};
use crate::app::App;
use crate::error::Problem;
use crate::files::{PartKind, PartName};
use crate::identity::Scope;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

/// Parts of the bundle that are larger together are fetched one by one, and kept, by their own names.
const MOST_DATA: usize = 96 * 1024;

/// The file as it was kept, and what goes before it.
pub struct Script {
    pub name: PartName,
    /// The value of its `Link` header.
    pub engines: String,
}

impl Script {
    /// Makes the file, and packs it where that has not been done.
    ///
    /// # Errors
    /// Where the SDK, the publication or a part of it cannot be read, or the file cannot be kept.
    pub fn of(app: &App, scope: Scope, key: &str) -> Result<Self, Problem> {
        let PageConfig { wire, decision, flags } = page_config(app, scope, key)?;
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
        let sdk = app.sdk.load(&*app.files)?;
        let text = format!(
            "self.rapportConfig={wire};\nself.rapportData={};\n{}",
            Value::Object(data),
            sdk.script(pages)
        );
        Ok(Self {
            name: keep(&*app.files, scope, PartKind::Script, text.as_bytes())?,
            engines: engines(&wire["parts"]),
        })
    }
}

/// Names the engines that the script will fetch, by paths from where it lies itself, behind whatever proxy.
fn engines(parts: &Value) -> String {
    let fetched = [("decision", "wasm"), ("flags", "flagsWasm")];
    let wanted = fetched.iter().filter(|(for_what, _)| parts[*for_what].is_string());
    let addresses = wanted.filter_map(|(_, engine)| parts[*engine].as_str()?.strip_prefix("/v1/"));
    let links = addresses.map(|path| format!("<../{path}>; rel=preload; as=fetch; crossorigin"));
    links.collect::<Vec<_>>().join(", ")
}
