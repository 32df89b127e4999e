//! `POST /v1/events`: what is taken, what is refused, and that the rest of the batch survives.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::{House, page};
use serde_json::{Value, json};

fn statuses(reply: &Value) -> Vec<&str> {
    reply["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["status"].as_str().unwrap())
        .collect()
}

#[test]
fn a_batch_is_acknowledged_event_by_event() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let batch = json!([
        page("ann", "m1", "/pricing"),
        { "type": "page", "messageId": "m2" },
        { "type": "dance", "anonymousId": "ann", "messageId": "m3" },
        7,
        { "type": "track", "event": "Clicked", "anonymousId": "ann", "messageId": "m4" },
        page("ann", "m1", "/pricing"),
    ]);
    let reply = house.send(&acme, batch);
    assert_eq!(
        statuses(&reply),
        ["accepted", "rejected", "rejected", "rejected", "accepted", "duplicate"]
    );
    assert_eq!((&reply["accepted"], &reply["duplicates"]), (&json!(2), &json!(1)));
    assert!(reply["results"][1]["error"].as_str().unwrap().contains("anonymousId"));
    let rejected: Vec<_> = reply["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| json!([note["index"], note["messageId"], note["code"]]))
        .collect();
    assert_eq!(
        rejected,
        [
            json!([1, "m2", "no-visitor"]),
            json!([2, "m3", "unknown-type"]),
            json!([3, null, "malformed"])
        ]
    );
    assert_eq!(house.settle(&acme, 2)[0]["lastEvent"]["name"], "Clicked");
}

#[test]
fn sending_a_batch_again_changes_nothing_even_after_a_restart() {
    let mut house = House::open();
    let acme = house.tenant("Acme");
    let batch = json!([page("ann", "m1", "/"), page("ann", "m2", "/pricing")]);
    house.send(&acme, batch.clone());
    let once = house.settle(&acme, 2);
    house.stop();
    house.start();
    assert_eq!(statuses(&house.send(&acme, batch)), ["duplicate", "duplicate"]);
    assert_eq!(house.settle(&acme, 2)[0]["trail"], once[0]["trail"]);
}

#[test]
fn the_same_message_id_in_two_workspaces_is_two_messages() {
    let house = House::open();
    let (acme, bolt) = (house.tenant("Acme"), house.tenant("Bolt"));
    assert_eq!(statuses(&house.send(&acme, json!([page("ann", "m1", "/")]))), ["accepted"]);
    assert_eq!(statuses(&house.send(&bolt, json!([page("ann", "m1", "/")]))), ["accepted"]);
    let (ours, theirs) = (house.settle(&acme, 1), house.settle(&bolt, 1));
    assert_ne!(ours[0]["id"], theirs[0]["id"], "the same visitor has another pseudonym elsewhere");
}

#[test]
fn a_page_sends_plain_text_with_its_key_in_the_body() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let send = |body: Value| {
        house.post("/v1/events").header("content-type", "text/plain").body(body.to_string()).send()
    };
    let reply = send(
        json!({ "key": acme.write_key, "sentAt": "2026-01-01T00:00:00Z", "batch": [page("ann", "m1", "/")] }),
    );
    assert_eq!((reply.status, reply.header("access-control-allow-origin").as_str()), (200, "*"));
    assert_eq!(
        send(json!({ "key": acme.admin_key, "batch": [] })).status,
        401,
        "a secret key has no place in a body"
    );
    assert_eq!(send(json!({ "batch": [] })).status, 401);
}

#[test]
fn the_cookie_of_somebody_signed_in_says_nothing_about_a_website() {
    let house = House::open();
    let (acme, bolt) = (house.tenant("Acme"), house.tenant("Bolt"));
    let session = house.session(&[bolt.scope.workspace]);
    let send = |body: Value| {
        let call =
            house.post("/v1/events").cookie(&session).header("origin", "https://acme.example");
        call.body(body.to_string()).send().status
    };
    assert_eq!(send(json!({ "key": acme.write_key, "batch": [page("ann", "m1", "/")] })), 200);
    assert_eq!(send(json!({ "batch": [page("ann", "m2", "/")] })), 401);
    house.settle(&acme, 1);
    assert!(house.visitors(&bolt).is_empty());
}

#[test]
fn segments_libraries_send_the_key_as_the_users_name() {
    let house = House::open();
    let acme = house.tenant("Acme");
    use base64::Engine;
    let basic = base64::prelude::BASE64_STANDARD.encode(format!("{}:", acme.write_key));
    let call = house.post("/v1/events").header("authorization", &format!("Basic {basic}"));
    assert_eq!(call.json(&json!({ "batch": [page("ann", "m1", "/")] })).send().status, 200);
}

#[test]
fn one_event_needs_no_batch() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let reply = house
        .post(&format!("/v1/events?key={}", acme.write_key))
        .json(&page("ann", "m1", "/"))
        .send();
    assert_eq!(statuses(&reply.json()), ["accepted"]);
}

