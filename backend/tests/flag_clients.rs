//! GrowthBook's addresses and OpenFeature's protocol, as any client of them asks.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use house::{House, Reply, Tenant, bundle, eventually, model, page};
use rapport_backend::experiments::{Kind, ensure};
use rapport_backend::identity::{Permit, Role};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Flags of every sort.
fn author(house: &House, tenant: &Tenant) {
    let definitions = [
        (Kind::Audience, "germans", json!({ "condition": { "country": "DE" } })),
        (Kind::Feature, "plain", json!({ "defaultValue": true })),
        (
            Kind::Feature,
            "price",
            json!({ "defaultValue": 10, "rules": [{ "id": "eu", "force": 9, "condition": { "country": { "$in": ["DE", "FR"] } } }] }),
        ),
        (Kind::Feature, "hero", json!({ "defaultValue": "plain" })),
        (
            Kind::Experiment,
            "headline",
            json!({ "feature": "hero", "audience": "germans", "variations": ["cold", "warm"],
            "meta": [{ "key": "c" }, { "key": "w" }], "hashVersion": 2 }),
        ),
        (
            Kind::Experiment,
            "title",
            json!({ "urlPatterns": [{ "type": "simple", "pattern": "/pricing" }],
            "variations": [{}, { "css": "h1 { color: red }" }], "condition": { "secret": "plan" } }),
        ),
        (
            Kind::Feature,
            "knows",
            json!({ "defaultValue": false, "rules": [{ "force": true, "condition": { "$score": { "$gte": 1 } } }] }),
        ),
    ];
    ensure(house.app(), &Permit::operator(tenant.scope), &definitions).unwrap();
    eventually(|| features(house, tenant).text.contains("knows").then_some(()));
}

fn features(house: &House, tenant: &Tenant) -> Reply {
    house.get(&format!("/api/features/{}", tenant.write_key)).send()
}

fn flag(house: &House, tenant: &Tenant, key: &str, context: Value) -> Reply {
    let body = json!({ "context": context });
    house.post(&format!("/ofrep/v1/evaluate/flags/{key}")).key(&tenant.write_key).json(&body).send()
}

#[test]
fn the_payload_is_growthbooks_and_saved_by_its_tag() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let empty = features(&house, &acme);
    assert_eq!((empty.status, &empty.json()["features"]), (200, &json!({})));
    author(&house, &acme);
    let reply = features(&house, &acme);
    assert_eq!(reply.header("x-sse-support"), "enabled");
    assert_eq!(reply.header("access-control-allow-origin"), "*");
    assert!(reply.header("access-control-expose-headers").contains("x-sse-support"));
    let payload = reply.json();
    assert!(payload["dateUpdated"].is_string());
    let rule = &payload["features"]["hero"]["rules"][0];
    assert_eq!(rule["key"], "headline");
    assert_eq!(
        rule["condition"],
        json!({ "$or": [{ "country": "DE" }] }),
        "audiences are spelled out"
    );
    let again = house
        .get(&format!("/api/features/{}", acme.write_key))
        .header("if-none-match", &reply.header("etag"))
        .send();
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    assert_eq!(house.get("/api/features/wk_live_nobody").send().status, 401);
    assert_eq!(house.get(&format!("/api/features/{}", acme.admin_key)).send().status, 401);
}

#[test]
fn a_remote_evaluation_says_what_is_and_not_why() {
    let house = House::open();
    let acme = house.tenant("Acme");
    author(&house, &acme);
    let ask = |body: Value| house.post(&format!("/api/eval/{}", acme.write_key)).json(&body).send();
    let answer = ask(
        json!({ "attributes": { "id": "u1", "country": "DE", "$score": 99 }, "forcedFeatures": [["plain", "forced"]], "url": "https://acme.example/pricing" }),
    );
    assert_eq!(answer.status, 200, "{}", answer.text);
    let features = answer.json()["features"].clone();
    assert_eq!(features["plain"], json!({ "defaultValue": "forced" }));
    assert_eq!(features["price"], json!({ "defaultValue": 9 }));
    assert_eq!(features["knows"], json!({ "defaultValue": false }), "nobody says their own score");
    let hero = &features["hero"]["rules"][0];
    assert_eq!(hero["force"], features["hero"]["defaultValue"]);
    assert_eq!(hero["tracks"][0]["experiment"]["key"], "headline");
    assert_eq!(hero["tracks"][0]["result"]["inExperiment"], true);
    assert!(!answer.text.contains("germans") && !answer.text.contains("secret"), "{}", answer.text);

    let secret = ask(
        json!({ "attributes": { "id": "u1", "secret": "plan" }, "url": "https://acme.example/pricing", "forcedVariations": { "title": 1 } }),
    );
    let experiments = secret.json()["experiments"].clone();
    assert_eq!(experiments[0]["key"], "title", "{}", secret.text);
    assert_eq!(
        (&experiments[0]["weights"], &experiments[0]["condition"]),
        (&json!([0, 1]), &Value::Null)
    );
    assert_eq!(ask(json!("nobody")).status, 400);
    assert_eq!(ask(json!({ "attributes": 1 })).status, 400);
}

