//! Publishing, and what pages get of it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use house::{House, bundle, model, scratch};
use serde_json::{Value, json};

fn body(bundle: Value, file: &[u8]) -> Value {
    json!({ "bundle": bundle, "models": { "buyers": BASE64_STANDARD.encode(file) } })
}

#[test]
fn a_page_gets_everything_from_one_address_that_names_immutable_parts() {
    let sdk = scratch();
    std::fs::write(sdk.join("page-track.js"), "track(self.rapportConfig)").unwrap();
    std::fs::write(sdk.join("page-score.js"), "score(self.rapportConfig)").unwrap();
    std::fs::write(sdk.join("rapport.js"), "export {};").unwrap();
    std::fs::write(sdk.join("rapport_bg.wasm"), [b"\0asm".as_slice(), &[0; 5000]].concat())
        .unwrap();
    let house = House::open_with(|config| config.sdk = Some(sdk.clone()));
    let acme = house.tenant("Acme");

    let script = house.get(&format!("/v1/sdk/{}.js", acme.write_key)).send();
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(script.header("cache-control"), "public, max-age=60, stale-while-revalidate=86400");
    let (config, rest) = script
        .text
        .strip_prefix("//# allFunctionsCalledOnLoad\nself.rapportConfig=")
        .unwrap()
        .split_once(";\n")
        .unwrap();
    let (data, code) = rest.strip_prefix("self.rapportData=").unwrap().split_once(";\n").unwrap();
    assert_eq!(code, "score(self.rapportConfig)");
    let config: Value = serde_json::from_str(config).unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    let decision = BASE64_STANDARD.decode(data["decision"].as_str().unwrap()).unwrap();
    let address = config["parts"]["decision"].as_str().unwrap();
    assert_eq!(house.get(address).send().bytes, decision, "what it carries has an address too");
    let again = house
        .get(&format!("/v1/sdk/{}.js", acme.write_key))
        .header("if-none-match", &script.header("etag"))
        .send();
    assert_eq!((again.status, again.bytes.len()), (304, 0));
    assert_eq!(config, house.get(&format!("/v1/sdk/{}.json", acme.write_key)).send().json());
    assert_eq!(
        (config["key"].as_str(), config["endpoint"].as_str()),
        (Some(acme.write_key.as_str()), Some(house.url().as_str()))
    );

    let parts = config["parts"].as_object().unwrap();
    assert_eq!(parts.keys().collect::<Vec<_>>(), ["decision", "sdk", "wasm"]);
    for (name, address) in parts {
        let plain =
            house.get(address.as_str().unwrap()).header("accept-encoding", "identity").send();
        assert_eq!(plain.status, 200, "{name}");
        assert_eq!(plain.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(plain.header("access-control-allow-origin"), "*");
        let hash = rapport_backend::Sha256Digest::of(&plain.bytes).to_string();
        assert!(address.as_str().unwrap().contains(&hash), "{name} is not what its address says");
    }
    let wasm = parts["wasm"].as_str().unwrap();
    let packed = house.get(wasm).header("accept-encoding", "gzip, deflate, br, zstd").send();
    assert_eq!(
        (packed.header("content-type").as_str(), packed.header("content-encoding").as_str()),
        ("application/wasm", "br")
    );
    assert!(packed.bytes.len() < 100);
    assert_eq!(
        house.get(wasm).header("accept-encoding", "br;q=0, gzip").send().header("content-encoding"),
        ""
    );

    std::fs::write(sdk.join("rapport.js"), "export const newer = 1;").unwrap();
    let newer = house.get(&format!("/v1/sdk/{}.json", acme.write_key)).send().json();
    assert_ne!(newer["parts"]["sdk"], config["parts"]["sdk"], "a new build has a new address");
    assert_eq!(
        house.get(parts["sdk"].as_str().unwrap()).send().status,
        200,
        "and the old one still works"
    );
}

#[test]
fn the_manifest_is_signed_and_says_what_pages_load() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let config = house.get(&format!("/v1/sdk/{}.json", acme.write_key)).send().json();
    let bytes = |name: &str| BASE64_STANDARD.decode(config[name].as_str().unwrap()).unwrap();
    let manifest = config["manifest"].as_str().unwrap();
    let key = VerifyingKey::from_bytes(&bytes("publicKey").try_into().unwrap()).unwrap();
    let signature = Signature::from_slice(&bytes("signature")).unwrap();
    key.verify(manifest.as_bytes(), &signature).unwrap();
    assert!(key.verify(manifest.replace("live", "test").as_bytes(), &signature).is_err());
    assert_eq!(
        config["bundle"],
        rapport_backend::Sha256Digest::of(manifest.as_bytes()).to_string()
    );
    let parsed: Value = serde_json::from_str(manifest).unwrap();
    assert_eq!(
        (parsed["workspace"].as_str().unwrap(), parsed["environment"].as_str().unwrap()),
        (acme.scope.workspace.to_string().as_str(), "live")
    );
    let file = house.get(config["parts"]["decision"].as_str().unwrap()).send().bytes;
    let (lengths, mut rest) = file.split_at(12);
    for (length, part) in lengths.chunks(4).zip(parsed["parts"].as_array().unwrap()) {
        let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
        let bytes;
        (bytes, rest) = rest.split_at(length);
        assert_eq!(part["hash"], rapport_backend::Sha256Digest::of(bytes).to_string());
    }
    assert!(rest.is_empty());
    let admin = house.get("/v1/bundles/current").key(&acme.admin_key).send().json();
    assert_eq!(
        (&admin["manifest"], &admin["signature"], &admin["publicKey"]),
        (&config["manifest"], &config["signature"], &config["publicKey"])
    );
}