#[test]
fn a_clock_that_is_wrong_by_years_cancels_out_and_no_time_lies_beyond_the_clamp() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let now = rapport_backend::clock::now();
    let cases = [
        (json!("1999-01-01T00:00:10Z"), json!("1999-01-01T00:00:00Z"), now - 10_000),
        (json!("9999-12-31T23:59:59Z"), json!("9999-12-31T23:59:49Z"), now - 10_000),
        (json!("2026-01-01T00:00:00Z"), json!("9999-12-31T23:59:59Z"), now + 60_000),
        (json!("9999-12-31T23:59:59Z"), json!(0), now - 30 * 86_400_000),
    ];
    for (index, (sent, stamp, expected)) in cases.into_iter().enumerate() {
        let mut event = page(&format!("visitor {index}"), &format!("m{index}"), "/");
        event["timestamp"] = stamp;
        let body = json!({ "sentAt": sent, "batch": [event] });
        let reply = house.post("/v1/events").key(&acme.write_key).json(&body).send();
        assert_eq!(statuses(&reply.json()), ["accepted"]);
        let visitors = house.settle(&acme, index as u64 + 1);
        let near =
            |visitor: &Value| (visitor["firstSeen"].as_i64().unwrap() - expected).abs() < 5_000;
        assert!(visitors.iter().any(near), "case {index}: {visitors:?}");
    }
}

#[test]
fn hostile_bodies_are_refused_with_a_problem_and_nothing_is_lost() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let deep = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let list = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let many = json!({ "batch": vec![json!({}); 501] }).to_string();
    let refused: [(&str, Vec<u8>, u16); 10] = [
        ("nothing", b"".to_vec(), 400),
        ("garbage", b"\x00\xff\x13garbage".to_vec(), 400),
        (
            "bad UTF-8",
            b"{\"batch\":[{\"type\":\"page\",\"anonymousId\":\"\xff\xfe\"}]}".to_vec(),
            400,
        ),
        ("a list", b"[]".to_vec(), 400),
        ("a list of what a batch has", b"[null,null,[],false]".to_vec(), 400),
        ("cut short", b"{\"batch\":[{\"type\":\"page\"".to_vec(), 400),
        ("too many", many.into_bytes(), 400),
        ("deep list", format!("{{\"batch\":{list}}}").into_bytes(), 200),
        ("deep stranger", format!("{{\"batch\":[],\"x\":{}}}", deep(10_000)).into_bytes(), 200),
        ("too large", vec![b' '; 600 * 1024], 413),
    ];
    for (what, body, status) in refused {
        let reply = house.post("/v1/events").key(&acme.write_key).body(body).send();
        assert_eq!(reply.status, status, "{what}: {}", reply.text);
        if status != 200 {
            assert_eq!(reply.header("content-type"), "application/problem+json", "{what}");
            assert_eq!(reply.json()["status"], status, "{what}");
        }
    }
    let event = |more: &str| {
        format!(
            "{{\"type\":\"track\",\"event\":\"x\",\"anonymousId\":\"ann\",\"properties\":{more}}}"
        )
    };
    let rejected = [
        event("{\"n\":NaN}"),
        event("{\"n\":1e999}"),
        event("{\"n\":1e300}"),
        event(&deep(1000)),
        event(&deep(20)),
        event(&format!("{{\"long\":\"{}\"}}", "x".repeat(5000))),
        event(&format!(
            "{{{}}}",
            (0..200).map(|n| format!("\"p{n}\":1")).collect::<Vec<_>>().join(",")
        )),
        event("{}").replace("\"event\":\"x\"", &format!("\"event\":\"{}\"", "x".repeat(300))),
        event("{}").replace("\"ann\"", &format!("\"{}\"", "x".repeat(300))),
        event("{}").replace("\"ann\"", "[1]"),
        "[\"track\"]".to_owned(),
        "null".to_owned(),
        event("{}").replace("\"ann\"", "\"ann\",\"timestamp\":\"soon\""),
        event("{}").replace("\"ann\"", "\"ann\",\"timestamp\":1e300"),
    ];
    for bad in rejected {
        let shown = &bad[..bad.len().min(120)];
        let good = page("ann", &format!("good {}", shown.len()), "/");
        let body = format!("{{\"batch\":[{bad},{good}]}}");
        let reply = house.post("/v1/events").key(&acme.write_key).body(body).send();
        // What is not even JSON spoils its batch; everything else only itself.
        if reply.status == 200 {
            assert_eq!(statuses(&reply.json())[0], "rejected", "{shown}");
        } else {
            assert_eq!(reply.status, 400, "{shown}");
        }
    }
    house.send(&acme, json!([page("ann", "still here", "/")]));
}

#[test]
fn a_body_of_a_hundred_megabytes_is_refused_before_it_is_read() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let huge = vec![b'x'; 100 << 20];
    // The server answers and closes while the client still writes: either end may notice first.
    if let Ok(reply) = house.post("/v1/events").key(&acme.write_key).body(huge).try_send() {
        assert_eq!(reply.status, 413);
    }
    house.send(&acme, json!([page("ann", "m1", "/")]));
}

