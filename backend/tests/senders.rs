//! Who may send, how fast, in which form, and who they are taken for.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::GzEncoder;
use hmac::{Hmac, KeyInit, Mac};
use house::{Call, House, Tenant, eventually, page};
use rapport_backend::identity::Role;
use rapport_backend::keys::DirectoryKeys;
use rapport_backend::log::{DayLog, EventLog, Offset, Replayed, contents};
use serde_json::{Value, json};
use std::io::Write;
use std::time::{Duration, Instant};

const PHONE: &str =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1";

fn send(house: &House, tenant: &Tenant, batch: Value) -> Call {
    house.post("/v1/events").key(&tenant.write_key).json(&json!({ "batch": batch }))
}

fn key_id(house: &House, tenant: &Tenant) -> String {
    let keys = house.get("/v1/keys").key(&tenant.admin_key).send().json();
    let keys = keys["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["shown"] == tenant.write_key.as_str()).unwrap();
    key["id"].as_str().unwrap().to_owned()
}

fn limit(house: &House, tenant: &Tenant, terms: Value) -> u16 {
    let address = format!("/v1/keys/{}/terms", key_id(house, tenant));
    house.call("PUT", &address).key(&tenant.admin_key).json(&terms).send().status
}

fn pages(count: usize, name: &str) -> Value {
    (0..count).map(|index| page("visitor-of-the-test", &format!("{name}-{index}"), "/")).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_key_may_be_used_by_the_pages_it_names() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let origins = json!(["https://acme.example", "https://*.acme.example"]);
    assert_eq!(limit(&house, &acme, json!({ "origins": origins })), 204);
    let from = |origin: &str, id: &str| {
        send(&house, &acme, json!([page("ann", id, "/")])).header("origin", origin).send().status
    };
    assert_eq!(from("https://acme.example", "m1"), 200);
    assert_eq!(from("https://shop.acme.example", "m2"), 200);
    assert_eq!(from("https://evil.example", "m3"), 403);
    assert_eq!(from("null", "m4"), 403);
    let server = send(&house, &acme, json!([page("ann", "m5", "/")])).send();
    assert_eq!(server.status, 200, "what comes from no page has no origin");
    for bad in [json!({ "origins": ["acme.example"] }), json!({ "eventsPerSecond": 0 })] {
        assert_eq!(limit(&house, &acme, bad), 400);
    }
    let keys = house.get("/v1/keys").key(&acme.admin_key).send().json();
    assert!(keys["keys"].as_array().unwrap().iter().any(|key| key["origins"] == origins));
}

#[test]
fn a_limited_key_is_told_when_to_come_back_and_others_are_not_held_up() {
    let house = House::open();
    let (acme, bolt) = (house.tenant("Acme"), house.tenant("Bolt"));
    assert_eq!(limit(&house, &acme, json!({ "eventsPerSecond": 1 })), 204);
    assert_eq!(send(&house, &acme, pages(60, "a")).send().status, 200);
    let refused = send(&house, &acme, pages(1, "b")).send();
    assert_eq!(refused.status, 429, "{}", refused.text);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(refused.json()["type"], "urn:rapport:problem:too-fast");
    assert_eq!(send(&house, &bolt, pages(60, "c")).send().status, 200);
    assert_eq!(limit(&house, &acme, json!({})), 204);
    assert_eq!(send(&house, &acme, pages(1, "d")).send().status, 200, "the limit is gone");
}

#[test]
fn an_address_that_floods_is_refused_before_its_body_is_read() {
    let house = House::open_with(|config| {
        config.proxies = 1;
        config.events_per_second = Some(1);
    });
    let acme = house.tenant("Acme");
    let from = |address: &str, call: Call| call.header("x-forwarded-for", address).send();
    let flood = "6.6.6.6, 203.0.113.7";
    assert_eq!(from(flood, send(&house, &acme, pages(400, "a"))).status, 200);
    let garbage = house.post("/v1/events").body("garbage, with no key");
    assert_eq!(
        from("9.9.9.9, 203.0.113.7", garbage).status,
        429,
        "the client's own words are no address"
    );
    assert_eq!(from("203.0.113.8", send(&house, &acme, pages(1, "b"))).status, 200);
    let server =
        house.post("/v1/events").key(&acme.admin_key).json(&json!({ "batch": pages(1, "c") }));
    assert_eq!(from(flood, server).status, 200, "a secret key is no public one");
}

#[test]
fn a_body_is_read_as_what_it_is() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let key = &acme.write_key;
    let batch = |id: &str| json!({ "key": key, "batch": [page("ann", id, "/")] }).to_string();
    let post = |body: Vec<u8>| house.post("/v1/events").body(body).send();
    let encoded: String =
        form_urlencoded::Serializer::new(String::new()).append_pair("data", &batch("m1")).finish();
    let coded = format!(
        "data={}&key={key}",
        BASE64_STANDARD
            .encode(page("ann", "m2", "/").to_string())
            .replace('+', "-")
            .replace('/', "_")
    );
    let bodies: [Vec<u8>; 4] = [
        encoded.into_bytes(),
        coded.into_bytes(),
        gzip(batch("m3").as_bytes()),
        [gzip(&batch("m4").as_bytes()[..20]), gzip(&batch("m4").as_bytes()[20..])].concat(),
    ];
    for (index, body) in bodies.into_iter().enumerate() {
        let reply = post(body);
        assert_eq!(
            (reply.status, &reply.json()["accepted"]),
            (200, &json!(1)),
            "{index}: {}",
            reply.text
        );
    }
    for bad in [
        b"data=%7B".to_vec(),
        b"data=!!!".to_vec(),
        b"x=y".to_vec(),
        b"\x1f\x8bnot gzip".to_vec(),
        gzip(&batch("m5").as_bytes()[..20]),
    ] {
        assert_eq!(post(bad).status, 400);
    }
    house.settle(&acme, 4);
}