#[test]
fn publishing_says_what_a_competitor_can_read() {
    let house = House::open();
    let acme = house.bare_tenant("Acme");
    let reply = house
        .post("/v1/bundles")
        .key(&acme.admin_key)
        .json(&body(Value::Object(bundle()), &model(0.5)))
        .send();
    assert_eq!(reply.status, 201, "{}", reply.text);
    let published = reply.json();
    assert_eq!((&published["number"], &published["problems"]), (&json!(1), &json!([])));
    let public = published["public"].as_array().unwrap();
    assert!(public.iter().any(|fact| fact["what"] == "label" && fact["text"] == "Pricing visits"));
    assert!(public.iter().any(|fact| fact["what"] == "model"));
}

#[test]
fn a_private_model_reaches_no_page() {
    let house = House::open();
    let acme = house.bare_tenant("Acme");
    let mut private = bundle();
    private["models"] = json!([{ "name": "buyers", "score_in_page": "edge" }]);
    let published = house
        .post("/v1/bundles")
        .key(&acme.admin_key)
        .json(&body(Value::Object(private.clone()), &model(0.5)))
        .send()
        .json();
    let config = house.get(&format!("/v1/sdk/{}.json", acme.write_key)).send().json();
    assert!(config["parts"].get("model").is_none());
    let hash = published["manifest"]["parts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|part| part["kind"] == "model")
        .unwrap()["hash"]
        .as_str()
        .unwrap()
        .to_owned();
    for extension in ["bin", "private", "js", "json", "wasm", "bin.br"] {
        assert_eq!(
            house.get(&format!("/v1/parts/{}/{hash}.{extension}", acme.write_key)).send().status,
            404,
            "{extension}"
        );
    }
    let part = house.get(&format!("/v1/bundles/parts/{hash}"));
    let theirs = house.get(&format!("/v1/bundles/parts/{hash}"));
    let public = house.get(&format!("/v1/bundles/parts/{hash}")).key(&acme.write_key).send();
    let fetched = part.key(&acme.admin_key).send();
    assert_eq!(rapport_backend::Sha256Digest::of(&fetched.bytes).to_string(), hash);
    assert!(fetched.header("cache-control").starts_with("private"));
    let other = house.bare_tenant("Other");
    assert_eq!((public.status, theirs.key(&other.admin_key).send().status), (403, 404));
    let decide = || {
        house
            .post("/v1/decide")
            .json(&json!({ "key": acme.write_key, "anonymousId": "ann" }))
            .send()
            .status
    };
    assert_eq!(decide(), 200, "scores still travel");
    private["models"] = json!([{ "name": "buyers", "score_in_page": "off" }]);
    house
        .post("/v1/bundles")
        .key(&acme.admin_key)
        .json(&body(Value::Object(private), &model(0.5)))
        .send();
    assert_eq!(decide(), 404, "unless they must not");
    let server = house.post("/v1/decide").key(&acme.admin_key).json(&json!({})).send();
    assert_eq!(server.status, 200, "a server may ask, of nobody too: {}", server.text);
}

#[test]
fn a_bad_bundle_is_refused_and_the_good_one_stays() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let before = house.get("/v1/bundles/current").key(&acme.admin_key).send().json();
    let good = model(0.5);
    let mut strange = bundle();
    strange["signals"] = json!([{ "id": 1, "name": "x", "label": "X", "kind": "count" }]);
    let mut unnamed = bundle();
    unnamed.remove("signals");
    let flipped: Vec<u8> = good
        .iter()
        .enumerate()
        .map(|(index, byte)| if index == 40 { byte ^ 1 } else { *byte })
        .collect();
    let cases = [
        ("no JSON", "{".to_owned(), "not a bundle"),
        ("no signals", body(Value::Object(unnamed), &good).to_string(), "signals"),
        ("garbage model", body(Value::Object(bundle()), b"garbage").to_string(), "buyers"),
        (
            "truncated model",
            body(Value::Object(bundle()), &good[..good.len() / 2]).to_string(),
            "buyers",
        ),
        ("damaged model", body(Value::Object(bundle()), &flipped).to_string(), "buyers"),
        ("missing model", json!({ "bundle": bundle() }).to_string(), "missing"),
        (
            "model of other signals",
            body(Value::Object(strange), &good).to_string(),
            "does not declare",
        ),
        (
            "no base 64",
            json!({ "bundle": bundle(), "models": { "buyers": "?" } }).to_string(),
            "base 64",
        ),
    ];
    for (what, body, says) in cases {
        let reply = house.post("/v1/bundles").key(&acme.admin_key).body(body).send();
        assert_eq!(reply.status, 400, "{what}: {}", reply.text);
        assert!(reply.json()["detail"].as_str().unwrap().contains(says), "{what}: {}", reply.text);
    }
    assert_eq!(house.get("/v1/bundles/current").key(&acme.admin_key).send().json(), before);
}

