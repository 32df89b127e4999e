//! Profiles and scores: the fold of the log, however it came about.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::{House, Tenant, additive, copy, eventually, page};
use rapport_backend::identity::SubjectId;
use rapport_backend::profiles::profile_bytes;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Everything that is kept of a tenant's profiles, apart from how it is sealed.
fn kept(house: &House, tenant: &Tenant) -> Vec<Value> {
    let mut visitors = house.visitors(tenant);
    visitors.sort_by_key(|visitor| visitor["id"].to_string());
    for visitor in &mut visitors {
        // Scores are read as of now; now moves on.
        visitor["asOf"] = Value::Null;
    }
    visitors
}

fn at(seconds_ago: i64, mut event: Value) -> Value {
    event["timestamp"] = json!(rapport_backend::clock::now() - seconds_ago * 1000);
    event
}

#[test]
fn looking_at_pricing_raises_the_score_and_the_reasons_add_up_to_it() {
    let house = House::open();
    let acme = house.tenant("Acme");
    house.send(&acme, json!([page("ann", "m1", "/")]));
    let before = house.settle(&acme, 1)[0]["score"].as_i64().unwrap();
    house.send(
        &acme,
        json!([page("ann", "m2", "/pricing"), page("ann", "m3", "/pricing?plan=team")]),
    );
    let visitor = &house.settle(&acme, 3)[0];
    let score = visitor["score"].as_i64().unwrap();
    assert!(score > before, "{before} → {score}");
    let reasons = visitor["reasons"].as_array().unwrap();
    let points: i64 = reasons.iter().map(|reason| reason["points"].as_i64().unwrap()).sum();
    assert_eq!(
        visitor["base"].as_i64().unwrap() + points + visitor["rest"].as_i64().unwrap(),
        score
    );
    assert!(reasons[0]["text"].as_str().unwrap().contains("pricing"), "{reasons:?}");
    assert_eq!(visitor["trail"].as_array().unwrap().len(), 3);
}

#[test]
fn a_rebuilt_state_is_the_live_state() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let mut sent = 0;
    for round in 0..6 {
        let batch: Vec<_> = (0..40)
            .map(|index| {
                let visitor = format!("visitor {}", (index * 7 + round) % 11);
                let path = ["/", "/pricing", "/docs/start", "/blog/a"][(index + round) % 4];
                // Some arrive late: the fold has to put them where they happened.
                let late = if index % 9 == 0 {
                    86_400 * (round as i64 + 1)
                } else {
                    600 - round as i64 * 60
                };
                at(late, page(&visitor, &format!("m{round}-{index}"), path))
            })
            .collect();
        sent += batch.len() as u64;
        house.send(&acme, json!(batch));
        if round % 2 == 0 {
            house.settle(&acme, sent);
        }
    }
    house.settle(&acme, sent);
    let live = kept(&house, &acme);
    let rebuilt = house.post("/v1/profiles/rebuild").key(&acme.admin_key).send().json();
    assert_eq!(rebuilt["profiles"], 11);
    assert_eq!(kept(&house, &acme), live);
}

#[test]
fn rebuilt_profiles_are_the_live_ones_to_the_byte() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let mut sent = 0;
    for round in 0..4 {
        // More visitors than one thread folds alone, some of their events late or twice.
        let batch: Vec<_> = (0..120)
            .map(|index| {
                let visitor = format!("visitor {}", (index * 7 + round) % 60);
                let late = if index % 11 == 0 { 90_000 } else { 900 - round as i64 * 60 };
                let number = if index % 13 == 0 { index } else { index + 1000 * (round + 1) };
                at(late, page(&visitor, &format!("m{number}"), "/pricing"))
            })
            .collect();
        let reply = house.send(&acme, json!(batch));
        sent += reply["accepted"].as_u64().unwrap();
        house.settle(&acme, sent);
    }
    let bytes = || -> Vec<_> {
        let scope = acme.scope;
        let ids = house.visitors(&acme).into_iter().map(|visitor| visitor["id"].to_string());
        let mut ids: Vec<SubjectId> = ids.map(|id| id.trim_matches('"').parse().unwrap()).collect();
        ids.sort_unstable();
        let profiles = ids.into_iter().map(|id| profile_bytes(house.app(), scope, id).unwrap());
        profiles
            .map(|found| found.unwrap())
            .map(|(stored, bytes)| (stored.subject, stored.trail, stored.events, bytes))
            .collect()
    };
    let live = bytes();
    assert_eq!(live.len(), 60);
    house.post("/v1/profiles/rebuild").key(&acme.admin_key).send();
    assert_eq!(bytes(), live);
    let status = house.get("/v1/profiles/status").key(&acme.admin_key).send().json();
    let counts = ["logged", "folded", "lag", "lagSeconds"].map(|name| status[name].as_f64());
    assert_eq!(counts, [sent as f64, sent as f64, 0.0, 0.0].map(Some));
}