#[test]
fn a_bomb_is_refused_before_it_unfolds() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let bomb = gzip(&vec![b' '; 32 << 20]);
    assert!(bomb.len() < 400_000);
    let reply = house.post(&format!("/v1/events?key={}", acme.write_key)).body(bomb).send();
    assert_eq!(reply.status, 413, "{}", reply.text);
}

#[test]
fn a_pixel_brings_an_event_from_where_no_script_runs() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let opened =
        json!({ "type": "track", "event": "Email Opened", "userId": "u1", "messageId": "m1" });
    let data = BASE64_URL_SAFE_NO_PAD.encode(opened.to_string());
    let pixel = |rest: &str| house.get(&format!("/v1/pixel.gif?key={}{rest}", acme.write_key));
    let reply = pixel(&format!("&data={data}")).send();
    assert_eq!((reply.status, reply.header("content-type").as_str()), (200, "image/gif"));
    assert!(
        reply.bytes.starts_with(b"GIF89a") && reply.header("cache-control").contains("no-store")
    );
    assert_eq!(house.settle(&acme, 1)[0]["lastEvent"]["name"], "Email Opened");

    let seen = |browser: &str| {
        pixel("")
            .header("user-agent", browser)
            .header("referer", "https://acme.example/pricing?x")
            .send()
    };
    [PHONE, PHONE, "Mozilla/5.0 Firefox/128.0"]
        .iter()
        .for_each(|browser| assert_eq!(seen(browser).status, 200));
    let visitors = house.settle(&acme, 4);
    let mut events: Vec<_> =
        visitors.iter().map(|visitor| visitor["events"].as_i64().unwrap()).collect();
    events.sort();
    assert_eq!(events, [1, 1, 2], "two browsers and a person");
    assert!(visitors.iter().any(|visitor| visitor["lastEvent"]["path"] == "/pricing"));
    assert_eq!(pixel("&data=%21").send().status, 400);
    assert_eq!(house.get("/v1/pixel.gif?key=wk_live_nonsense").send().status, 401);
}

#[test]
fn visitors_without_an_id_are_told_apart_for_a_day_where_the_batch_says_so() {
    let house = House::open_with(|config| config.proxies = 1);
    let acme = house.tenant("Acme");
    let send = |cookieless: bool, address: &str, browser: &str, site: &str, id: &str| {
        let event = json!({ "type": "page", "messageId": id });
        let call = house.post("/v1/events").key(&acme.write_key).header("x-forwarded-for", address);
        let call = call.header("user-agent", browser).header("origin", site);
        let body = json!({ "cookieless": cookieless, "hints": true, "batch": [event] });
        call.json(&body).send().json()
    };
    let site = "https://acme.example";
    let reply = send(true, "203.0.113.7", PHONE, site, "m1");
    assert_eq!(reply["accepted"], 1);
    assert_eq!(reply.get("hints"), None, "nothing is told to somebody nobody can know again");
    send(true, "203.0.113.7", PHONE, site, "m2");
    send(true, "203.0.113.8", PHONE, site, "m3");
    send(true, "203.0.113.7", "Mozilla/5.0 Firefox/128.0", site, "m4");
    send(true, "203.0.113.7", PHONE, "https://bolt.example", "m5");
    let nameless = send(false, "203.0.113.7", PHONE, site, "m6");
    assert_eq!(nameless["rejected"][0]["code"], "no-visitor");
    let visitors = house.settle(&acme, 5);
    assert_eq!(visitors.len(), 4, "{visitors:?}");
}