#[test]
fn a_page_can_track_before_anything_is_published() {
    let house = House::open();
    let acme = house.bare_tenant("Acme");
    let config = house.get(&format!("/v1/sdk/{}.json", acme.write_key)).send();
    assert_eq!((config.status, &config.json()["bundle"]), (200, &Value::Null));
    assert_eq!(house.get("/v1/bundles/current").key(&acme.admin_key).send().status, 404);
    assert_eq!(house.get("/v1/sdk/wk_live_nonsense.js").send().status, 401);
}

#[test]
fn flags_are_a_part_that_the_page_is_told_of_and_what_is_broken_stays_out() {
    let house = House::open();
    let acme = house.bare_tenant("Acme");
    let mut authored = bundle();
    authored.insert(
        "flags".to_owned(),
        json!({"features": {
            "hero": {"defaultValue": "plain", "rules": [{"force": "warm", "condition": {"country": "DE"}}]},
            "other": {"defaultValue": 1, "rules": [{"force": 2, "condition": {"n": {"$like": "x"}}}]}
        }}),
    );
    let published = house
        .post("/v1/bundles")
        .key(&acme.admin_key)
        .json(&body(Value::Object(authored), &model(0.5)))
        .send();
    assert_eq!(published.status, 201, "{}", published.text);
    let published = published.json();
    assert!(published["problems"][0].as_str().unwrap().contains("features.other"), "{published}");
    let config = house.get(&format!("/v1/sdk/{}.json", acme.write_key)).send().json();
    let part = house.get(config["parts"]["flags"].as_str().unwrap()).send();
    assert_eq!((part.status, part.bytes.get(..4)), (200, Some(b"RPF1".as_slice())));
}