#[test]
fn what_is_not_folded_yet_is_counted_and_how_long_it_has_waited() {
    let house = House::open();
    let acme = house.bare_tenant("Acme");
    house.send(&acme, json!([page("ann", "m1", "/"), page("ann", "m2", "/")]));
    let status = || house.get("/v1/profiles/status").key(&acme.admin_key).send().json();
    let waited =
        house::eventually(|| status()["lagSeconds"].as_f64().filter(|waited| *waited > 0.0));
    let said = status();
    assert_eq!([&said["logged"], &said["folded"], &said["lag"], &said["due"]], [2, 0, 2, 0]);
    assert!(said["lagSeconds"].as_f64() >= Some(waited), "{said}");
    assert_eq!(
        (&said["waiting"]["requests"], &said["waiting"]["kilobytes"]),
        (&json!(0), &json!(0))
    );
    house.publish(&acme, 0.5);
    house.settle(&acme, 2);
    assert_eq!((&status()["lag"], &status()["lagSeconds"]), (&json!(0), &json!(0.0)));
}

#[test]
fn an_event_that_comes_late_is_folded_where_it_happened() {
    let house = House::open();
    let (early, late) = (house.tenant("In order"), house.tenant("Out of order"));
    let (first, second) = (at(3600, page("ann", "m1", "/pricing")), at(60, page("ann", "m2", "/")));
    house.send(&early, json!([first.clone(), second.clone()]));
    house.send(&late, json!([second]));
    house.settle(&late, 1);
    house.send(&late, json!([first]));
    let [in_order, out_of_order] = [&early, &late].map(|tenant| house.settle(tenant, 2)[0].clone());
    for what in ["score", "firstSeen", "lastEvent", "reasons", "trail"] {
        let near = |value: &Value| value.as_i64().map(|time| time / 10_000);
        if what == "firstSeen" {
            assert!(
                (near(&in_order[what]).unwrap() - near(&out_of_order[what]).unwrap()).abs() <= 1
            );
        } else if what == "trail" || what == "lastEvent" {
            assert_eq!(
                in_order[what].as_array().map(Vec::len),
                out_of_order[what].as_array().map(Vec::len)
            );
        } else {
            assert_eq!(in_order[what], out_of_order[what], "{what}");
        }
    }
    assert_eq!(out_of_order["lastEvent"]["path"], "/");
}

#[test]
fn events_from_before_the_first_bundle_count_once_it_is_published() {
    let house = House::open();
    let acme = house.bare_tenant("Acme");
    house.send(&acme, json!([page("ann", "m1", "/pricing")]));
    assert!(house.visitors(&acme).is_empty());
    house.publish(&acme, 0.5);
    assert_eq!(house.settle(&acme, 1).len(), 1);
}

#[test]
fn a_new_model_scores_the_visitors_who_are_already_there() {
    let house = House::open();
    let acme = house.tenant("Acme");
    house.send(&acme, json!([page("ann", "m1", "/pricing")]));
    let before = house.settle(&acme, 1)[0]["score"].as_i64().unwrap();
    house.publish(&acme, 3.0);
    let after = house.settle(&acme, 1)[0]["score"].as_i64().unwrap();
    assert!(after > before, "{before} → {after}");
}