#[test]
fn flags_are_asked_one_by_one_as_openfeature_has_it() {
    let house = House::open();
    let acme = house.tenant("Acme");
    author(&house, &acme);
    let is = |key: &str, context: Value, expected: Value| {
        let reply = flag(&house, &acme, key, context);
        assert_eq!((reply.status, reply.json()), (200, expected));
    };
    is(
        "plain",
        json!({}),
        json!({ "key": "plain", "value": true, "reason": "STATIC", "variant": "default", "metadata": {} }),
    );
    is(
        "price",
        json!({ "country": "FR" }),
        json!({ "key": "price", "value": 9, "reason": "TARGETING_MATCH", "variant": "eu", "metadata": { "ruleId": "eu" } }),
    );
    is(
        "price",
        json!({ "country": "US" }),
        json!({ "key": "price", "value": 10, "reason": "DEFAULT", "variant": "default", "metadata": {} }),
    );
    is(
        "knows",
        json!({ "$score": 100 }),
        json!({ "key": "knows", "value": false, "reason": "DEFAULT", "variant": "default", "metadata": {} }),
    );
    let split =
        flag(&house, &acme, "hero", json!({ "targetingKey": "u1", "country": "DE" })).json();
    assert_eq!(
        (&split["reason"], &split["metadata"]["experimentId"]),
        (&json!("SPLIT"), &json!("headline"))
    );
    let pair = (split["value"].as_str().unwrap(), split["variant"].as_str().unwrap());
    assert!([("cold", "c"), ("warm", "w")].contains(&pair), "{split}");

    let missing = flag(&house, &acme, "nothing", json!({}));
    assert_eq!((missing.status, &missing.json()["errorCode"]), (404, &json!("FLAG_NOT_FOUND")));
    let post = |body: &str, credential: (&str, &str)| {
        house
            .post("/ofrep/v1/evaluate/flags/plain")
            .header(credential.0, credential.1)
            .body(body)
            .send()
    };
    let key = ("x-api-key", acme.write_key.as_str());
    assert_eq!(post("{}", key).status, 200);
    let broken = post("{", key);
    assert_eq!((broken.status, &broken.json()["errorCode"]), (400, &json!("PARSE_ERROR")));
    let strange = post(r#"{"context": 1}"#, key);
    assert_eq!((strange.status, &strange.json()["errorCode"]), (400, &json!("INVALID_CONTEXT")));
    assert_eq!(post("{}", ("x-api-key", "nonsense")).status, 401);
}

#[test]
fn all_flags_together_are_saved_by_their_tag() {
    let house = House::open();
    let acme = house.tenant("Acme");
    author(&house, &acme);
    let ask = |country: &str, known: &str| {
        let body = json!({ "context": { "targetingKey": "u1", "country": country } });
        let call = house.post("/ofrep/v1/evaluate/flags").key(&acme.write_key);
        call.header("if-none-match", known).json(&body).send()
    };
    let all = ask("DE", "");
    let flags = all.json()["flags"].as_array().unwrap().clone();
    let keys: Vec<_> = flags.iter().map(|flag| flag["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["hero", "knows", "plain", "price"]);
    let tag = all.header("etag");
    assert_eq!((ask("DE", &tag).status, ask("US", &tag).status), (304, 200));
}

/// Reads a stream of events line by line.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(house: &House, key: &str) -> Self {
        Self::at(house, &format!("/sub/{key}"))
    }

    fn at(house: &House, path: &str) -> Self {
        let mut stream = TcpStream::connect(house.url().trim_start_matches("http://")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        Self(BufReader::new(stream))
    }

    /// The next line that begins so; `None` at the end.
    fn next(&mut self, start: &str) -> Option<String> {
        let mut line = String::new();
        while self.0.read_line(&mut line).unwrap() > 0 {
            if line.starts_with(start) {
                return Some(line);
            }
            line.clear();
        }
        None
    }
}

#[test]
fn who_listens_has_a_change_within_five_seconds_and_nothing_after_the_key() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let bolt = house.tenant("Bolt");
    author(&house, &acme);
    let mut stream = Stream::open(&house, &acme.write_key);
    assert!(stream.next("HTTP/1.1").unwrap().contains("200"));
    assert_eq!(stream.next("event:").unwrap().trim(), "event: features");
    assert!(stream.next("data:").unwrap().contains("\"plain\""), "it begins with what there is");

    let permit = Permit::operator(bolt.scope);
    ensure(house.app(), &permit, &[(Kind::Feature, "bolts", json!({ "defaultValue": 1 }))])
        .unwrap();
    // On a busy machine one change or another may take longer.
    let quickest = (0..8).map(|round| {
        let start = Instant::now();
        let edited = house
            .call("PUT", "/v1/features/plain")
            .key(&acme.admin_key)
            .header("if-match", "*")
            .json(&json!({ "definition": { "defaultValue": format!("fresh {round}") } }))
            .send();
        assert_eq!(edited.status, 200, "{}", edited.text);
        let news = stream.next("data: {").unwrap();
        assert!(news.contains(&format!("fresh {round}")) && !news.contains("bolts"), "{news}");
        start.elapsed()
    });
    let quickest = quickest.min().unwrap();
    assert!(quickest < Duration::from_secs(5), "{quickest:?}");
    assert!(stream.next("event: bundle").is_some(), "servers hear what they can fetch");

    let keys = house.get("/v1/keys").key(&acme.admin_key).send().json();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["role"] == "page").unwrap();
    let path = format!("/v1/keys/{}", key["id"].as_str().unwrap());
    assert_eq!(house.call("DELETE", &path).key(&acme.admin_key).send().status, 204);
    assert_eq!(stream.next("event: features"), None, "the stream ends with its key");
}