#[test]
fn a_first_party_browser_keeps_its_id_and_nobody_gets_anothers_signed() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let visit = |visitor: &str, id: &str, cookie: &str| {
        let call = send(&house, &acme, json!([page(visitor, id, "/")]));
        call.header("origin", &house.url()).cookie(cookie).send()
    };
    let first = visit("visitor-one", "m1", "");
    let cookie = first.header("set-cookie");
    assert!(
        cookie.starts_with("rapport_vid=visitor-one.") && cookie.contains("HttpOnly"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let again = visit("visitor-one", "m2", &cookie);
    assert_eq!((again.header("set-cookie").as_str(), again.json().get("visitor")), ("", None));
    let forgot = visit("visitor-new", "m3", &cookie).json();
    assert_eq!(forgot["visitor"], "visitor-one", "its pages forgot, the cookie did not");

    let forged = cookie.replace("visitor-one", "visitor-two");
    let reply = visit("visitor-new", "m4", &forged);
    assert_eq!(reply.json().get("visitor"), None, "a forged cookie is none");
    let guessed = visit("visitor-one", "m5", "");
    assert_eq!(guessed.header("set-cookie"), "", "who guesses an id does not get it signed");
    let bolt = house.tenant("Bolt");
    let foreign = send(&house, &bolt, json!([page("visitor-six", "m6", "/")]));
    let foreign = foreign.header("origin", &house.url()).cookie(&cookie).send();
    assert_eq!(foreign.json().get("visitor"), None, "another workspace's cookie is none");
    let elsewhere = send(&house, &acme, json!([page("visitor-seven", "m7", "/")]));
    let elsewhere = elsewhere.header("origin", "https://acme.example").send();
    assert_eq!(elsewhere.header("set-cookie"), "", "other websites' pages get no cookie of ours");

    let mut refusal = page("visitor-one", "m8", "/");
    refusal["context"]["consent"] = json!({ "analytics": false, "profiling": false });
    let refused = send(&house, &acme, json!([refusal])).header("origin", &house.url());
    let taken = refused.cookie(&cookie).send().header("set-cookie");
    assert!(taken.starts_with("rapport_vid=;") && taken.contains("Max-Age=0"), "{taken}");
}

fn token(secret: &str, user: &str, expires_in: i64) -> String {
    let expires = rapport_backend::clock::now() / 1000 + expires_in;
    let payload = json!({ "sub": user, "exp": expires }).to_string();
    let signed = format!("v1.{}", BASE64_URL_SAFE_NO_PAD.encode(payload));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[test]
fn a_person_is_proved_by_a_token_of_a_valid_secret_and_by_nothing_else() {
    let house = House::open();
    let (acme, bolt) = (house.tenant("Acme"), house.tenant("Bolt"));
    let secret = |tenant: &Tenant| {
        let made = house.post("/v1/identity-secrets").key(&tenant.admin_key).send();
        assert_eq!(made.status, 201);
        made.json()["secret"].as_str().unwrap().to_owned()
    };
    let (theirs, old) = (secret(&bolt), secret(&acme));
    let identify = |id: &str, token: String| {
        let event = json!({ "type": "identify", "anonymousId": "ann", "userId": "u1", "messageId": id, "token": token });
        let reply = send(&house, &acme, json!([event])).send().json();
        assert_eq!(reply["accepted"], 1, "a claim is kept as a claim: {reply}");
        reply["notes"][0]["code"].as_str().unwrap_or("proved").to_owned()
    };
    assert_eq!(identify("m1", token(&old, "u1", 60)), "proved");
    let new = secret(&acme);
    assert_eq!(identify("m2", token(&new, "u1", 60)), "proved");
    assert_eq!(identify("m3", token(&old, "u1", 60)), "proved", "two are valid");
    secret(&acme);
    assert_eq!(identify("m4", token(&old, "u1", 60)), "not-proved", "the third ends the first");
    for (index, bad) in [
        token(&theirs, "u1", 60),
        token(&new, "u2", 60),
        token(&new, "u1", -1),
        "x".into(),
        String::new(),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(identify(&format!("bad {index}"), bad), "not-proved", "{index}");
    }
    let list = house.get("/v1/identity-secrets").key(&acme.admin_key).send();
    assert_eq!(list.json()["secrets"].as_array().unwrap().len(), 2);
    let audit = house.get("/v1/audit").key(&acme.admin_key).send();
    assert!(!list.text.contains(&new) && !audit.text.contains(&new), "a secret is shown once");
}

#[test]
fn a_visitor_who_withdraws_is_gone_within_five_seconds_and_one_not_asked_is_as_the_workspace_says()
{
    let house = House::open();
    let acme = house.tenant("Acme");
    let says = |visitor: &str, id: &str, consent: Value| {
        let mut event = page(visitor, id, "/pricing");
        event["type"] = json!("track");
        event["event"] = json!("Consent Updated");
        event["context"]["consent"] = consent;
        assert_eq!(send(&house, &acme, json!([event])).send().json()["accepted"], 1);
    };
    house.send(&acme, json!([page("ann", "m1", "/")]));
    house.settle(&acme, 1);
    says("ann", "m2", json!({ "analytics": true, "profiling": false }));
    let start = Instant::now();
    eventually(|| house.visitors(&acme).is_empty().then_some(()));
    assert!(start.elapsed() < Duration::from_secs(5));
    // A server that does not know of it sends on; the visitor's word stands until the next one.
    house.send(&acme, json!([page("ann", "server", "/pricing"), page("eve", "m0", "/")]));
    let others = house.settle(&acme, 1);
    assert_eq!(others.len(), 1, "who withdrew does not come back unasked: {others:?}");
    says("ann", "yes", json!({ "profiling": true }));
    house.settle(&acme, 3);
    house.send(&acme, json!([page("ann", "after", "/")]));
    house.settle(&acme, 4);

    let settings = json!({ "consent": { "profiling": false } });
    let changed = house.call("PUT", "/v1/settings").key(&acme.admin_key).json(&settings).send();
    assert_eq!(changed.status, 204);
    house.send(&acme, json!([page("bob", "m3", "/")]));
    says("cleo", "m4", json!({ "profiling": true }));
    says("dan", "m5", json!({ "categoryPreferences": { "profiling": true } }));
    house.settle(&acme, 6);
    house.send(&acme, json!([page("cleo", "m6", "/")]));
    let agreed = house.settle(&acme, 7);
    assert_eq!(agreed.len(), 4, "who agreed, and nobody else");
    let rebuilt = house.post("/v1/profiles/rebuild").key(&acme.admin_key).send().json();
    assert_eq!(rebuilt["profiles"], 4);
    house.settle(&acme, 7);
}

#[test]
fn who_does_not_agree_to_be_profiled_gets_no_score() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let decide = |events: Value| {
        let body = json!({ "anonymousId": "ann", "events": events });
        house.post("/v1/decide").key(&acme.write_key).json(&body).send()
    };
    let says = |id: &str, profiling: bool| {
        let mut event = page("ann", id, "/pricing");
        event["context"]["consent"] = json!({ "profiling": profiling });
        event
    };
    let score = |reply: house::Reply| reply.json()["score"].as_i64().unwrap();
    let nothing = score(decide(json!([])));
    let agreed = score(decide(json!([says("m1", true)])));
    assert!(agreed > nothing);
    assert_eq!(decide(json!([says("m1", true), says("m2", false)])).status, 404);
    let later = score(decide(json!([says("m2", false), says("m1", true)])));
    assert_eq!(later, agreed, "what happened without consent counts for nothing");
    let origins = json!({ "origins": ["https://acme.example"] });
    assert_eq!(limit(&house, &acme, origins), 204);
    let body = json!({ "key": acme.write_key, "anonymousId": "ann" });
    let foreign = house.post("/v1/decide").header("origin", "https://evil.example");
    assert_eq!(foreign.body(body.to_string()).send().status, 403);
}

#[test]
fn what_is_kept_says_what_was_proved_and_no_address_of_who_wants_no_id() {
    let mut house = House::open();
    let acme = house.tenant("Acme");
    let made = house.post("/v1/identity-secrets").key(&acme.admin_key).send().json();
    let proof = token(made["secret"].as_str().unwrap(), "u1", 60);
    let identify = |id: &str, token: &str| json!({ "type": "identify", "anonymousId": "ann", "userId": "u1", "messageId": id, "token": token });
    house.send(&acme, json!([identify("proved", &proof), identify("claimed", "v1.e30.AAAA")]));
    let nameless =
        json!({ "cookieless": true, "batch": [{ "type": "page", "messageId": "nameless" }] });
    house.post("/v1/events").key(&acme.write_key).json(&nameless).send();
    house.stop();
    let config = house.config();
    let (log, keys) =
        (DayLog::open(&config.data).unwrap(), DirectoryKeys::open(&config.keys).unwrap());
    let kept = log.read(acme.scope, Offset(0), 9).unwrap();
    let kept = kept.into_iter().map(|envelope| match contents(&keys, envelope).unwrap() {
        Replayed::Event(contents) => {
            let text = serde_json::to_string(&contents.sealed).unwrap();
            assert!(!text.contains("v1."), "tokens are not kept: {text}");
            let id = contents.envelope.draft.message_id;
            (id, contents.sealed.proven, contents.sealed.ip.is_some())
        }
        tombstone @ Replayed::Tombstone { .. } => panic!("{tombstone:?}"),
    });
    let expected = [("proved", true, true), ("claimed", false, true), ("nameless", false, false)];
    assert_eq!(
        kept.collect::<Vec<_>>(),
        expected.map(|(id, proven, ip)| (id.to_owned(), proven, ip))
    );
}

#[test]
fn programs_are_told_that_they_are_no_visitors() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let crawler = send(&house, &acme, json!([page("bot", "m1", "/")])).header(
        "user-agent",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    );
    assert_eq!(crawler.send().json()["rejected"][0]["code"], "bot");
    let mut driven = page("bot", "m2", "/");
    driven["context"]["webdriver"] = json!(true);
    let mut told = page("bot", "m3", "/");
    told["context"]["userAgent"] = json!("AhrefsBot/7.0");
    let mut person = page("ann", "m4", "/");
    person["context"]["userAgent"] = json!(PHONE);
    let reply = send(&house, &acme, json!([driven, told, person])).send().json();
    assert_eq!((&reply["accepted"], reply["rejected"].as_array().unwrap().len()), (&json!(1), 2));
    assert_eq!(house.settle(&acme, 1).len(), 1);

    let headless = |id: &str, key: &str| {
        let call = house.post("/v1/events").key(key).header("user-agent", "HeadlessChrome/156.0");
        call.json(&json!({ "batch": [page("test", id, "/")] })).send().json()["accepted"].clone()
    };
    assert_eq!(headless("m5", &acme.write_key), 0);
    let test_key = house.key(house::test_environment(acme.scope), Role::Page);
    assert_eq!(headless("m6", &test_key), 1, "that is what the test environment is for");
    let settings = json!({ "automatedBrowsers": true });
    house.call("PUT", "/v1/settings").key(&acme.admin_key).json(&settings).send();
    assert_eq!(headless("m7", &acme.write_key), 1);
}

