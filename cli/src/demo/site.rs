//! Serves the demo's website: pages put into one layout, words filled in.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A folder with `layout.html`, `pages/` and `assets/`, and what stands for each `{{WORD}}`.
pub struct Site {
    pub folder: PathBuf,
    pub words: Vec<(&'static str, String)>,
}

impl Site {
    /// Routes that answer every path of the site.
    pub fn router(self) -> Router {
        Router::new().fallback(answer).with_state(Arc::new(self))
    }

    /// The page for a path, in the layout: `PATH.html`, or `PATH/index.html`.
    fn page(&self, path: &str) -> Option<String> {
        let at = inside(&self.folder.join("pages"), path)?;
        let page = [at.join("index.html"), at.with_extension("html")];
        let page = std::fs::read_to_string(page.iter().find(|file| file.is_file())?).ok()?;
        let layout = std::fs::read_to_string(self.folder.join("layout.html")).ok()?;
        let (first, content) = page.split_once('\n')?;
        let title = first.trim().trim_start_matches("<!--").trim_end_matches("-->").trim();
        let whole = layout.replace("{{TITLE}}", title).replace("{{CONTENT}}", content);
        Some(
            self.words
                .iter()
                .fold(whole, |text, (word, value)| text.replace(&format!("{{{{{word}}}}}"), value)),
        )
    }
}

async fn answer(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    let path = uri.path();
    if path.starts_with("/assets/")
        && let Some(file) = inside(&site.folder, path)
        && let Ok(bytes) = std::fs::read(&file)
    {
        return (headers(content_type(&file)), bytes).into_response();
    }
    let html = headers("text/html; charset=utf-8");
    match site.page(path) {
        Some(page) => (html, page).into_response(),
        None => {
            let page = site.page("/404").unwrap_or_else(|| "no such page".into());
            (StatusCode::NOT_FOUND, html, page).into_response()
        }
    }
}

/// `path` below `folder`; `None` where it would leave it.
fn inside(folder: &Path, path: &str) -> Option<PathBuf> {
    let relative = Path::new(path.trim_start_matches('/'));
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    plain.then(|| folder.join(relative))
}

fn headers(kind: &'static str) -> [(HeaderName, &'static str); 2] {
    [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")]
}

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_outside_the_folder_is_not_served() {
        let folder = Path::new("/site");
        assert_eq!(inside(folder, "/../Cargo.toml"), None);
        assert_eq!(inside(folder, "/pages/../../x"), None);
        assert_eq!(inside(folder, "//etc/passwd"), Some("/site/etc/passwd".into()));
        assert_eq!(inside(folder, "/"), Some("/site".into()));
    }
}