#[test]
fn an_answer_of_openfeatures_says_where_changes_are_told_and_a_stream_tells_them() {
    let house = House::open();
    let acme = house.tenant("Acme");
    author(&house, &acme);
    let ask = |key: &str| {
        let call = house.post("/ofrep/v1/evaluate/flags?flagConfigEtag=x&flagConfigLastModified=1");
        call.key(key).json(&json!({ "context": { "targetingKey": "u1" } })).send().json()
    };
    let secret = house.key(acme.scope, Role::Developer);
    assert_eq!(ask(&secret)["eventStreams"], Value::Null, "no secret stands in an address");
    let told = ask(&acme.write_key)["eventStreams"][0].clone();
    assert_eq!((&told["type"], &told["inactivityDelaySec"]), (&json!("sse"), &json!(120)));
    let path = told["endpoint"]["requestUri"].as_str().unwrap();
    let mut stream = Stream::at(&house, path);
    assert!(stream.next("HTTP/1.1").unwrap().contains("200"));

    let permit = Permit::operator(acme.scope);
    ensure(house.app(), &permit, &[(Kind::Feature, "news", json!({ "defaultValue": 1 }))]).unwrap();
    let told = stream.next("data:").unwrap();
    let told: Value = serde_json::from_str(told.trim_start_matches("data:")).unwrap();
    assert_eq!(told["type"], "refetchEvaluation");
    assert_eq!(told["etag"], features(&house, &acme).header("etag"));
    assert!(told["lastModified"].is_u64(), "{told}");
}

#[test]
fn a_key_that_asks_for_it_gets_nothing_that_can_be_read() {
    let house = House::open();
    let acme = house.tenant("Acme");
    author(&house, &acme);
    let new = json!({ "name": "site", "role": "page", "encryptPayload": true });
    let made = house.post("/v1/keys").key(&acme.admin_key).json(&new).send().json();
    let key = made["key"].as_str().unwrap();
    let payload = house.get(&format!("/api/features/{key}")).send();
    assert!(
        !payload.text.contains("plain") && !payload.text.contains("secret"),
        "{}",
        payload.text
    );
    let payload = payload.json();
    assert_eq!((&payload["features"], &payload["experiments"]), (&json!({}), &json!([])));
    assert!(payload["encryptedFeatures"].as_str().unwrap().split('.').count() == 2);
    let mut stream = Stream::open(&house, key);
    let pushed = stream.next("data:").unwrap();
    assert!(pushed.contains("encryptedExperiments") && !pushed.contains("plain"), "{pushed}");
    let keys = house.get("/v1/keys").key(&acme.admin_key).send().json();
    let with = |id: &Value| {
        let keys = keys["keys"].as_array().unwrap();
        keys.iter().find(|key| key["id"] == *id).unwrap()["payloadKey"].clone()
    };
    assert_eq!(with(&made["id"]).as_str().unwrap().len(), 24, "16 bytes in base 64");
    assert!(features(&house, &acme).text.contains("plain"), "another key's are not encrypted");
}

