//! The site behind the edge: one page for every address, from a thread of this process.

use anyhow::Result;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// So much of a page is written at once, as servers do that make it while they send.
const CHUNK: usize = 16 * 1024;

/// Serves `page` as long as this process lives; the edge's questions for a backend it refuses.
pub fn serve(page: String) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let page = Arc::new(page);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let page = page.clone();
            // Who hangs up needs no more answers.
            thread::spawn(move || answer(stream, &page));
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream, page: &str) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while let Some(asked) = lines.next().transpose()? {
        for line in lines.by_ref() {
            if line?.is_empty() {
                break;
            }
        }
        if asked.contains(" /v1/") {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")?;
            continue;
        }
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";
        let mut answer = head.to_vec();
        for chunk in page.as_bytes().chunks(CHUNK) {
            write!(answer, "{:x}\r\n", chunk.len())?;
            answer.extend_from_slice(chunk);
            answer.extend_from_slice(b"\r\n");
            stream.write_all(&answer)?;
            answer.clear();
        }
        stream.write_all(b"0\r\n\r\n")?;
    }
    Ok(())
}