#[test]
fn ids_that_look_like_code_are_only_ids() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let ids = [
        "'; DROP TABLE events; --",
        "../../etc/passwd",
        "%00",
        "\u{0}",
        "{{7*7}}",
        "<script>alert(1)</script>",
        "v_00000000000000000000000000000000",
        "🦀",
    ];
    for id in ids {
        house.send(&acme, json!([page(id, &format!("m{id}"), id)]));
    }
    assert_eq!(house.settle(&acme, ids.len() as u64).len(), ids.len());
    for id in ["'%20OR%201=1--", "..%2f..%2fetc", "v_zz", "%ff"] {
        let status = house.get(&format!("/v1/visitors/{id}")).key(&acme.admin_key).send().status;
        assert!(matches!(status, 400 | 404), "{id}: {status}");
    }
    for address in [
        "/v1/visitors/%ff",
        "/v1/audit?before=soon",
        "/v1/audit?before=99999999999999999999",
        "/nowhere",
    ] {
        let reply = house.get(address).key(&acme.admin_key).send();
        assert_eq!(
            reply.header("content-type"),
            "application/problem+json",
            "{address}: {}",
            reply.text
        );
    }
}

#[test]
fn what_headers_claim_is_not_believed() {
    let house = House::open();
    let acme = house.tenant("Acme");
    for (name, value) in [
        ("x-forwarded-for", "1.2.3.4, ' OR 1=1"),
        ("x-workspace", "ws_0000000000001"),
        ("x-http-method-override", "DELETE"),
        ("content-encoding", "gzip"),
        ("host", "evil.example"),
        ("authorization", "Bearer"),
        ("authorization", "Digest x"),
        ("authorization", "Basic !!!"),
    ] {
        let call = house.post(&format!("/v1/events?key={}", acme.write_key)).header(name, value);
        let reply = call
            .body(json!({ "batch": [page("ann", &format!("m {name} {value}"), "/")] }).to_string())
            .send();
        let expected = if name == "authorization" { 401 } else { 200 };
        assert_eq!(reply.status, expected, "{name}: {value}: {}", reply.text);
        assert!(!reply.text.contains("evil"), "{name}");
    }
}

#[test]
fn who_asks_gets_the_servers_profile_of_a_browser_but_never_of_a_claimed_person() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let ask = |event: Value| {
        let body = json!({ "hints": true, "batch": [event] });
        house.post("/v1/events").key(&acme.write_key).json(&body).send().json()
    };
    // Who asks again gets no more than an answer that has caught up.
    let caught_up = |event: Value| {
        house::eventually(|| {
            let hints = ask(event.clone())["hints"].clone();
            hints["profile"].is_string().then_some(hints)
        })
    };
    let hints = caught_up(page("ann", "m1", "/pricing"));
    assert_eq!((&hints["anonymousId"], &hints["events"]), (&json!("ann"), &json!(1)));
    assert!(hints["profile"].as_str().unwrap().len() > 50);
    assert_eq!(hints["upTo"], "m1");
    assert!(hints["expires"].as_i64().unwrap() > rapport_backend::clock::now());
    let later = caught_up(page("ann", "m2", "/"));
    assert_eq!((&later["events"], &later["upTo"]), (&json!(2), &json!("m2")));
    assert!(later["version"].as_i64() > hints["version"].as_i64());
    let claim = json!({ "type": "identify", "userId": "boss@example.com", "messageId": "m3" });
    assert_eq!(ask(claim).get("hints"), None);
    let quiet = house.send(&acme, json!([page("ann", "m4", "/")]));
    assert_eq!(quiet.get("hints"), None, "who does not ask is not told");
}

#[test]
fn a_full_queue_says_when_to_come_back_and_loses_nothing() {
    let house = House::open_with(|config| config.backlog = 100 * 1024);
    let acme = house.tenant("Acme");
    // Another connection holds the keys, so that everything has to wait.
    let mut blocker = rusqlite::Connection::open(house.directory.join("keys/keys.db")).unwrap();
    let hold = blocker.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    let filler = "x".repeat(4000);
    let body = |request: usize| {
        let events = (0..5).map(|event| {
            let mut event = page("ann", &format!("m{request}-{event}"), "/");
            event["properties"] = json!({ "filler": filler });
            event
        });
        json!({ "batch": events.collect::<Vec<_>>() }).to_string()
    };
    std::thread::scope(|scope| {
        let (replies, answered) = std::sync::mpsc::channel();
        for request in 0..12 {
            let call = house.post("/v1/events").key(&acme.write_key).body(body(request));
            let replies = replies.clone();
            scope.spawn(move || replies.send(call.send()).unwrap());
        }
        drop(replies);
        let first = answered.recv().unwrap();
        assert_eq!(
            (first.status, first.header("retry-after").as_str()),
            (429, "1"),
            "{}",
            first.text
        );
        drop(hold);
        let replies: Vec<_> = answered.iter().collect();
        assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 429)));
        let written = replies.iter().filter(|reply| reply.status == 200).count() as u64;
        assert!(written > 0);
        house.settle(&acme, written * 5);
    });
}