#[test]
fn a_score_that_ages_is_brought_up_to_date_though_nothing_happens() {
    let house = House::open();
    let acme = house.bare_tenant("Acme");
    house.publish_model(&acme, additive(&[("visit_pages", 1.0)]));
    // The visit ended half an hour after its last page: half an hour ago.
    house.send(
        &acme,
        json!([at(3600, page("ann", "m1", "/")), at(3600, page("ann", "m2", "/pricing"))]),
    );
    let during = house.settle(&acme, 2)[0]["trail"][1][1].as_u64().unwrap();
    let database = rusqlite::Connection::open(house.directory.join("profiles.db")).unwrap();
    let now = rapport_backend::clock::now();
    let after = eventually(|| {
        let row = database.query_row("SELECT score, as_of FROM profiles", [], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?))
        });
        let (score, as_of): (u32, i64) = row.unwrap();
        (as_of >= now - 5_000).then_some(u64::from(score))
    });
    assert!(after < during, "{during} → {after}");
}

#[test]
fn a_log_from_a_backup_takes_its_profiles_back_with_it() {
    let mut house = House::open();
    let acme = house.tenant("Acme");
    house.send(&acme, json!([page("ann", "m1", "/pricing")]));
    house.settle(&acme, 1);
    house.stop();
    let (log, backup) = (house.directory.join("log"), house.directory.join("backup"));
    copy(&log, &backup);
    house.start();
    house.send(
        &acme,
        json!([page("ann", "m2", "/"), page("bob", "m3", "/"), page("eve", "m4", "/")]),
    );
    house.settle(&acme, 4);
    house.stop();
    copy(&backup, &log);
    house.start();
    assert_eq!(house.settle(&acme, 1).len(), 1);
    house.send(&acme, json!([page("bob", "m5", "/")]));
    assert_eq!(house.settle(&acme, 2).len(), 2);
}

#[test]
fn a_damaged_profile_hides_nobody_else_and_heals_at_the_next_event() {
    let house = House::open();
    let acme = house.tenant("Acme");
    house.send(&acme, json!([page("ann", "m1", "/pricing"), page("bob", "m2", "/")]));
    let ann = house
        .settle(&acme, 2)
        .into_iter()
        .find(|visitor| visitor["lastEvent"]["path"] == "/pricing")
        .unwrap();
    let database = rusqlite::Connection::open(house.directory.join("profiles.db")).unwrap();
    let damaged =
        database.execute("UPDATE profiles SET sealed = x'00' WHERE path = '/pricing'", []).unwrap();
    assert_eq!((damaged, house.visitors(&acme).len()), (1, 1));
    house.send(&acme, json!([page("ann", "m3", "/pricing")]));
    let healed =
        house.settle(&acme, 3).into_iter().find(|visitor| visitor["id"] == ann["id"]).unwrap();
    assert_eq!((&healed["events"], &healed["firstSeen"]), (&json!(2), &ann["firstSeen"]));
}

#[test]
fn who_says_no_to_profiling_has_no_score_until_they_say_yes() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let with = |granted: bool, mut event: Value| {
        event["context"]["consent"] = json!({ "categoryPreferences": { "profiling": granted } });
        event
    };
    house.send(&acme, json!([with(true, page("ann", "m1", "/pricing"))]));
    house.settle(&acme, 1);
    house.send(&acme, json!([with(false, page("ann", "m2", "/pricing"))]));
    house.settle(&acme, 0);
    house.send(&acme, json!([with(true, page("ann", "m3", "/"))]));
    let visitor = house.settle(&acme, 2);
    assert_eq!(visitor[0]["lastEvent"]["path"], "/", "what happened in between is not folded");
}

#[test]
fn the_server_decides_for_pages_that_cannot() {
    let house = House::open();
    let acme = house.tenant("Acme");
    house.send(&acme, json!([page("ann", "m1", "/pricing")]));
    let stored = house.settle(&acme, 1)[0].clone();
    let decide = |body: Value| {
        house.post("/v1/decide").header("content-type", "text/plain").body(body.to_string()).send()
    };
    let known = decide(json!({ "key": acme.write_key, "anonymousId": "ann" })).json();
    assert_eq!(
        (&known["score"], &known["band"], &known["reasons"]),
        (&stored["score"], &stored["band"], &stored["reasons"])
    );
    let more = decide(json!({ "key": acme.write_key, "anonymousId": "ann", "events": [page("ann", "m2", "/pricing")] })).json();
    assert!(more["score"].as_i64() > known["score"].as_i64());
    assert_eq!(house.settle(&acme, 1)[0]["score"], stored["score"], "asking keeps nothing");
    let again = decide(json!({ "key": acme.write_key, "anonymousId": "ann", "events": [page("ann", "m1", "/pricing")] })).json();
    assert_eq!(again["score"], known["score"], "what the server has is not counted again");
    house.send(&acme, json!([page("ann", "m3", "/pricing")]));
    // At once, unless this machine is too busy to fold within the patience of a page.
    eventually(|| {
        let acknowledged = decide(json!({ "key": acme.write_key, "anonymousId": "ann" })).json();
        (acknowledged["score"] == more["score"]).then_some(())
    });
    house.settle(&acme, 2);
    let stranger = decide(json!({ "key": acme.write_key, "anonymousId": "nobody" }));
    assert_eq!((stranger.status, stranger.json()["score"].is_u64()), (200, true));
    assert_eq!(decide(json!({ "key": acme.write_key, "anonymousId": "" })).status, 400);
    assert_eq!(decide(json!({ "key": acme.write_key })).status, 400);
    assert_eq!(decide(json!({ "anonymousId": "ann" })).status, 401);
    let bare = house.bare_tenant("Bare");
    assert_eq!(decide(json!({ "key": bare.write_key, "anonymousId": "ann" })).status, 404);
}

