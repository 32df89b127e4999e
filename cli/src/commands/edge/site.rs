//! The customer's site behind this edge: asked, and its pages changed while they stream.

use super::host::spent;
use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use encoding_rs::Encoding;
use lol_html::html_content::ContentType;
use lol_html::send::{Element, HtmlRewriter, Settings};
use lol_html::{
    AsciiCompatibleEncoding, ElementContentHandlers, MemorySettings, Selector, end_tag,
};
use rapport_edge::{Act, Edge, NONCE, Rewrite, Step};
use std::borrow::Cow;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

/// So long all steps on one page may take together; what is left of it then goes out untouched.
const BUDGET: Duration = Duration::from_millis(30);
/// What a page that is no page may make the parser hold.
const MOST_MEMORY: usize = 4 * 1024 * 1024;
/// Pages that React hydrates are React's: their server decides, and hands over what it decided.
const REACT: [&str; 4] =
    ["script[src*=\"/_next/\"]", "link[href*=\"/_next/\"]", "#__next", "[data-reactroot]"];
/// Elements that a page would not survive, or that show nothing.
const UNTOUCHED: [&str; 11] = [
    "script", "style", "link", "base", "meta", "object", "embed", "frame", "frameset", "noscript",
    "template",
];
const NO_CONTENT: [&str; 4] = ["html", "head", "body", "iframe"];

/// How a page is encoded; `None` where it cannot be changed as it streams.
pub fn encoding(headers: &HeaderMap) -> Option<AsciiCompatibleEncoding> {
    let packed = headers.get("content-encoding").and_then(|coding| coding.to_str().ok());
    if packed.is_some_and(|coding| coding != "identity") {
        return None;
    }
    let kind = headers.get("content-type")?.to_str().ok()?.to_ascii_lowercase();
    let label =
        kind.split("charset=").nth(1).map(|label| label.trim_matches(['"', '\'', ' ', ';']));
    let encoding =
        label.map_or(Some(encoding_rs::UTF_8), |label| Encoding::for_label(label.as_bytes()));
    AsciiCompatibleEncoding::new(encoding?)
}

/// The page with the steps applied as it streams.
pub fn rewritten(
    edge: Arc<Edge>,
    page: Body,
    todo: Rewrite,
    encoding: AsciiCompatibleEncoding,
) -> Body {
    let (sender, chunks) = channel(4);
    tokio::spawn(async move {
        if let Err(error) = stream(&edge, page, &todo, encoding, &sender).await {
            // The visitor's browser sees that the page broke off, as it would without this edge.
            let _ = sender.send(Err(error)).await;
        }
    });
    Body::from_stream(ReceiverStream::new(chunks))
}

async fn stream(
    edge: &Arc<Edge>,
    page: Body,
    todo: &Rewrite,
    encoding: AsciiCompatibleEncoding,
    sender: &Sender<io::Result<Bytes>>,
) -> io::Result<()> {
    let made: Arc<Mutex<Vec<u8>>> = Arc::default();
    let sink = made.clone();
    let out = move |chunk: &[u8]| locked(&sink).extend_from_slice(chunk);
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let settings = steps(edge, todo, &seen).with_encoding(encoding);
    let mut rewriter = Some(HtmlRewriter::new(settings, out));
    let mut chunks = page.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(io::Error::other)?;
        let begun = spent();
        match rewriter.as_mut().map(|rewriter| rewriter.write(&chunk)) {
            Some(Ok(())) => locked(&seen).spent += spent().saturating_sub(begun),
            // What it held of the page it has let go; the rest is the site's.
            Some(Err(error)) => {
                edge.fault(&error);
                rewriter = None;
            }
            None => locked(&made).extend_from_slice(&chunk),
        }
        let ready = std::mem::take(&mut *locked(&made));
        if !ready.is_empty() && sender.send(Ok(ready.into())).await.is_err() {
            return Ok(());
        }
    }
    if let Some(Err(error)) = rewriter.map(HtmlRewriter::end) {
        edge.fault(&error);
    }
    let rest = std::mem::take(&mut *locked(&made));
    let _ = sender.send(Ok(rest.into())).await;
    Ok(())
}

/// What is known of a page by what went through.
#[derive(Default)]
struct Seen {
    react: bool,
    own: bool,
    put: bool,
    nonce: String,
    spent: Duration,
}

