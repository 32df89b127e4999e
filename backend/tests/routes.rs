//! Every route, tried with no key, with every role's key, and with the key of another workspace.
//! A route that the table lacks fails the test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::{Call, House, Tenant, bundle, eventually, model, page, test_environment};
use rapport_backend::identity::{Role, Scope};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What the table says about a route.
struct Route {
    /// As the API's document names it.
    name: &'static str,
    /// A request without a credential that is about something of Acme's.
    call: fn(&House, &Acme) -> Call,
    /// Who may; everybody where it is empty.
    roles: &'static [Role],
    /// Where the credential stands in the address, so that headers do not matter.
    key_in_path: bool,
    /// What somebody of another workspace gets: their own, or nothing because the request names Acme's.
    names_a_thing: bool,
}

/// A workspace that has one of everything.
#[derive(Clone)]
struct Acme {
    tenant: Tenant,
    visitor: String,
    key_id: String,
    secret_id: String,
    part: String,
}

impl Acme {
    fn part_hash(&self) -> &str {
        self.part.rsplit(['/', '.']).nth(1).unwrap()
    }
}

use Role::{Admin, Agent, Analyst, Auditor, Developer, Marketer, Owner, Page, Sales};

const SENDERS: &[Role] = &[Page, Owner, Admin, Developer];
const READERS: &[Role] = &[Owner, Admin, Marketer, Analyst, Developer, Auditor];
const AUTHORS: &[Role] = &[Owner, Admin, Marketer, Developer];
const EVERY_PERSON: &[Role] = &[Owner, Admin, Marketer, Sales, Agent, Analyst, Developer, Auditor];

