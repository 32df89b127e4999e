//! `rapport serve`: collects events, keeps profiles and scores, publishes bundles.

use super::{Outcome, sdk_is_built};
use rapport_backend::identity::{Permit, Role, Scope, service};
use rapport_backend::{App, Config, start};
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Serve the API, the SDK and the live page from one data directory
///
/// The first start makes a workspace and prints its script tag, its secret key and a one-time owner
/// link. What was acknowledged is on disk; end it with Ctrl-C or SIGTERM.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  rapport serve --dir /var/lib/rapport --keys /etc/rapport/keys --sdk-dir sdk-js/dist \\
      --listen 127.0.0.1:4400 --public-url https://rapport.example.com
      (behind a proxy that speaks TLS)
  rapport serve --dir data --owner-link
      (prints another link where the first is lost)")]
pub struct Args {
    /// Where everything is kept but keys; made where missing
    #[arg(long, default_value = "data")]
    dir: PathBuf,
    /// Where keys are kept; DIR/keys where left out. Never back it up together with DIR
    #[arg(long)]
    keys: Option<PathBuf>,
    /// Address and port to listen on
    #[arg(long, default_value = "127.0.0.1:4400")]
    listen: SocketAddr,
    /// How browsers reach the server; http://LISTEN where left out
    #[arg(long, value_parser = web_address)]
    public_url: Option<String>,
    /// So many proxies of your own stand before the server and add to X-Forwarded-For
    #[arg(long, default_value_t = 0)]
    proxies: usize,
    /// Events a second that one address may send with a public key; 0 for any number
    #[arg(long, default_value_t = 500)]
    events_per_second: u32,
    /// Connections that are open at once
    #[arg(long, default_value_t = 800)]
    connections: usize,
    /// What the SDK's build wrote; without it pages get no SDK from here
    #[arg(long)]
    sdk_dir: Option<PathBuf>,
    /// Print a new one-time owner link; the first start prints one anyway
    #[arg(long)]
    owner_link: bool,
}

/// Serves until it is told to stop.
pub fn run(args: Args) -> Outcome {
    log_to_stderr();
    runtime()?.block_on(serve(args))
}

/// Sends the log to standard error.
pub fn log_to_stderr() {
    let colours = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(colours);
    log.with_target(false).init();
}

/// What servers run on.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

async fn serve(args: Args) -> Outcome {
    let mut config = Config::new(args.dir);
    if let Some(keys) = args.keys {
        config.keys = keys;
    }
    config.listen = args.listen;
    config.public_url = args.public_url;
    config.proxies = args.proxies;
    config.events_per_second = Some(args.events_per_second).filter(|rate| *rate > 0);
    config.connections.most = args.connections;
    config.connections.most_of_one = one_address(args.connections, args.proxies);
    if let Some(sdk) = &args.sdk_dir {
        sdk_is_built(sdk)?;
    }
    config.sdk = args.sdk_dir;
    let running = start(config).await?;
    say(format_args!("Rapport serves at {}", running.app().public_url()));
    welcome(running.app(), args.owner_link)?;
    stopped().await?;
    say(format_args!("stopping: what was acknowledged is on disk"));
    running.stop().await;
    Ok(())
}

/// A proxy holds everybody's connections; any other address half of them at most.
const fn one_address(connections: usize, proxies: usize) -> usize {
    if proxies > 0 { connections } else { connections.div_ceil(2) }
}

pub fn web_address(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match host.map(|host| host.trim_end_matches('/')) {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => {
            Err("it must be http:// or https:// and a host, such as https://rapport.example".into())
        }
    }
}

/// Makes the first workspace, and says how to get in.
fn welcome(app: &App, owner_link: bool) -> Outcome {
    let mut workspaces = service::workspaces(app)?;
    let first_start = workspaces.is_empty();
    if first_start {
        let workspace = service::create_workspace(app, "My workspace")?;
        let permit = Permit::operator(Scope::live(workspace));
        let page = service::create_key(app, &permit, Role::Page, "website")?;
        let developer = service::create_key(app, &permit, Role::Developer, "first key")?;
        say(format_args!(
            "Script tag: <script async src=\"{}/v1/sdk/{}.js\"></script>",
            app.public_url(),
            page.key
        ));
        say(format_args!("Secret key to publish with, shown only now: {}", developer.key));
        workspaces = vec![workspace];
    }
    if first_start || owner_link {
        say(format_args!(
            "Owner link, works once and for a day: {}",
            service::create_owner_link(app, &workspaces)?
        ));
    }
    Ok(())
}

/// Prints a line. Whoever started the server may long have stopped reading.
pub fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Returns when the process is asked to stop.
pub async fn stopped() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_address_is_a_scheme_and_a_host() {
        assert_eq!(web_address("https://a.example/"), Ok("https://a.example".to_owned()));
        assert_eq!(web_address("http://127.0.0.1:4400"), Ok("http://127.0.0.1:4400".to_owned()));
        for wrong in ["a.example", "ftp://a.example", "https://", "https://a.example/path", ""] {
            assert!(web_address(wrong).is_err(), "{wrong}");
        }
    }
}
