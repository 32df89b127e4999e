//! A machine as an edge's host: its clock, a folder, and HTTP.

use super::queue::Queue;
use axum::body::{Body, to_bytes};
use axum::http::request::Parts;
use axum::http::{Request as HttpRequest, header};
use axum::response::Response;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rapport_core::event::Millis;
use rapport_edge::{Answer, Failure, Host, Request, Waiting};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Larger than anything that a backend publishes.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// The backend answers within this time, or is away.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is between two neighbours only.
const HOP_BY_HOP: [&str; 7] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub struct Machine {
    backend: String,
    site: Option<String>,
    folder: PathBuf,
    client: Client<HttpConnector, Body>,
    pub queue: Arc<Queue>,
}

impl Machine {
    pub fn open(backend: String, site: Option<String>, folder: PathBuf) -> Result<Self, String> {
        std::fs::create_dir_all(&folder)
            .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let queue = Queue::open(folder.join("events"))
            .map_err(|error| format!("cannot keep events in {}: {error}", folder.display()))?;
        Ok(Self { backend, site, folder, client, queue: Arc::new(queue) })
    }

    /// Asks the site behind this edge; its answer streams.
    pub async fn site(&self, mut head: Parts, body: Body) -> Result<Response, String> {
        let site = self.site.as_ref().ok_or("none is set: name one with --site")?;
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = format!("{site}{path}").parse().map_err(|error| format!("{error}"))?;
        // The site hears the name that the browser asked for.
        if let Some(host) = head.headers.remove(header::HOST) {
            head.headers.insert("x-forwarded-host", host);
        }
        for name in HOP_BY_HOP {
            head.headers.remove(name);
        }
        let mut answer = self
            .client
            .request(HttpRequest::from_parts(head, body))
            .await
            .map_err(|error| error.to_string())?;
        for name in HOP_BY_HOP {
            answer.headers_mut().remove(name);
        }
        Ok(answer.map(Body::new))
    }

    /// Asks the backend for what has no end.
    pub async fn stream(&self, request: Request) -> Result<Body, String> {
        let asked = self.asked(request)?;
        let answer = self.client.request(asked).await.map_err(|error| error.to_string())?;
        match answer.status().is_success() {
            true => Ok(Body::new(answer.into_body())),
            false => Err(format!("it answers {}", answer.status())),
        }
    }

    /// Names of what is kept hold slashes; files do not.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name.replace('/', "-"))
    }

    fn asked(&self, request: Request) -> Result<HttpRequest<Body>, String> {
        let query =
            if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let address = format!("{}{}{query}", self.backend, request.path);
        let mut asked = HttpRequest::builder().method(request.method.name()).uri(address);
        for (name, value) in &request.headers {
            asked = asked.header(name, value);
        }
        asked.body(Body::from(request.body)).map_err(|error| error.to_string())
    }

    async fn ask(&self, request: Request) -> Result<Answer, String> {
        let asked = self.asked(request)?;
        let (head, body) =
            self.client.request(asked).await.map_err(|error| error.to_string())?.into_parts();
        let body =
            to_bytes(Body::new(body), MOST_BYTES).await.map_err(|error| error.to_string())?;
        let headers = head.headers.iter().filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        });
        Ok(Answer { status: head.status.as_u16(), headers: headers.collect(), body: body.to_vec() })
    }
}

impl Host for Machine {
    fn now(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis(since.as_millis() as i64)
    }

    fn spent(&self) -> Duration {
        spent()
    }

    fn random(&self) -> Option<[u8; 16]> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).ok().map(|()| bytes)
    }

    async fn backend(&self, request: Request) -> Result<Answer, Failure> {
        match tokio::time::timeout(PATIENCE, self.ask(request)).await {
            Ok(answered) => answered.map_err(Failure),
            Err(_) => Err(Failure(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }

    async fn load(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let file = self.file(name);
        blocking(move || match std::fs::read(file) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    async fn keep(&self, name: &str, value: Vec<u8>) -> Result<(), Failure> {
        // Whoever reads the file finds what was there before or what is there now, whole.
        let written = self.file(&format!("{name}.{}.new", std::process::id()));
        let file = self.file(name);
        blocking(move || {
            std::fs::write(&written, value)?;
            std::fs::rename(&written, file)
        })
        .await
    }

    async fn queue(&self, batch: Waiting) -> Result<(), Failure> {
        self.queue.keep(&batch).await
    }
}

/// How long this thread was on a processor, as Linux counts it; elsewhere how long the process has been there.
pub fn spent() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let counted = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = counted.and_then(|text| text.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

/// Runs what waits for a disk where it keeps nobody else waiting.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|error| Failure(error.to_string()))
}