fn steps(edge: &Arc<Edge>, todo: &Rewrite, seen: &Arc<Mutex<Seen>>) -> Settings<'static, 'static> {
    let memory = MemorySettings::new()
        .with_max_allowed_memory_usage(MOST_MEMORY)
        .with_graceful_bail_out_on_memory_limit_exceeded(true);
    let mut settings = Settings::new_send()
        .with_memory_settings(memory)
        .with_strict(false)
        .with_adjust_charset_on_meta_tag(true)
        .with_graceful_bail_out_on_content_handler_error(true);
    let mut on = |selector: &str, mut act: Box<dyn FnMut(&mut Element<'_, '_>) + Send>| {
        let Ok(parsed) = selector.parse::<Selector>() else {
            edge.fault(&format!("{selector}: no selector that this edge knows"));
            return;
        };
        let seen = seen.clone();
        let handler = move |element: &mut Element<'_, '_>| {
            if locked(&seen).spent > BUDGET {
                return Err("changing the page took too long".into());
            }
            act(element);
            Ok(())
        };
        let handlers = ElementContentHandlers::default().element(handler);
        let taken = std::mem::replace(&mut settings, Settings::new_send());
        settings = taken.append_element_content_handler((Cow::Owned(parsed), handlers));
    };
    for selector in REACT {
        let seen = seen.clone();
        on(selector, Box::new(move |_| locked(&seen).react = true));
    }
    {
        let seen = seen.clone();
        on(
            "script[nonce]",
            Box::new(move |element| {
                let nonce = element.get_attribute("nonce").unwrap_or_default();
                let plain =
                    |letter: &char| letter.is_ascii_alphanumeric() || "+/=-_".contains(*letter);
                let mut seen = locked(&seen);
                if seen.nonce.is_empty() {
                    seen.nonce = nonce.chars().filter(plain).collect();
                }
            }),
        );
    }
    {
        let seen = seen.clone();
        let own = format!("script[src*=\"{}\"]", todo.script);
        on(&own, Box::new(move |_| locked(&seen).own = true));
    }
    let inject = {
        let (seen, head, tag) = (seen.clone(), todo.head.clone(), todo.tag.clone());
        move || {
            let mut seen = locked(&seen);
            if seen.put || seen.react {
                return None;
            }
            seen.put = true;
            let tag = if seen.own { "" } else { &tag };
            Some(format!("{head}{tag}").replace(NONCE, &seen.nonce))
        }
    };
    {
        let inject = inject.clone();
        on(
            "head",
            Box::new(move |element| {
                let inject = inject.clone();
                // A head without an end is the body's.
                let _ = element.on_end_tag(end_tag!(move |end| {
                    if let Some(html) = inject() {
                        end.before(&html, ContentType::Html);
                    }
                    Ok(())
                }));
            }),
        );
    }
    on(
        "body",
        Box::new(move |element| {
            if let Some(html) = inject() {
                element.prepend(&html, ContentType::Html);
            }
        }),
    );
    for Step { selector, act } in todo.steps.clone() {
        let seen = seen.clone();
        on(
            &selector,
            Box::new(move |element| {
                if !locked(&seen).react {
                    apply(element, &act);
                }
            }),
        );
    }
    settings
}

fn apply(element: &mut Element<'_, '_>, act: &Act) {
    let tag = element.tag_name();
    let holds = !NO_CONTENT.contains(&tag.as_str());
    if UNTOUCHED.contains(&tag.as_str()) {
        return;
    }
    let named = match act {
        Act::Text { value } if holds => {
            element.set_inner_content(value, ContentType::Text);
            Ok(())
        }
        Act::Html { value } if holds => {
            element.set_inner_content(value, ContentType::Html);
            Ok(())
        }
        Act::Text { .. } | Act::Html { .. } => Ok(()),
        Act::Set { name, value } => element.set_attribute(name, value),
        Act::Unset { name } => {
            element.remove_attribute(name);
            Ok(())
        }
        Act::Class { add, remove } => {
            let before = element.get_attribute("class").unwrap_or_default();
            element.set_attribute("class", &Act::classes(&before, add, remove))
        }
    };
    // What may be no attribute's name was refused where the step was made.
    let _ = named;
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
