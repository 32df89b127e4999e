//! `rapport edge`: answers visitors near them, in front of the backend and of the site.

mod changes;
mod host;
mod http;
mod queue;
mod site;

use super::Outcome;
use super::serve::{log_to_stderr, runtime, say, stopped, web_address};
use host::Machine;
use rapport_edge::{Edge, Secrets, Settings};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// Answer visitors near them: decisions, flags and the SDK, also while the backend is away
///
/// What a Cloudflare Worker does in `edge-worker/`, on a machine of your own. Requests go to it over
/// plain HTTP, and from it to the backend: let a proxy such as nginx speak TLS on both sides.
///
/// With RAPPORT_SECRET in its environment (16 characters or more, the same at all edges of the workspace) it
/// keeps what it folded of a visitor in a cookie, signed. Several with commas between: the first one signs.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  rapport edge --key wk_live_… --backend http://127.0.0.1:4400 --public-key 5Nd3…=
  rapport edge --key wk_live_… --backend http://127.0.0.1:4400 --dir /var/lib/rapport-edge \\
      --listen 127.0.0.1:4500 --public-url https://edge.example.com")]
pub struct Args {
    /// The workspace's write key; requests with another one are refused
    #[arg(long)]
    key: String,
    /// Where the workspace's backend answers
    #[arg(long, value_parser = plain_address)]
    backend: String,
    /// The workspace's public key in base 64; without it, the key that comes with a bundle is believed
    #[arg(long)]
    public_key: Option<String>,
    /// Where bundles and events that wait are kept; made where missing
    #[arg(long, default_value = "edge")]
    dir: PathBuf,
    /// Address and port to listen on
    #[arg(long, default_value = "127.0.0.1:4500")]
    listen: SocketAddr,
    /// How browsers reach this edge; http://LISTEN where left out
    #[arg(long, value_parser = web_address)]
    public_url: Option<String>,
    /// The site that this edge stands in front of; its pages are personalized while they stream
    #[arg(long, value_parser = plain_address)]
    site: Option<String>,
    /// Give visitors without an id a cookie with one, before the page's script does
    #[arg(long)]
    visitor_cookie: bool,
    /// Take conformance cases
    #[arg(long, hide = true)]
    conformance: bool,
    /// Wait so many times shorter between attempts to reach the backend
    #[arg(long, hide = true, default_value_t = 1)]
    hurry: u32,
}

/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_secs(1);

/// Serves until it is told to stop.
pub fn run(args: Args) -> Outcome {
    log_to_stderr();
    runtime()?.block_on(serve(args))
}

async fn serve(args: Args) -> Outcome {
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", args.listen))?;
    let public_url = args.public_url.unwrap_or(format!("http://{}", listener.local_addr()?));
    let settings = Settings {
        key: args.key,
        public_key: args.public_key,
        public_url: public_url.clone(),
        visitor_cookie: args.visitor_cookie,
        secrets: Secrets::read(&std::env::var("RAPPORT_SECRET").unwrap_or_default())
            .map_err(|error| format!("RAPPORT_SECRET: {error}"))?,
        conformance: args.conformance,
    };
    let edge = Arc::new(Edge::new(settings)?);
    let machine = Arc::new(Machine::open(args.backend, args.site, args.dir)?);
    let refreshing = tokio::spawn(refresh(edge.clone(), machine.clone()));
    let following = tokio::spawn(changes::follow(edge.clone(), machine.clone(), args.hurry));
    let deliver = {
        let edge = edge.clone();
        move |machine: Arc<Machine>, batch| -> queue::Delivery {
            let edge = edge.clone();
            Box::pin(async move { edge.deliver(&*machine, &batch).await })
        }
    };
    let forwarding =
        tokio::spawn(machine.queue.clone().forward(machine.clone(), deliver, args.hurry));
    say(format_args!("Rapport's edge serves at {public_url}"));
    let served = axum::serve(
        listener,
        http::router(edge, machine).into_make_service_with_connect_info::<SocketAddr>(),
    );
    served.with_graceful_shutdown(async { _ = stopped().await }).await?;
    // What still waits is on disk; the next start goes on with it.
    forwarding.abort();
    refreshing.abort();
    following.abort();
    Ok(())
}

async fn refresh(edge: Arc<Edge>, machine: Arc<Machine>) {
    use rapport_edge::Host;
    loop {
        if edge.is_due(machine.now())
            && let Err(problem) = edge.refresh(&*machine).await
        {
            tracing::warn!("no newer bundle: {problem}");
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn plain_address(text: &str) -> Result<String, String> {
    let address = web_address(text)?;
    if address.starts_with("https:") {
        return Err("it must be http://; let a proxy such as nginx speak TLS to it".into());
    }
    Ok(address)
}