#[rustfmt::skip]
const TABLE: &[Route] = &[
    Route { name: "get /", call: |house, _| house.get("/"), roles: &[], key_in_path: false, names_a_thing: false },
    Route { name: "get /health", call: |house, _| house.get("/health"), roles: &[], key_in_path: false, names_a_thing: false },
    Route { name: "get /openapi.json", call: |house, _| house.get("/openapi.json"), roles: &[], key_in_path: false, names_a_thing: false },
    Route { name: "get /docs", call: |house, _| house.get("/docs"), roles: &[], key_in_path: false, names_a_thing: false },
    Route { name: "get /docs/docs.js", call: |house, _| house.get("/docs/docs.js"), roles: &[], key_in_path: false, names_a_thing: false },
    Route { name: "get /docs/docs.css", call: |house, _| house.get("/docs/docs.css"), roles: &[], key_in_path: false, names_a_thing: false },
    Route { name: "get /live", call: |house, _| house.get("/live"), roles: &[], key_in_path: false, names_a_thing: false },
    Route { name: "get /live/live.js", call: |house, _| house.get("/live/live.js"), roles: &[], key_in_path: false, names_a_thing: false },
    Route { name: "get /live/live.css", call: |house, _| house.get("/live/live.css"), roles: &[], key_in_path: false, names_a_thing: false },
    Route { name: "get /owner/{token}", call: |house, _| house.get("/owner/ol_nonsense"), roles: &[], key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/events", call: |house, _| house.post("/v1/events").json(&json!({ "batch": [page("stranger", "m-route", "/")] })),
        roles: SENDERS, key_in_path: false, names_a_thing: false },
    Route { name: "get /v1/pixel.gif", call: |house, _| house.get("/v1/pixel.gif"), roles: SENDERS, key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/batch", call: |house, _| house.post("/v1/batch").json(&json!({ "batch": [page("stranger", "m-batch", "/")] })), roles: SENDERS, key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/import", call: |house, _| house.post("/v1/import").json(&json!({ "batch": [page("stranger", "m-import", "/")] })), roles: SENDERS, key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/track", call: |house, _| house.post("/v1/track").json(&json!({ "event": "x", "userId": "stranger" })), roles: SENDERS, key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/page", call: |house, _| house.post("/v1/page").json(&json!({ "event": "x", "userId": "stranger" })), roles: SENDERS, key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/screen", call: |house, _| house.post("/v1/screen").json(&json!({ "event": "x", "userId": "stranger" })), roles: SENDERS, key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/identify", call: |house, _| house.post("/v1/identify").json(&json!({ "event": "x", "userId": "stranger" })), roles: SENDERS, key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/group", call: |house, _| house.post("/v1/group").json(&json!({ "event": "x", "userId": "stranger" })), roles: SENDERS, key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/alias", call: |house, _| house.post("/v1/alias").json(&json!({ "event": "x", "userId": "stranger" })), roles: SENDERS, key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/decide", call: |house, _| house.post("/v1/decide").json(&json!({ "anonymousId": "ann" })),
        roles: SENDERS, key_in_path: false, names_a_thing: false },
    Route { name: "get /v1/sdk/{file}", call: |house, acme| house.get(&format!("/v1/sdk/{}.json", acme.tenant.write_key)), roles: &[Page], key_in_path: true, names_a_thing: false },
    Route { name: "get /v1/parts/{key}/{name}", call: |house, acme| house.get(&acme.part), roles: &[Page], key_in_path: true, names_a_thing: true },
    Route { name: "get /api/features/{key}", call: |house, acme| house.get(&format!("/api/features/{}", acme.tenant.write_key)), roles: &[Page], key_in_path: true, names_a_thing: false },
    Route { name: "get /sub/{key}", call: |house, acme| house.call("HEAD", &format!("/sub/{}", acme.tenant.write_key)), roles: &[Page], key_in_path: true, names_a_thing: false },
    Route { name: "post /api/eval/{key}", call: |house, acme| house.post(&format!("/api/eval/{}", acme.tenant.write_key)).json(&json!({})), roles: &[Page], key_in_path: true, names_a_thing: false },
    Route { name: "post /ofrep/v1/evaluate/flags/{key}", call: |house, _| house.post("/ofrep/v1/evaluate/flags/acmes").json(&json!({})), roles: SENDERS, key_in_path: false, names_a_thing: true },
    Route { name: "post /ofrep/v1/evaluate/flags", call: |house, _| house.post("/ofrep/v1/evaluate/flags").json(&json!({})), roles: SENDERS, key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/evaluate", call: |house, _| house.post("/v1/evaluate").json(&json!({})), roles: SENDERS, key_in_path: false, names_a_thing: false },
    Route { name: "get /ofrep/v1/changes/{key}", call: |house, acme| house.call("HEAD", &format!("/ofrep/v1/changes/{}", acme.tenant.write_key)), roles: &[Page], key_in_path: true, names_a_thing: false },
    Route { name: "post /v1/bundles", call: |house, _| house.post("/v1/bundles").json(&publication()),
        roles: &[Owner, Admin, Marketer, Developer], key_in_path: false, names_a_thing: false },
    Route { name: "get /v1/bundles/current", call: |house, _| house.get("/v1/bundles/current"),
        roles: &[Owner, Admin, Marketer, Analyst, Developer, Auditor], key_in_path: false, names_a_thing: false },
    Route { name: "get /v1/bundles/parts/{hash}", call: |house, acme| house.get(&format!("/v1/bundles/parts/{}", acme.part_hash())),
        roles: &[Owner, Admin, Marketer, Analyst, Developer, Auditor], key_in_path: false, names_a_thing: false },
    Route { name: "get /v1/models", call: |house, _| house.get("/v1/models"), roles: READERS, key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/models", call: |house, _| house.post("/v1/models").json(&json!({ "file": encoded(&model(0.2)) })),
        roles: &[Owner, Admin, Developer], key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/models/{id}/check", call: |house, _| house.post("/v1/models/acmes/check"), roles: &[Owner, Admin, Developer], key_in_path: false, names_a_thing: true },
    Route { name: "post /v1/models/{id}/promote", call: |house, _| house.post("/v1/models/acmes/promote"), roles: &[Owner, Admin, Developer], key_in_path: false, names_a_thing: true },
    Route { name: "post /v1/models/rollback", call: |house, _| house.post("/v1/models/rollback"), roles: &[Owner, Admin, Developer], key_in_path: false, names_a_thing: false },
    Route { name: "get /v1/live", call: |house, _| house.call("HEAD", "/v1/live"),
        roles: &[Owner, Admin, Marketer, Sales, Agent, Analyst], key_in_path: false, names_a_thing: false },
    Route { name: "get /v1/visitors", call: |house, _| house.get("/v1/visitors"),
        roles: &[Owner, Admin, Marketer, Sales, Agent, Analyst], key_in_path: false, names_a_thing: false },
    Route { name: "get /v1/visitors/{id}", call: |house, acme| house.get(&format!("/v1/visitors/{}", acme.visitor)),
        roles: &[Owner, Admin, Marketer, Sales, Agent, Analyst], key_in_path: false, names_a_thing: true },
    Route { name: "delete /v1/visitors/{id}", call: |house, acme| house.call("DELETE", &format!("/v1/visitors/{}", acme.visitor)),
        roles: &[Owner, Admin], key_in_path: false, names_a_thing: true },
    Route { name: "post /v1/profiles/rebuild", call: |house, _| house.post("/v1/profiles/rebuild"),
        roles: &[Owner, Admin, Developer], key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/profiles/{id}/merge", call: |house, acme| house.post(&format!("/v1/profiles/{}/merge", acme.visitor)).json(&json!({ "with": acme.visitor })),
        roles: &[Owner, Admin], key_in_path: false, names_a_thing: true },
    Route { name: "post /v1/profiles/{id}/unmerge", call: |house, acme| house.post(&format!("/v1/profiles/{}/unmerge", acme.visitor)).json(&json!({})),
        roles: &[Owner, Admin], key_in_path: false, names_a_thing: true },
    Route { name: "get /v1/profiles/status", call: |house, _| house.get("/v1/profiles/status"),
        roles: &[Owner, Admin, Developer], key_in_path: false, names_a_thing: false },
    Route { name: "get /v1/session", call: |house, _| house.get("/v1/session"), roles: EVERY_PERSON, key_in_path: false, names_a_thing: false },
    Route { name: "put /v1/session", call: |house, acme| house.call("PUT", "/v1/session").json(&json!({ "workspace": acme.tenant.scope.workspace.to_string() })),
        roles: EVERY_PERSON, key_in_path: false, names_a_thing: true },
    Route { name: "get /v1/keys", call: |house, _| house.get("/v1/keys"), roles: &[Owner, Admin, Developer, Auditor], key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/keys", call: |house, _| house.post("/v1/keys").json(&json!({ "name": "more", "role": "sales" })),
        roles: &[Owner, Admin], key_in_path: false, names_a_thing: false },
    Route { name: "delete /v1/keys/{id}", call: |house, acme| house.call("DELETE", &format!("/v1/keys/{}", acme.key_id)),
        roles: &[Owner, Admin], key_in_path: false, names_a_thing: true },
    Route { name: "put /v1/keys/{id}/terms", call: |house, acme| house.call("PUT", &format!("/v1/keys/{}/terms", acme.key_id)).json(&json!({ "origins": [] })),
        roles: &[Owner, Admin], key_in_path: false, names_a_thing: true },
    Route { name: "put /v1/profiles/{id}/signals", call: |house, acme| house.call("PUT", &format!("/v1/profiles/{}/signals", acme.visitor)).json(&json!({ "signals": {} })),
        roles: &[Owner, Admin, Developer], key_in_path: false, names_a_thing: true },
    Route { name: "get /v1/identity-secrets", call: |house, _| house.get("/v1/identity-secrets"), roles: &[Owner, Admin, Developer], key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/identity-secrets", call: |house, _| house.post("/v1/identity-secrets"), roles: &[Owner, Admin, Developer], key_in_path: false, names_a_thing: false },
    Route { name: "delete /v1/identity-secrets/{id}", call: |house, acme| house.call("DELETE", &format!("/v1/identity-secrets/{}", acme.secret_id)),
        roles: &[Owner, Admin, Developer], key_in_path: false, names_a_thing: true },
    Route { name: "get /v1/settings", call: |house, _| house.get("/v1/settings"), roles: EVERY_PERSON, key_in_path: false, names_a_thing: false },
    Route { name: "put /v1/settings", call: |house, _| house.call("PUT", "/v1/settings").json(&json!({ "consent": { "profiling": true } })),
        roles: &[Owner, Admin], key_in_path: false, names_a_thing: false },
    Route { name: "get /v1/audiences", call: |house, _| house.get("/v1/audiences"), roles: READERS, key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/audiences", call: |house, _| house.post("/v1/audiences").json(&json!({ "key": "stranger", "definition": { "condition": {} } })), roles: AUTHORS, key_in_path: false, names_a_thing: false },
    Route { name: "get /v1/audiences/{key}", call: |house, _| house.get("/v1/audiences/acmes"), roles: READERS, key_in_path: false, names_a_thing: true },
    Route { name: "put /v1/audiences/{key}", call: |house, _| house.call("PUT", "/v1/audiences/acmes").header("if-match", "*").json(&json!({ "definition": { "condition": {} } })), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "get /v1/audiences/{key}/revisions", call: |house, _| house.get("/v1/audiences/acmes/revisions"), roles: READERS, key_in_path: false, names_a_thing: true },
    Route { name: "put /v1/audiences/{key}/status", call: |house, _| house.call("PUT", "/v1/audiences/acmes/status").json(&json!({ "status": "archived" })), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "post /v1/audiences/{key}/rollback", call: |house, _| house.post("/v1/audiences/acmes/rollback").json(&json!({ "revision": 1 })), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "get /v1/features", call: |house, _| house.get("/v1/features"), roles: READERS, key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/features", call: |house, _| house.post("/v1/features").json(&json!({ "key": "stranger", "definition": { "defaultValue": 1 } })), roles: AUTHORS, key_in_path: false, names_a_thing: false },
    Route { name: "get /v1/features/{key}", call: |house, _| house.get("/v1/features/acmes"), roles: READERS, key_in_path: false, names_a_thing: true },
    Route { name: "put /v1/features/{key}", call: |house, _| house.call("PUT", "/v1/features/acmes").header("if-match", "*").json(&json!({ "definition": { "defaultValue": 1 } })), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "get /v1/features/{key}/revisions", call: |house, _| house.get("/v1/features/acmes/revisions"), roles: READERS, key_in_path: false, names_a_thing: true },
    Route { name: "put /v1/features/{key}/status", call: |house, _| house.call("PUT", "/v1/features/acmes/status").json(&json!({ "status": "archived" })), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "post /v1/features/{key}/rollback", call: |house, _| house.post("/v1/features/acmes/rollback").json(&json!({ "revision": 1 })), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "get /v1/experiments", call: |house, _| house.get("/v1/experiments"), roles: READERS, key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/experiments", call: |house, _| house.post("/v1/experiments").json(&json!({ "key": "stranger", "definition": { "variations": [{}, {}] } })), roles: AUTHORS, key_in_path: false, names_a_thing: false },
    Route { name: "get /v1/experiments/{key}", call: |house, _| house.get("/v1/experiments/acmes"), roles: READERS, key_in_path: false, names_a_thing: true },
    Route { name: "put /v1/experiments/{key}", call: |house, _| house.call("PUT", "/v1/experiments/acmes").header("if-match", "*").json(&json!({ "definition": { "variations": [{}, {}] } })), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "get /v1/experiments/{key}/revisions", call: |house, _| house.get("/v1/experiments/acmes/revisions"), roles: READERS, key_in_path: false, names_a_thing: true },
    Route { name: "put /v1/experiments/{key}/status", call: |house, _| house.call("PUT", "/v1/experiments/acmes/status").json(&json!({ "status": "archived" })), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "post /v1/experiments/{key}/rollback", call: |house, _| house.post("/v1/experiments/acmes/rollback").json(&json!({ "revision": 1 })), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "get /v1/experiences", call: |house, _| house.get("/v1/experiences"), roles: READERS, key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/experiences", call: |house, _| house.post("/v1/experiences").json(&json!({ "key": "stranger", "definition": { "slot": "x", "content": { "type": "text", "text": "Hi" } } })), roles: AUTHORS, key_in_path: false, names_a_thing: false },
    Route { name: "get /v1/experiences/{key}", call: |house, _| house.get("/v1/experiences/acmes"), roles: READERS, key_in_path: false, names_a_thing: true },
    Route { name: "put /v1/experiences/{key}", call: |house, _| house.call("PUT", "/v1/experiences/acmes").header("if-match", "*").json(&json!({ "definition": { "slot": "x", "content": { "type": "text", "text": "Hi" } } })), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "get /v1/experiences/{key}/revisions", call: |house, _| house.get("/v1/experiences/acmes/revisions"), roles: READERS, key_in_path: false, names_a_thing: true },
    Route { name: "put /v1/experiences/{key}/status", call: |house, _| house.call("PUT", "/v1/experiences/acmes/status").json(&json!({ "status": "archived" })), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "post /v1/experiences/{key}/rollback", call: |house, _| house.post("/v1/experiences/acmes/rollback").json(&json!({ "revision": 1 })), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "get /v1/goals", call: |house, _| house.get("/v1/goals"), roles: READERS, key_in_path: false, names_a_thing: false },
    Route { name: "post /v1/goals", call: |house, _| house.post("/v1/goals").json(&json!({ "key": "stranger", "definition": { "event": "x" } })), roles: AUTHORS, key_in_path: false, names_a_thing: false },
    Route { name: "get /v1/goals/{key}", call: |house, _| house.get("/v1/goals/acmes"), roles: READERS, key_in_path: false, names_a_thing: true },
    Route { name: "put /v1/goals/{key}", call: |house, _| house.call("PUT", "/v1/goals/acmes").header("if-match", "*").json(&json!({ "definition": { "event": "x" } })), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "get /v1/goals/{key}/revisions", call: |house, _| house.get("/v1/goals/acmes/revisions"), roles: READERS, key_in_path: false, names_a_thing: true },
    Route { name: "put /v1/goals/{key}/status", call: |house, _| house.call("PUT", "/v1/goals/acmes/status").json(&json!({ "status": "archived" })), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "post /v1/goals/{key}/rollback", call: |house, _| house.post("/v1/goals/acmes/rollback").json(&json!({ "revision": 1 })), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "get /v1/experiments/{key}/results", call: |house, _| house.get("/v1/experiments/acmes/results"), roles: READERS, key_in_path: false, names_a_thing: true },
    Route { name: "get /v1/experiences/{key}/results", call: |house, _| house.get("/v1/experiences/acmes/results"), roles: READERS, key_in_path: false, names_a_thing: true },
    Route { name: "post /v1/experiments/{key}/ship", call: |house, _| house.post("/v1/experiments/acmes/ship").json(&json!({ "variation": "1" })), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "post /v1/experiences/{key}/ship", call: |house, _| house.post("/v1/experiences/acmes/ship").json(&json!({ "variation": "1" })), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "post /v1/experiments/{key}/learn", call: |house, _| house.post("/v1/experiments/acmes/learn"), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "post /v1/experiences/{key}/learn", call: |house, _| house.post("/v1/experiences/acmes/learn"), roles: AUTHORS, key_in_path: false, names_a_thing: true },
    Route { name: "post /v1/plan", call: |house, _| house.post("/v1/plan").json(&json!({ "rate": 0.1, "lift": 0.2 })), roles: READERS, key_in_path: false, names_a_thing: false },
    Route { name: "get /v1/audit", call: |house, _| house.get("/v1/audit"), roles: &[Owner, Admin, Auditor], key_in_path: false, names_a_thing: false },
];

fn publication() -> Value {
    json!({ "bundle": bundle(), "models": { "buyers": encoded(&model(0.5)) } })
}

fn encoded(file: &[u8]) -> String {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(file)
}

fn acme(house: &House) -> Acme {
    let tenant = house.tenant("Acme");
    house.send(&tenant, json!([page("ann", "m1", "/pricing")]));
    let visitor = house.settle(&tenant, 1)[0]["id"].as_str().unwrap().to_owned();
    let keys = house.get("/v1/keys").key(&tenant.admin_key).send().json();
    let page_key =
        keys["keys"].as_array().unwrap().iter().find(|key| key["role"] == "page").unwrap();
    let secret = house.post("/v1/identity-secrets").key(&tenant.admin_key).send().json();
    let author = |kind: &str, status: &str, definition: Value| {
        let body = json!({ "key": "acmes", "status": status, "definition": definition });
        let made = house.post(&format!("/v1/{kind}")).key(&tenant.admin_key).json(&body).send();
        assert_eq!(made.status, 201, "{}", made.text);
    };
    author("audiences", "draft", json!({ "condition": {} }));
    author("experiments", "draft", json!({ "variations": [{}, {}] }));
    author(
        "experiences",
        "draft",
        json!({ "slot": "x", "content": { "type": "text", "text": "Hi" } }),
    );
    author("goals", "draft", json!({ "event": "x" }));
    let mut theirs = rapport_core::model::decode(&model(0.2)).unwrap();
    theirs.name = "acmes".to_owned();
    let theirs = encoded(&rapport_core::model::encode(&theirs).unwrap());
    let added =
        house.post("/v1/models").key(&tenant.admin_key).json(&json!({ "file": theirs })).send();
    assert_eq!(added.status, 201, "{}", added.text);
    // What runs is published; it comes last, and once.
    author("features", "running", json!({ "defaultValue": 1 }));
    let config = eventually(|| {
        let config = house.get(&format!("/v1/sdk/{}.json", tenant.write_key)).send().json();
        config["parts"]["flags"].is_string().then_some(config)
    });
    Acme {
        visitor,
        key_id: page_key["id"].as_str().unwrap().to_owned(),
        secret_id: secret["id"].as_str().unwrap().to_owned(),
        part: config["parts"]["decision"].as_str().unwrap().to_owned(),
        tenant,
    }
}

#[test]
fn the_table_holds_every_route() {
    let house = House::open();
    let document = house.get("/openapi.json").send().json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let documented: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
        })
        .collect();
    let tabled: BTreeSet<String> = TABLE.iter().map(|route| route.name.to_owned()).collect();
    assert_eq!(documented, tabled);
}

#[test]
fn no_route_is_added_beside_the_document() {
    let router = include_str!("../src/router.rs");
    assert!(!router.contains(".route("), "routes are added with routes!, which documents them");
}

#[test]
fn each_role_may_what_the_table_says_and_nothing_else() {
    let house = House::open();
    let acme = acme(&house);
    for route in TABLE {
        if route.roles.is_empty() {
            assert!(
                !matches!((route.call)(&house, &acme).send().status, 401 | 403),
                "{}",
                route.name
            );
            continue;
        }
        if !route.key_in_path {
            assert_eq!(
                (route.call)(&house, &acme).send().status,
                401,
                "{} without a key",
                route.name
            );
        }
        for credential in ["Bearer sk_live_nonsense", "Bearer ", "Basic bm9uc2Vuc2U6"] {
            let reply = (route.call)(&house, &acme).header("authorization", credential).send();
            assert!(
                route.key_in_path || reply.status == 401,
                "{} with {credential}: {}",
                route.name,
                reply.status
            );
        }
        for role in Role::GRANTABLE.into_iter().chain([Page]) {
            let key = house.key(acme.tenant.scope, role);
            let reply = (route.call)(&house, &acme).key(&key).send();
            let allowed = route.roles.contains(&role) || route.key_in_path;
            let refused = matches!(reply.status, 401 | 403);
            assert_eq!(
                refused,
                !allowed,
                "{} as {}: {} {}",
                route.name,
                role.word(),
                reply.status,
                reply.text
            );
        }
    }
}

#[test]
fn a_key_of_another_workspace_opens_nothing_and_changes_nothing() {
    let house = House::open();
    let acme = acme(&house);
    let bolt = house.bare_tenant("Bolt");
    // Equal bytes have equal names everywhere; Acme's model must be nobody else's.
    house.publish(&bolt, 0.7);
    let before = state(&house, &acme);
    let test = test_environment(acme.tenant.scope);
    let session = house.session(&[bolt.scope.workspace]);
    for route in TABLE.iter().filter(|route| !route.roles.is_empty()) {
        let mut calls =
            vec![(route.call)(&house, &acme).cookie(&session).header("origin", &house.url())];
        for (scope, roles) in [(bolt.scope, route.roles), (test, route.roles)] {
            for role in roles {
                let key = house.key(scope, *role);
                calls.push(if route.key_in_path {
                    swap_key(&house, route, &acme, &key)
                } else {
                    (route.call)(&house, &acme).key(&key)
                });
            }
        }
        for (number, call) in calls.into_iter().enumerate().skip(usize::from(route.key_in_path)) {
            let reply = call.send();
            if route.names_a_thing {
                // Where pages send, the cookie of somebody who is signed in says nothing.
                let ignored = number == 0 && route.roles == SENDERS;
                let status = if ignored { 401 } else { 404 };
                assert_eq!(reply.status, status, "{}: {}", route.name, reply.text);
            }
            for secret in [&acme.visitor, &acme.key_id, &acme.tenant.write_key] {
                assert!(!reply.text.contains(secret.as_str()), "{} tells {secret}", route.name);
            }
        }
    }
    assert_eq!(state(&house, &acme), before);
}

/// The same request with another key in its address.
fn swap_key(house: &House, route: &Route, acme: &Acme, key: &str) -> Call {
    let mut theirs = acme.clone();
    theirs.part = acme.part.replace(&acme.tenant.write_key, key);
    key.clone_into(&mut theirs.tenant.write_key);
    (route.call)(house, &theirs)
}

fn state(house: &House, acme: &Acme) -> Vec<Value> {
    let admin = &acme.tenant.admin_key;
    let mut visitor = house.get(&format!("/v1/visitors/{}", acme.visitor)).key(admin).send().json();
    // Scores are as of now; now moves on.
    visitor["asOf"] = Value::Null;
    let bundle = house.get("/v1/bundles/current").key(admin).send().json();
    let visitors = json!(house.visitors(&acme.tenant).len());
    let kinds = ["audiences", "features", "experiments", "experiences", "goals"];
    let authored = kinds.map(|kind| house.get(&format!("/v1/{kind}")).key(admin).send().json());
    let keys = house.get("/v1/keys").key(admin).send().json()["keys"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| key["id"] == acme.key_id.as_str())
        .cloned()
        .collect();
    vec![visitor, bundle, visitors, keys, json!(authored)]
}

#[test]
fn a_secret_key_in_an_address_is_refused_because_addresses_are_logged() {
    let house = House::open();
    let acme = house.tenant("Acme");
    assert_eq!(house.get(&format!("/v1/visitors?key={}", acme.admin_key)).send().status, 401);
    assert_eq!(house.get(&format!("/v1/sdk/{}.json", acme.admin_key)).send().status, 401);
}

#[test]
fn a_revoked_key_opens_nothing_at_once() {
    let house = House::open();
    let acme = acme(&house);
    let reply = house
        .call("DELETE", &format!("/v1/keys/{}", acme.key_id))
        .key(&acme.tenant.admin_key)
        .send();
    assert_eq!(reply.status, 204);
    let reply =
        house.post("/v1/events").key(&acme.tenant.write_key).json(&json!({ "batch": [] })).send();
    assert_eq!(reply.status, 401);
}

#[test]
fn an_owner_link_works_once() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let path = &house.owner_link(&[acme.scope.workspace]);
    assert_eq!(house.call("HEAD", path).send().status, 405, "looking does not spend it");
    let first = house.get(path).send();
    assert_eq!((first.status, first.header("location").as_str()), (303, "/live"));
    let cookie = first.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    assert_eq!(house.get(path).send().status, 410);
    let cookie = cookie.split(';').next().unwrap();
    let again = house.get(path).cookie(cookie).send();
    assert_eq!((again.status, again.header("location").as_str()), (303, "/live"));
    assert_eq!(again.header("set-cookie"), "", "a spent link makes no session");
    let session = house.get("/v1/session").cookie(cookie).send().json();
    assert_eq!(
        (session["role"].as_str(), session["workspaces"][0]["name"].as_str()),
        (Some("owner"), Some("Acme"))
    );
}

#[test]
fn a_person_gets_pages_of_words_and_a_machine_gets_documents() {
    let house = House::open();
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let get = |path: &str, accept: &str| house.get(path).header("accept", accept).send();
    let welcome = get("/", browser);
    assert_eq!(
        (welcome.status, welcome.header("content-type").as_str()),
        (200, "text/html; charset=utf-8")
    );
    for address in ["/live", "/docs", "/health"] {
        assert!(welcome.text.contains(&format!("href=\"{address}\"")), "{address}");
        assert_eq!(get(address, browser).status, 200, "{address}");
    }
    assert_eq!(house.get("/").send().status, 200);
    let spent = get("/owner/ol_nonsense", browser);
    assert_eq!(
        (spent.status, spent.header("content-type").as_str()),
        (410, "text/html; charset=utf-8")
    );
    assert!(spent.text.contains("--owner-link"), "{}", spent.text);
    for (path, status) in [("/", 404), ("/owner/ol_nonsense", 410), ("/nowhere", 404)] {
        let reply = get(path, "application/json");
        assert_eq!(
            (reply.status, reply.header("content-type").as_str()),
            (status, "application/problem+json")
        );
        assert_eq!(reply.json()["status"], status);
    }
}

#[test]
fn a_keys_name_shows_as_it_is() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let make = |name: &str| {
        let body = json!({ "name": name, "role": "sales" });
        house.post("/v1/keys").key(&acme.admin_key).json(&body).send().status
    };
    for name in ["", "  ", "a\u{0}b", "a\nb", "\u{1b}[2J", "x\u{85}y", &"x".repeat(81)] {
        assert_eq!(make(name), 400, "{name:?}");
    }
    assert_eq!(make("Größe 🦀"), 201);
}

#[test]
fn of_those_who_open_an_owner_link_at_once_one_gets_in() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let path = &house.owner_link(&[acme.scope.workspace]);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let opened: Vec<_> =
            (0..8).map(|_| scope.spawn(|| house.get(path).send().status)).collect();
        opened.into_iter().map(|opened| opened.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 410).count(), 7, "{statuses:?}");
}

#[test]
fn a_session_switches_between_its_workspaces_only_from_its_own_pages() {
    let house = House::open();
    let [acme, bolt, other] = ["Acme", "Bolt", "Other"].map(|name| house.tenant(name));
    house.send(&bolt, json!([page("bob", "m1", "/")]));
    let session = house.session(&[acme.scope.workspace, bolt.scope.workspace]);
    let switch = |to: Scope| {
        house
            .call("PUT", "/v1/session")
            .cookie(&session)
            .json(&json!({ "workspace": to.workspace.to_string() }))
    };
    assert_eq!(
        switch(bolt.scope).send().status,
        403,
        "a request that does not say where it comes from"
    );
    assert_eq!(switch(bolt.scope).header("origin", "https://evil.example").send().status, 403);
    assert_eq!(switch(other.scope).header("origin", &house.url()).send().status, 404);
    assert_eq!(switch(bolt.scope).header("origin", &house.url()).send().status, 204);
    let visitors = eventually(|| {
        let reply = house.get("/v1/visitors").cookie(&session).send().json();
        (!reply["visitors"].as_array().unwrap().is_empty()).then_some(reply)
    });
    assert_eq!(visitors["visitors"][0]["id"], house.visitors(&bolt)[0]["id"]);
}

#[test]
fn every_administrative_change_is_in_the_audit_log() {
    let house = House::open();
    let acme = acme(&house);
    let admin = &acme.tenant.admin_key;
    let made = house
        .post("/v1/keys")
        .key(admin)
        .json(&json!({ "name": "crm", "role": "developer" }))
        .send();
    assert_eq!(made.status, 201);
    let made = made.json();
    let id = made["id"].as_str().unwrap();
    house.call("DELETE", &format!("/v1/keys/{id}")).key(admin).send();
    assert_eq!(house.post("/v1/bundles").key(admin).json(&publication()).send().status, 201);
    house.call("DELETE", &format!("/v1/visitors/{}", acme.visitor)).key(admin).send();
    house.session(&[acme.tenant.scope.workspace]);

    let audit = house.get("/v1/audit").key(admin).send();
    assert!(!audit.text.contains(made["key"].as_str().unwrap()), "no secret in the audit log");
    let audit = audit.json();
    let entries = audit["entries"].as_array().unwrap();
    let actions: Vec<_> =
        entries.iter().rev().map(|entry| entry["action"].as_str().unwrap()).collect();
    let expected = [
        "workspace.create",
        "key.create",
        "key.create",
        "bundle.publish",
        "identity_secret.create",
        "audience.create",
        "experiment.create",
        "experience.create",
        "goal.create",
        "model.add",
        "feature.create",
        "bundle.publish",
        "key.create",
        "key.revoke",
        "bundle.publish",
        "visitor.erase",
        "owner_link.create",
        "member.join",
    ];
    assert_eq!(actions, expected);
    let republished = &entries[3];
    assert_eq!(republished["before"]["format"], 1);
    assert!(republished["after"]["parts"].is_array());
    let numbers: Vec<_> = entries.iter().map(|entry| entry["number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=18).rev().collect::<Vec<_>>());
    let page_two = house.get("/v1/audit?before=3").key(admin).send().json();
    assert_eq!(page_two["entries"].as_array().unwrap().len(), 2);
}