/// Reads a stream of server-sent events.
struct Listener(BufReader<TcpStream>);

impl Listener {
    fn open(house: &House, credential: &str) -> Self {
        let address = house.url().replace("http://", "");
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET /v1/live HTTP/1.1\r\nHost: {address}\r\n{credential}\r\n\r\n").unwrap();
        Self(BufReader::new(stream))
    }

    fn next(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(event) = line.strip_prefix("event: ") {
                name = event.trim().to_owned();
            } else if let Some(data) = line.strip_prefix("data: ") {
                let data = data.trim();
                return Some((name, serde_json::from_str(data).unwrap_or_else(|_| json!(data))));
            }
        }
    }
}

#[test]
fn a_revoked_key_hears_no_more_of_the_live_feed() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let made = house
        .post("/v1/keys")
        .key(&acme.admin_key)
        .json(&json!({ "name": "wall", "role": "sales" }))
        .send()
        .json();
    let (key, id) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
    let mut revoked =
        Listener::open(&house, &format!("Authorization: Bearer {key}\r\nConnection: close"));
    let mut other = Listener::open(&house, &format!("Authorization: Bearer {}", acme.admin_key));
    for listener in [&mut revoked, &mut other] {
        assert_eq!(listener.next().unwrap().0, "snapshot");
    }
    let gone = house.call("DELETE", &format!("/v1/keys/{id}")).key(&acme.admin_key).send();
    assert_eq!(gone.status, 204);
    let start = Instant::now();
    assert_eq!(revoked.next(), None, "its stream ends");
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    house.send(&acme, json!([page("ann", "m1", "/")]));
    assert_eq!(other.next().unwrap().0, "visitor");
}

#[test]
fn the_live_feed_tells_of_a_new_score_within_a_second_and_of_no_other_workspace() {
    let mut house = House::open();
    let (acme, bolt) = (house.tenant("Acme"), house.tenant("Bolt"));
    house.send(&acme, json!([page("ann", "m1", "/")]));
    house.settle(&acme, 1);
    let mut listener = Listener::open(&house, &format!("Authorization: Bearer {}", acme.admin_key));
    let (name, snapshot) = listener.next().unwrap();
    assert_eq!((name.as_str(), snapshot.as_array().unwrap().len()), ("snapshot", 1));

    house.send(&bolt, json!([page("bob", "m1", "/pricing")]));
    house.settle(&bolt, 1);
    let start = Instant::now();
    house.send(&acme, json!([page("ann", "m2", "/pricing")]));
    let (name, visitor) = listener.next().unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(
        (name.as_str(), &visitor["id"], &visitor["events"]),
        ("visitor", &snapshot[0]["id"], &json!(2))
    );

    let id: SubjectId = visitor["id"].as_str().unwrap().parse().unwrap();
    house.call("DELETE", &format!("/v1/visitors/{id}")).key(&acme.admin_key).send();
    assert_eq!(listener.next().unwrap(), ("gone".to_owned(), json!(id.to_string())));

    let start = Instant::now();
    house.stop();
    assert_eq!(listener.next(), None, "a server that stops ends its streams");
    assert!(start.elapsed() < Duration::from_secs(5));
    house.start();
    eventually(|| house.visitors(&acme).is_empty().then_some(()));
}