#[test]
fn each_of_segments_addresses_makes_its_kind_of_event() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{}:", acme.write_key)));
    let call = |address: &str, body: Value| {
        let reply = house.post(address).header("authorization", &basic).json(&body).send();
        assert_eq!(reply.status, 200, "{address}: {}", reply.text);
        let reply = reply.json();
        assert_eq!(
            (&reply["success"], &reply["accepted"]),
            (&json!(true), &json!(1)),
            "{address}: {reply}"
        );
    };
    let calls = [
        ("/v1/track", json!({ "event": "Signed Up" }), ("track", "Signed Up")),
        ("/v1/page", json!({ "name": "Home" }), ("page", "Home")),
        ("/v1/screen", json!({ "name": "Settings" }), ("track", "Screen Viewed")),
        ("/v1/identify", json!({ "traits": { "plan": "pro" } }), ("identify", "")),
        ("/v1/group", json!({ "groupId": "g1" }), ("group", "")),
        ("/v1/alias", json!({ "previousId": "p1" }), ("alias", "")),
        (
            "/v1/batch",
            json!({ "batch": [{ "type": "screen", "userId": "batch" }] }),
            ("track", "Screen Viewed"),
        ),
        (
            "/v1/import",
            json!({ "batch": [{ "type": "page", "name": "Old", "userId": "import" }] }),
            ("page", "Old"),
        ),
    ];
    for (address, mut body, _) in calls.clone() {
        body["userId"] = json!(address);
        // What the address says counts, not what the body says.
        body["type"] = json!("nonsense");
        call(address, body);
    }
    let visitors = house.settle(&acme, calls.len() as u64);
    for (address, _, (kind, name)) in calls {
        let found = visitors.iter().any(|visitor| {
            visitor["lastEvent"]["kind"] == kind && visitor["lastEvent"]["name"] == name
        });
        assert!(found, "{address}: {visitors:?}");
    }
}