#[test]
fn there_is_room_for_so_many_listeners_and_no_more() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let status = |stream: &mut Stream| stream.next("HTTP/1.1").unwrap()[9..12].to_owned();
    let mut streams: Vec<_> = (0..256).map(|_| Stream::open(&house, &acme.write_key)).collect();
    assert!(streams.iter_mut().all(|stream| status(stream) == "200"));
    assert_eq!(status(&mut Stream::open(&house, &acme.write_key)), "429");
    streams.truncate(200);
    eventually(|| (status(&mut Stream::open(&house, &acme.write_key)) == "200").then_some(()));
}

#[test]
fn hosts_without_an_engine_are_told_everything_of_a_visitor_at_once() {
    let house = House::open();
    let acme = house.bare_tenant("Acme");
    let mut authored = bundle();
    authored.insert(
        "flags".to_owned(),
        json!({
            "audiences": { "scored": { "$score": { "$gte": 1 } } },
            "features": {
                "scored": { "defaultValue": false, "rules": [{ "force": true, "condition": { "$score": { "$exists": true } } }] },
                "mine": { "defaultValue": false, "rules": [{ "force": true, "condition": { "$mine": 1 } }] },
                "hero": { "defaultValue": "plain", "rules": [{ "key": "hero", "variations": ["a", "b"], "hashVersion": 3 }] },
            },
            "experiences": [
                { "key": "once", "slot": "bar", "cap": { "times": 1 }, "content": { "type": "text", "text": "once" },
                  "schedule": { "from": "2030-01-01T00:00:00Z" } },
                { "key": "paint", "variations": [{}, { "css": "a{}" }], "urlPatterns": [{ "type": "simple", "pattern": "/pricing" }] },
            ],
        }),
    );
    let body =
        json!({ "bundle": authored, "models": { "buyers": BASE64_STANDARD.encode(model(0.5)) } });
    let published = house.post("/v1/bundles").key(&acme.admin_key).json(&body).send();
    assert_eq!(published.status, 201, "{}", published.text);
    let ask = |visitor: Value| {
        let reply = house.post("/v1/evaluate").key(&acme.write_key).json(&visitor).send();
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    };
    let soon = 1_900_000_000_000_i64;
    // What came with the bundle decides where nothing is authored on the server.
    let visitor = json!({ "anonymousId": "ann", "attributes": { "$mine": 1, "$score": -1 }, "score": -1, "now": soon,
        "url": "https://acme.test/pricing", "forcedVariations": { "hero": 1 }, "events": [page("ann", "m1", "/pricing")] });
    let all = ask(visitor.clone());
    assert!(
        all["score"]["score"].as_u64().is_some() && all["score"]["reasons"][0]["text"].is_string()
    );
    let value = |all: &Value, key: &str| all["features"][key]["value"].clone();
    assert_eq!(value(&all, "scored"), true, "nobody says their own score: {all}");
    assert_eq!((value(&all, "mine"), value(&all, "hero")), (json!(true), json!("b")));
    assert_eq!(value(&all, "bar")["text"], "once");
    assert_eq!(all["experiences"], json!(["once", "paint"]));
    assert_eq!(all["pages"][0]["experiment"]["key"], "paint");
    assert_eq!(all["pages"][0]["exposures"][0]["result"]["hashValue"], "ann");
    let with = |name: &str, member: Value| {
        let mut visitor = visitor.clone();
        visitor[name] = member;
        ask(visitor)
    };
    assert_eq!(value(&with("now", json!(0)), "bar"), Value::Null);
    let seen = with("shown", json!({ "once": { "times": 1, "last": soon } }));
    assert_eq!(value(&seen, "bar"), Value::Null);
    let unscored = with("consent", json!({ "profiling": false }));
    assert_eq!((&unscored["score"], value(&unscored, "scored")), (&Value::Null, json!(false)));
    let plain = with("consent", json!({ "personalization": false }));
    assert_eq!((value(&plain, "hero"), &plain["pages"]), (json!("plain"), &json!([])));
    assert_eq!(plain["features"]["hero"]["source"], "defaultValue");
    assert!(house.visitors(&acme).is_empty(), "nothing of it is kept");

    // What is authored counts from then on.
    author(&house, &acme);
    assert_eq!(value(&ask(json!({})), "price"), 10);
    assert_eq!(ask(json!({}))["features"]["scored"], Value::Null);
    for wrong in ["[]", "{", r#"{"events": 1}"#, r#"{"now": "soon"}"#] {
        let reply = house.post("/v1/evaluate").key(&acme.write_key).body(wrong).send();
        assert_eq!(reply.status, 400, "{wrong}: {}", reply.text);
    }
    let long = json!({ "anonymousId": "x".repeat(300) });
    assert_eq!(house.post("/v1/evaluate").key(&acme.write_key).json(&long).send().status, 400);
    assert_eq!(house.post("/v1/evaluate").json(&json!({})).send().status, 401);
}

