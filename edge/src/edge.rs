//! One workspace's edge: which request is answered how, and by which bundle.

use crate::answer::{Answer, IMMUTABLE};
use crate::bundle::{BundleError, BundleFile, OpenBundle, wanted};
use crate::collect::Batch;
use crate::cookie::{self, Secrets};
use crate::decide::{decide, evaluate};
use crate::forward::{Fate, Waiting};
use crate::host::{Failure, Host};
use crate::memory::Memory;
use crate::ofrep;
use crate::page::{self, Plan};
use crate::problem::Problem;
use crate::request::{MAX_BODY, Method, Request};
use crate::sdk::{self, Script};
use crate::visitor::{self, DecideWire, VisitorWire};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rapport_core::event::Millis;
use serde_json::json;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A question may hold at most this many bytes, as at the backend.
const MAX_QUESTION: usize = 64 * 1024;
/// So long nobody asks whether there is a newer bundle.
const FRESH: i64 = 60_000;
/// So long deciding for a page may take.
const BUDGET: Duration = Duration::from_millis(30);
const KEPT: &str = "bundle";
/// GrowthBook's and OpenFeature's clients ask on pages of any website, without cookies.
const ANY_ORIGIN: (&str, &str) = ("access-control-allow-origin", "*");

/// What an edge is told when it starts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The workspace's write key: this edge serves no other.
    pub key: String,
    /// The workspace's public key in base 64; without one, what comes with a bundle is taken.
    pub public_key: Option<String>,
    /// How browsers reach this edge, without a slash at the end; empty where it answers under the site's own address.
    pub public_url: String,
    /// Whether visitors without an id get a cookie with one.
    pub visitor_cookie: bool,
    /// What signs the cookie that keeps visitors' profiles; without it none is kept.
    pub secrets: Option<Secrets>,
    /// Whether conformance cases are taken; for tests only.
    pub conformance: bool,
}

/// Why an edge does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    #[error("the write key is none: take the one of the script tag, wk_live_… or wk_test_…")]
    Key,
}

/// One workspace's edge, as long as the process lives.
pub struct Edge {
    settings: Settings,
    held: Mutex<Held>,
}

/// What is in memory, and since when.
#[derive(Default)]
struct Held {
    bundle: Option<Arc<OpenBundle>>,
    /// When that came into force here.
    since: Millis,
    script: Option<Script>,
    looked: Option<Millis>,
    /// Why the newest bundle is not the one that decides.
    refused: Option<String>,
    /// How often something failed that pages and answers did without, and what did last.
    faults: u64,
    fault: Option<String>,
}

