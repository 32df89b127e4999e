//! Taking connections: so many at once, and none that stalls holds a place for long.

mod remainder;

use crate::config::Connections;
use crate::sqlite::lock;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::EXPECT;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use remainder::Remainder;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tower_service::Service;

/// A head has room in this, and nothing more is kept of a body that nobody reads.
const BUFFER: usize = 64 * 1024;
/// When the system has no more files or memory for connections, some may have ended after this long.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stopping` says so, then ends what is under way.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    limits: Connections,
    mut stopping: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(limits.most));
    let callers = Callers::default();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(BUFFER);
    let graceful = GracefulShutdown::new();
    loop {
        let next = async {
            let place = room.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            // An error says that the app is gone, which also ends serving.
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not taken");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(caller) = callers.enter(peer.ip(), limits.most_of_one) else { continue };
        let routes = routes.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            let waits = request.headers().contains_key(EXPECT);
            let request = request
                .map(|body| Body::new(Remainder::new(body, (!waits).then_some(limits.linger))));
            routes.clone().call(request)
        });
        let connection = http.serve_connection(TokioIo::new(timed(stream, limits.take)), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // Clients that leave or stall are no news.
            let _ = connection.await;
            drop((place, caller));
        });
    }
    graceful.shutdown().await;
}

fn timed(stream: TcpStream, take: Duration) -> std::pin::Pin<Box<TimeoutStream<TcpStream>>> {
    // Without it the end of an answer may wait for the client's word that the beginning arrived.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(take));
    Box::pin(stream)
}

/// How many connections each address has.
#[derive(Clone, Default)]
struct Callers(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection of an address, until it is dropped.
struct Caller {
    callers: Callers,
    address: IpAddr,
}

impl Callers {
    fn enter(&self, address: IpAddr, most: usize) -> Option<Caller> {
        let mut open = lock(&self.0);
        let count = open.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Caller { callers: self.clone(), address })
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let mut open = lock(&self.callers.0);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}