#[test]
fn a_page_without_the_engine_gets_score_and_everything_that_is_decided_in_one_answer() {
    let house = House::open();
    let acme = house.tenant("Acme");
    author(&house, &acme);
    let experiences = [
        (
            Kind::Experience,
            "greeting",
            json!({ "slot": "greeting", "cap": { "times": 2 }, "content": { "type": "text", "text": "Hello" } }),
        ),
        (
            Kind::Experience,
            "scored",
            json!({ "slot": "scored", "condition": { "$score": { "$gte": 1 } }, "content": { "type": "text", "text": "Known" } }),
        ),
    ];
    ensure(house.app(), &Permit::operator(acme.scope), &experiences).unwrap();
    let ask = |visitor: Value, events: Value| {
        let body = json!({ "key": acme.write_key, "anonymousId": "ann", "visitor": visitor, "events": events });
        house.post("/v1/decide").json(&body).send()
    };
    let visitor = json!({ "attributes": { "id": "u1", "country": "DE", "$score": 99 }, "url": "https://acme.example/pricing", "forcedVariations": { "title": 1 },
        "shown": { "greeting": { "times": 1, "last": 1 } }, "stickyBucketAssignmentDocs": {} });
    let answer = eventually(|| {
        let reply = ask(visitor.clone(), json!([]));
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.text.contains("greeting").then(|| reply.json())
    });
    assert!(answer["score"].is_number() && answer["reasons"].is_array());
    let found = |key: &str| answer["flags"]["features"][key].clone();
    assert_eq!((&found("plain")["value"], &found("price")["value"]), (&json!(true), &json!(9)));
    assert_eq!(found("greeting")["value"]["text"], "Hello");
    assert_eq!(found("scored")["value"]["text"], "Known", "core says the score");
    let hero = found("hero");
    let exposure = &hero["exposures"][0];
    assert_eq!(exposure["experiment"], json!({ "key": "headline" }));
    assert_eq!(exposure["result"]["key"], hero["experimentResult"]["key"]);
    assert!(hero["experimentResult"]["why"].is_string());
    let title = &answer["flags"]["experiments"]["title"];
    assert_eq!(title["experimentResult"]["inExperiment"], true);
    assert_eq!(title["experimentResult"]["value"]["css"], "h1 { color: red }");
    assert!(!answer.to_string().contains("secret"), "nothing of how it came about: {answer}");

    let seen =
        json!({ "attributes": { "id": "u1" }, "shown": { "greeting": { "times": 2, "last": 1 } } });
    assert_eq!(ask(seen, json!([])).json()["flags"]["features"]["greeting"]["value"], Value::Null);
    let event = |consent: Value| json!([{ "type": "track", "event": "x", "messageId": "c1", "anonymousId": "ann", "timestamp": "2026-01-01T00:00:00Z", "context": { "consent": consent } }]);
    let refused = ask(visitor.clone(), event(json!({ "personalization": false }))).json();
    assert!(refused["score"].is_number() && refused["flags"].is_null());
    let unscored = ask(visitor.clone(), event(json!({ "profiling": false }))).json();
    assert!(unscored["score"].is_null());
    assert_eq!(unscored["flags"]["features"]["scored"]["value"], Value::Null);
    let nobody = json!({ "key": acme.write_key, "visitor": { "attributes": {} } });
    let nobody = house.post("/v1/decide").json(&nobody).send();
    assert_eq!(nobody.status, 200, "{}", nobody.text);
    assert_eq!(nobody.json()["flags"]["features"]["hero"]["value"], "plain");
    let alone = house.post("/v1/decide").json(&json!({ "key": acme.write_key })).send();
    assert_eq!(alone.status, 400, "whose score?");

    let bare = house.bare_tenant("Bare");
    let body = json!({ "key": bare.write_key, "anonymousId": "ann", "visitor": visitor });
    let nothing = house.post("/v1/decide").json(&body).send();
    let none = json!({ "flags": { "features": {}, "experiments": {} } });
    assert_eq!((nothing.status, nothing.json()), (200, none), "nothing is published");
    author(&house, &bare);
    eventually(|| {
        let flags = house.post("/v1/decide").json(&body).send().json()["flags"].clone();
        (flags["features"]["price"]["value"] == 9).then_some(())
    });
}