impl Edge {
    /// An edge that has not looked for a bundle yet.
    ///
    /// # Errors
    /// Where the settings cannot be those of any workspace.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !settings.key.starts_with("wk_") || !settings.key.bytes().all(plain) {
            return Err(SettingsError::Key);
        }
        Ok(Self { settings, held: Mutex::default() })
    }

    /// Whether a request is for the edge itself, and not for the site behind it.
    pub fn is_own(path: &str) -> bool {
        path == "/health"
            || ["/v1/", "/ofrep/", "/sub/", "/_rapport/"]
                .iter()
                .any(|start| path.starts_with(start))
    }

    /// Answers a request that is for the edge itself.
    pub async fn answer(&self, host: &impl Host, request: &Request) -> Answer {
        let answer = self.routed(host, request).await.unwrap_or_else(Answer::from);
        answer.with(ANY_ORIGIN.0, ANY_ORIGIN.1)
    }

    /// What is to be done to the page that a request is for; `None` where it goes out as its site made it.
    pub async fn plan(&self, host: &impl Host, request: &Request) -> Option<Plan> {
        if !page::is_for_page(request) {
            return None;
        }
        let bundle = match self.bundle(host).await {
            Ok(bundle) => bundle,
            Err(Problem::NoBundle) => return None,
            Err(problem) => {
                self.fault(&problem);
                return None;
            }
        };
        let (begun, fresh) = (host.spent(), || host.random().map(id_of));
        let planned = page::plan(&bundle, &self.settings, request, host.now(), fresh);
        if host.spent().saturating_sub(begun) > BUDGET {
            self.fault(&"deciding took too long");
            return None;
        }
        planned.map_err(|problem| self.fault(&problem)).ok()
    }

    /// Counts what failed, and cost a visitor no more than what this edge adds.
    pub fn fault(&self, why: &dyn std::fmt::Display) {
        let mut held = self.held();
        held.faults += 1;
        held.fault = Some(why.to_string());
    }

    /// Whether it is time for [`Self::refresh`].
    pub fn is_due(&self, now: Millis) -> bool {
        self.held().looked.is_none_or(|looked| now.0 - looked.0 >= FRESH)
    }

    /// Looks for a newer bundle and script; what is here stays where that fails.
    ///
    /// # Errors
    /// Where the backend cannot be asked, or what it serves is refused.
    pub async fn refresh(&self, host: &impl Host) -> Result<(), Problem> {
        self.held().looked = Some(host.now());
        let script = Script::fetch(host, &self.settings).await?;
        let config = script.config.clone();
        self.held().script = Some(script);
        let refreshed = self.take_over(host, &config).await;
        self.held().refused = refreshed.as_ref().err().map(ToString::to_string);
        refreshed
    }

    async fn take_over(&self, host: &impl Host, config: &serde_json::Value) -> Result<(), Problem> {
        let text = |name: &str| config[name].as_str().map(str::to_owned);
        let (Some(manifest), Some(signature), Some(public_key)) =
            (text("manifest"), text("signature"), text("publicKey"))
        else {
            return Ok(());
        };
        let mut file = BundleFile { manifest, signature, public_key, parts: Default::default() };
        if self.held().bundle.as_ref().is_some_and(|bundle| bundle.hash == file.hash()) {
            return Ok(());
        }
        // Where nobody pinned a key, the first bundle's.
        let first = self.held().bundle.as_ref().map(|bundle| bundle.public_key.clone());
        let trusted = self.settings.public_key.as_deref().or(first.as_deref());
        for part in wanted(&file.verified(trusted)?) {
            let name = format!("{}.bin", part.hash);
            match sdk::part(host, &self.settings, &name).await {
                Ok(answer) => {
                    file.parts.insert(part.hash.clone(), BASE64_STANDARD.encode(answer.body));
                }
                // Opening says what is missing; a private part may be.
                Err(Problem::NotFound(_)) => {}
                Err(problem) => return Err(problem),
            }
        }
        let bundle = OpenBundle::open(&file, trusted)?;
        self.put(Arc::new(bundle), host.now());
        let kept = serde_json::to_vec(&file).map_err(|error| Failure(error.to_string()))?;
        if let Err(failure) = host.keep(KEPT, kept).await {
            // It decides all the same; who starts anew asks the backend.
            self.fault(&format!("the store does not keep the bundle: {failure}"));
        }
        Ok(())
    }

    async fn routed(&self, host: &impl Host, request: &Request) -> Result<Answer, Problem> {
        if request.body.len() > MAX_BODY {
            return Err(Problem::TooLarge(MAX_BODY));
        }
        if request.method == Method::Options {
            return Ok(preflight(request));
        }
        let segments: Vec<&str> = request.path.split('/').skip(1).collect();
        let reads = matches!(request.method, Method::Get | Method::Head);
        let posts = request.method == Method::Post;
        match *segments.as_slice() {
            ["health"] => only(reads, "GET").map(|()| self.health()),
            ["v1", "sdk", file] => {
                only(reads, "GET")?;
                let (key, script) = match file.rsplit_once('.') {
                    Some((key, "js")) => (key, true),
                    Some((key, "json")) => (key, false),
                    _ => return Err(Problem::NotFound("file")),
                };
                self.own(Some(key))?;
                Ok(self.script(host).await?.answer(&self.settings, request, script))
            }
            ["v1", "parts", key, name] => {
                only(reads, "GET")?;
                self.own(Some(key))?;
                sdk::part(host, &self.settings, name).await
            }
            ["v1", "bundle", hash] => {
                only(reads, "GET")?;
                let bundle = self.bundle(host).await?;
                if bundle.hash != hash {
                    return Err(Problem::NotFound("bundle here, or no longer"));
                }
                Ok(Answer { body: bundle.public.clone(), ..Answer::empty(200) }
                    .with("content-type", "application/json")
                    .with("cache-control", IMMUTABLE))
            }
            ["v1", "decide"] => {
                only(posts, "POST")?;
                self.decide(host, request).await
            }
            ["v1", "evaluate"] => {
                only(posts, "POST")?;
                self.evaluate(host, request).await
            }
            ["v1", "events" | "batch" | "import"] => {
                only(posts, "POST")?;
                self.collect(host, request).await
            }
            ["ofrep", "v1", "evaluate", "flags"] => self.ofrep(host, request, None).await,
            ["ofrep", "v1", "evaluate", "flags", key] => self.ofrep(host, request, Some(key)).await,
            #[cfg(feature = "testing")]
            ["_rapport", "test", "ask"] if self.settings.conformance => {
                crate::testing::ask(request)
            }
            #[cfg(feature = "testing")]
            ["_rapport", "test", "evaluate"] if self.settings.conformance => {
                crate::testing::evaluate_all(&self.settings, request, host.now())
            }
            _ => Err(Problem::NotFound("address")),
        }
    }

    async fn decide(&self, host: &impl Host, request: &Request) -> Result<Answer, Problem> {
        if request.body.len() > MAX_QUESTION {
            return Err(Problem::TooLarge(MAX_QUESTION));
        }
        let wire = DecideWire::read(&request.body)?;
        self.own(wire.asked.key.clone().or_else(|| credential(request)).as_deref())?;
        let bundle = self.bundle(host).await?;
        let decided = decide(&bundle, &self.settings, wire, request, host.now())?;
        said(&decided)
    }

    async fn evaluate(&self, host: &impl Host, request: &Request) -> Result<Answer, Problem> {
        if request.body.len() > MAX_QUESTION {
            return Err(Problem::TooLarge(MAX_QUESTION));
        }
        self.own(credential(request).as_deref())?;
        let visitor: VisitorWire = visitor::read(&request.body)?;
        let bundle = self.bundle(host).await?;
        said(&evaluate(&bundle, &self.settings, visitor, request, host.now())?)
    }

    async fn collect(&self, host: &impl Host, request: &Request) -> Result<Answer, Problem> {
        let batch = Batch::read(request, host.now())?;
        self.own(batch.key.clone().or_else(|| credential(request)).as_deref())?;
        let answer = self.taken(host, &batch).await?;
        let cookie = self.remembered(host, request, &batch).await;
        Ok(cookie.iter().fold(answer, |answer, cookie| answer.with("set-cookie", cookie)))
    }

    /// Once nothing of the batch can be lost any more.
    async fn taken(&self, host: &impl Host, batch: &Batch) -> Result<Answer, Problem> {
        // Only the server has hints to give; where it is away, the batch waits like any other.
        if batch.hints {
            let direct = host.backend(batch.waiting.request(&self.settings.key, host.now())).await;
            if let Ok(answer) = direct
                && answer.is_good()
            {
                return Ok(relayed(answer));
            }
        }
        if !batch.is_empty() {
            host.queue(batch.waiting.clone()).await.map_err(Problem::Queue)?;
        }
        Ok(batch.acknowledged())
    }

    /// The cookie that keeps what a browser's batch adds to its visitor's profile.
    async fn remembered(
        &self,
        host: &impl Host,
        request: &Request,
        batch: &Batch,
    ) -> Option<String> {
        // Servers tell of many visitors, and keep no cookies.
        if self.settings.secrets.is_none() || request.header("origin").is_none() {
            return None;
        }
        let bundle = self.kept(host).await?.ok()?;
        let (now, events) = (host.now(), batch.events());
        let before = cookie::read(&self.settings, request, now);
        let room = cookie::room(&self.settings);
        match Memory::after(before, &self.settings, &bundle, events, now, room) {
            Some(memory) => cookie::write(&self.settings, &memory, now),
            None => cookie::forget(&self.settings, request),
        }
    }

    /// Tries to bring a batch, which was queued, to the backend.
    pub async fn deliver(&self, host: &impl Host, batch: &Waiting) -> Fate {
        batch.deliver(host, &self.settings.key).await
    }

    async fn ofrep(
        &self,
        host: &impl Host,
        request: &Request,
        key: Option<&str>,
    ) -> Result<Answer, Problem> {
        only(request.method == Method::Post, "POST")?;
        self.own(credential(request).as_deref())?;
        let bundle = self.bundle(host).await?;
        Ok(ofrep::answer(&bundle, request, key, &self.settings.key, host.now()))
    }

    fn health(&self) -> Answer {
        let held = self.held();
        let bundle = held.bundle.as_ref().map(|bundle| bundle.hash.clone());
        let health = json!({ "status": "ok", "bundle": bundle, "refused": held.refused, "faults": held.faults, "fault": held.fault });
        Answer::json(health.to_string().into_bytes())
    }

    fn put(&self, bundle: Arc<OpenBundle>, now: Millis) {
        let mut held = self.held();
        (held.bundle, held.since) = (Some(bundle), now);
    }

    /// The hash of the bundle in force, and since when it is.
    pub(crate) fn in_force(&self) -> Option<(String, Millis)> {
        let held = self.held();
        held.bundle.as_ref().map(|bundle| (bundle.hash.clone(), held.since))
    }

    pub(crate) fn key(&self) -> &str {
        &self.settings.key
    }

    /// Whether a credential is this workspace's.
    pub(crate) fn own(&self, key: Option<&str>) -> Result<(), Problem> {
        if key == Some(self.settings.key.as_str()) { Ok(()) } else { Err(Problem::BadCredential) }
    }

    async fn script(&self, host: &impl Host) -> Result<Script, Problem> {
        if let Some(script) = self.held().script.clone() {
            return Ok(script);
        }
        let script = Script::fetch(host, &self.settings).await?;
        self.held().script = Some(script.clone());
        Ok(script)
    }

    /// The bundle that decides: the one in memory, else the one that was kept, else the backend's.
    async fn bundle(&self, host: &impl Host) -> Result<Arc<OpenBundle>, Problem> {
        let kept = self.kept(host).await;
        if let Some(Ok(bundle)) = kept {
            return Ok(bundle);
        }
        let refreshed = self.refresh(host).await;
        if let Some(bundle) = self.held().bundle.clone() {
            return Ok(bundle);
        }
        refreshed?;
        match kept {
            Some(Err(refused)) => Err(refused.into()),
            _ => Err(Problem::NoBundle),
        }
    }

    /// The bundle in memory, else the one that was kept.
    async fn kept(&self, host: &impl Host) -> Option<Result<Arc<OpenBundle>, BundleError>> {
        if let Some(bundle) = self.held().bundle.clone() {
            return Some(Ok(bundle));
        }
        // A store that fails costs a fetch from the backend.
        let failed = |failure: &Failure| self.fault(&format!("the store fails: {failure}"));
        let bytes = host.load(KEPT).await.inspect_err(failed).ok()??;
        let trusted = self.settings.public_key.as_deref();
        let opened = BundleFile::read(&bytes).and_then(|file| OpenBundle::open(&file, trusted));
        Some(opened.map(|bundle| {
            let bundle = Arc::new(bundle);
            self.put(bundle.clone(), host.now());
            bundle
        }))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn said(view: &impl serde::Serialize) -> Result<Answer, Problem> {
    let body = serde_json::to_vec(view).map_err(|error| Failure(error.to_string()))?;
    Ok(Answer::json(body))
}

fn only(right: bool, method: &'static str) -> Result<(), Problem> {
    if right { Ok(()) } else { Err(Problem::Method(method)) }
}

/// A UUID of random bytes.
fn id_of(mut bytes: [u8; 16]) -> String {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut id = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&at) {
            id.push('-');
        }
        id.push_str(&format!("{byte:02x}"));
    }
    id
}

/// The write key of a request, wherever clients put it.
fn credential(request: &Request) -> Option<String> {
    let header = request.header("authorization");
    let bearer = header.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    // Segment's libraries give it as a user's name.
    let user = || {
        let name = BASE64_STANDARD.decode(header?.strip_prefix("Basic ")?).ok()?;
        Some(String::from_utf8(name).ok()?.split(':').next()?.to_owned())
    };
    let other = || request.header("x-api-key").or_else(|| request.parameter("key"));
    bearer.or_else(user).or_else(|| other().map(str::to_owned))
}

/// The backend's answer, for the one who asked.
fn relayed(answer: Answer) -> Answer {
    let cookies: Vec<_> =
        answer.headers.into_iter().filter(|(name, _)| name == "set-cookie").collect();
    let mut relayed = Answer::json(answer.body);
    relayed.headers.extend(cookies);
    relayed
}

fn preflight(request: &Request) -> Answer {
    let wanted = request.header("access-control-request-headers").unwrap_or("content-type");
    Answer::empty(204)
        .with("access-control-allow-methods", "GET, POST")
        .with("access-control-allow-headers", wanted)
        .with("access-control-max-age", "86400")
}
