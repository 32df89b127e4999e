//! What people see who open an address in a browser: a page of words instead of a document for machines.

use crate::error::{Problem, ProblemView};
use crate::identity::{Action, Principal, Resource, authorize};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};

const WELCOME: &str = include_str!("pages/welcome.html");
const PROBLEM: &str = include_str!("pages/problem.html");

/// Says what this server is and where to go next.
#[utoipa::path(get, path = "/", tag = "pages", security(()), responses((status = 200, content_type = "text/html"), (status = 404, body = ProblemView)))]
pub async fn welcome(headers: HeaderMap) -> Result<Html<&'static str>, Problem> {
    authorize(&Principal::anyone(), Action::ReadDocumentation, Resource::Public)?;
    let accepted = accepted(&headers);
    let machine = accepted.contains("json") && !accepted.contains("text/html");
    if machine { Err(Problem::NotFound("address")) } else { Ok(Html(WELCOME)) }
}

/// Shows problems to people as a page. Machines, which do not ask for HTML, get them as they are.
pub async fn for_people(request: Request, next: Next) -> Response {
    let person = accepted(request.headers()).contains("text/html");
    let response = next.run(request).await;
    match response.extensions().get::<ProblemView>() {
        Some(problem) if person => {
            let page = Html(page(problem));
            let (mut parts, _) = response.into_parts();
            parts.headers.remove(header::CONTENT_LENGTH);
            parts.headers.remove(header::CONTENT_TYPE);
            parts.headers.insert(header::VARY, HeaderValue::from_static("Accept"));
            (parts, page).into_response()
        }
        _ => response,
    }
}

fn accepted(headers: &HeaderMap) -> &str {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn page(problem: &ProblemView) -> String {
    let mut title = problem.title.to_owned();
    title.get_mut(..1).into_iter().for_each(str::make_ascii_uppercase);
    PROBLEM.replace("{title}", &escaped(&title)).replace("{detail}", &escaped(&problem.detail))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_said_is_words_in_a_page_and_nothing_else() {
        let page = page(&Problem::Method("<IMG onerror='x()'>&{title}".to_owned()).view());
        assert!(
            page.contains("`&lt;IMG onerror=&#39;x()&#39;&gt;&amp;{title}` is not a method"),
            "{page}"
        );
    }
}
