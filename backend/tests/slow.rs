//! Clients that stall: their connections end, and nobody else waits for them long.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::{House, page};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const SOON: Duration = Duration::from_millis(300);

fn connect(house: &House) -> TcpStream {
    let stream = TcpStream::connect(house.url().strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// All that the server still says; it has to end the connection.
fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    match stream.read_to_end(&mut text) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            panic!("the connection is still open")
        }
        _ => String::from_utf8_lossy(&text).into_owned(),
    }
}

#[test]
fn a_head_that_comes_letter_by_letter_is_cut_off() {
    let house = House::open_with(|config| config.connections.head = SOON);
    let mut stream = connect(&house);
    stream.write_all(b"GET /health HTTP/1.1\r\n").unwrap();
    house::eventually(|| stream.write_all(b"X: y\r\n").is_err().then_some(()));
    let idle = connect(&house);
    assert_eq!(rest(idle), "", "who says nothing gets nothing");
}

#[test]
fn a_body_that_does_not_come_is_answered_and_cut_off() {
    let house = House::open_with(|config| {
        (config.connections.answer, config.connections.linger) = (SOON, SOON);
    });
    let key = house.tenant("Acme").write_key;
    let mut stream = connect(&house);
    write!(
        stream,
        "POST /v1/events?key={key} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{"
    )
    .unwrap();
    let answer = rest(stream);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[test]
fn whoever_is_refused_while_sending_still_hears_why() {
    let house = House::open();
    for (key, status) in [("wrong".to_owned(), "401"), (house.tenant("Acme").write_key, "413")] {
        let mut stream = connect(&house);
        write!(
            stream,
            "POST /v1/events?key={key} HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n"
        )
        .unwrap();
        (0..20).for_each(|_| stream.write_all(&[b' '; 1_000_000]).unwrap());
        // The connection is as good as before.
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let answers = rest(stream);
        assert!(answers.starts_with(&format!("HTTP/1.1 {status}")), "{answers}");
        assert!(answers.contains("HTTP/1.1 200"), "{answers}");
    }
}

#[test]
fn a_client_that_asks_before_it_sends_is_not_asked_to_send_in_vain() {
    let house = House::open();
    let mut stream = connect(&house);
    stream
        .write_all(
            b"POST /v1/events?key=wrong HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 20000000\r\n\r\n",
        )
        .unwrap();
    let answer = rest(stream);
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[test]
fn an_answer_that_nobody_takes_is_cut_off() {
    let house = House::open_with(|config| config.connections.take = SOON);
    let mut stream = connect(&house);
    let many = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000);
    stream.write_all(many.as_bytes()).unwrap();
    // It takes nothing, and asks until the server no longer listens.
    house::eventually(|| stream.write_all(b"\r\n").is_err().then_some(()));
}

#[test]
fn those_who_stall_hold_others_up_no_longer_than_their_time() {
    let house = House::open_with(|config| {
        config.connections.most = 3;
        config.connections.head = Duration::from_secs(2);
    });
    let acme = house.tenant("Acme");
    let stalled: Vec<_> = (0..6)
        .map(|_| {
            let mut stream = connect(&house);
            stream.write_all(b"GET /").unwrap();
            stream
        })
        .collect();
    house.send(&acme, json!([page("ann", "m1", "/")]));
    house.settle(&acme, 1);
    stalled.into_iter().for_each(|stream| assert_eq!(rest(stream), ""));
}

#[test]
fn one_address_cannot_hold_every_connection() {
    let house = House::open_with(|config| config.connections.most_of_one = 2);
    let held = [connect(&house), connect(&house)];
    let refused = connect(&house);
    assert_eq!(rest(refused), "");
    drop(held);
    house::eventually(|| house.get("/health").try_send().ok());
}

#[test]
fn a_live_page_that_does_not_read_holds_nobody_up() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let mut deaf = connect(&house);
    let key = &acme.admin_key;
    write!(deaf, "GET /v1/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n")
        .unwrap();
    for batch in 0..20 {
        let events: Vec<_> =
            (0..20).map(|event| page("ann", &format!("m{batch}-{event}"), "/pricing")).collect();
        house.send(&acme, json!(events));
    }
    house.settle(&acme, 400);
}

#[test]
fn bodies_that_are_still_arriving_count_and_who_comes_then_is_told_to_come_back() {
    let house = House::open_with(|config| config.backlog = 100 * 1024);
    let acme = house.tenant("Acme");
    let key = &acme.write_key;
    let send = |id: &str, filler: usize| {
        let mut event = page("ann", id, "/");
        event["properties"] = json!({ "filler": "x".repeat(filler) });
        house.post("/v1/events").key(key).json(&json!({ "batch": [event] })).send()
    };
    let mut arriving = Vec::new();
    let told = house::eventually(|| {
        // One that finds no room, because the event below was there before it, is made good by the next.
        let mut stream = connect(&house);
        write!(
            stream,
            "POST /v1/events?key={key} HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n"
        )
        .unwrap();
        stream.write_all(&[b' '; 45_000]).unwrap();
        arriving.push(stream);
        let reply = send("m1", 20_000);
        (reply.status == 429).then_some(reply)
    });
    assert_eq!(
        (told.header("retry-after").as_str(), &told.json()["type"]),
        ("1", &json!("urn:rapport:problem:overloaded"))
    );
    drop(arriving);
    house::eventually(|| (send("m2", 0).status == 200).then_some(()));
}
