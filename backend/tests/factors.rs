//! Several factors in one experiment, segments, and the ways to look at results, over HTTP.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::{House, Tenant, eventually};
use serde_json::{Value, json};

const DESKTOP: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36";
const PHONE: &str = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36";

fn create(house: &House, tenant: &Tenant, kind: &str, key: &str, definition: Value) -> Value {
    let body = json!({ "key": key, "status": "running", "definition": definition });
    let reply = house.post(&format!("/v1/{kind}")).key(&tenant.admin_key).json(&body).send();
    assert!([201, 422].contains(&reply.status), "{}", reply.text);
    reply.json()
}

fn event(visitor: &str, name: &str, properties: Value, agent: &str) -> Value {
    let page = json!({ "url": "https://acme.example/", "path": "/", "referrer": "https://search.example/?q=x" });
    json!({ "type": "track", "event": name, "anonymousId": visitor, "messageId": format!("{visitor} {name}"),
        "properties": properties, "context": { "userAgent": agent, "page": page } })
}

/// Of each variation so many are shown it, on phones every second, and of these so many sign up.
fn show(house: &House, tenant: &Tenant, variation: &str, shown: usize, signups: [usize; 2]) {
    let mut events = Vec::new();
    for number in 0..shown {
        let visitor = format!("{variation}/{number}");
        let agent = if number % 2 == 0 { DESKTOP } else { PHONE };
        let plan = if number % 4 < 2 { "free" } else { "team" };
        let viewed = json!({ "experimentId": "grid", "variationId": variation, "context": { "plan": plan, "$device": "lies" } });
        events.push(event(&visitor, "Experiment Viewed", viewed, agent));
        if number / 2 < signups[number % 2] {
            events.push(event(&visitor, "Signed Up", json!({}), agent));
        }
    }
    for batch in events.chunks(400) {
        assert_eq!(house.send(tenant, json!(batch))["accepted"], batch.len());
    }
}

fn results(house: &House, tenant: &Tenant, query: &str) -> Value {
    eventually(|| {
        let path = format!("/v1/experiments/grid/results?{query}");
        let reply = house.get(&path).key(&tenant.admin_key).send();
        assert_eq!(reply.status, 200, "{}", reply.text);
        let results = reply.json();
        (results["behind"] == 0).then_some(results)
    })
}

fn factor(key: &str) -> Value {
    json!({ "key": key, "levels": [format!("old {key}"), format!("new {key}")] })
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_fraction_of_factors_tells_what_each_did_and_what_it_cannot_tell() {
    let house = House::open();
    let acme = house.tenant("Acme");
    create(&house, &acme, "goals", "signup", json!({ "event": "Signed Up" }));
    create(&house, &acme, "features", "hero", json!({ "defaultValue": null }));
    let grid = json!({ "feature": "hero", "goals": ["signup"], "hashVersion": 2,
        "factors": [factor("title"), factor("button"), factor("image")], "generators": ["C=AB"] });
    let made = create(&house, &acme, "experiments", "grid", grid);
    let variations = made["definition"]["variations"].as_array().unwrap();
    assert_eq!(variations.len(), 4, "half of eight: {made}");
    assert_eq!(
        variations[0],
        json!({ "title": "old title", "button": "old button", "image": "new image" })
    );
    let keys: Vec<&str> = made["definition"]["meta"]
        .as_array()
        .unwrap()
        .iter()
        .map(|meta| meta["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["1-1-2", "2-1-1", "1-2-1", "2-2-2"]);
    let payload = eventually(|| {
        let payload = house.get(&format!("/api/features/{}", acme.write_key)).send();
        payload.text.contains("new image").then_some(payload)
    });
    assert!(!payload.text.contains("generators"), "hosts know nothing of it");

    // Only the new title helps: 10 % of 400 before, 20 % with it.
    for key in &keys {
        let signups = if key.starts_with('2') { [40, 40] } else { [20, 20] };
        show(&house, &acme, key, 400, signups);
    }
    let told = results(&house, &acme, "");
    assert_eq!(told["design"]["factors"], json!({ "A": "title", "B": "button", "C": "image" }));
    assert_eq!(told["design"]["resolution"], 3);
    assert_eq!(told["design"]["aliasing"], json!(["I = ABC", "A = BC", "B = AC", "C = AB"]));
    let terms = told["goals"][0]["terms"].as_array().unwrap();
    assert_eq!(terms.len(), 3, "of what looks alike the first: {terms:?}");
    let title = &terms[0];
    assert_eq!(
        (&title["levels"], &title["aliases"]),
        (&json!({ "title": "new title" }), &json!(["BC"]))
    );
    assert!((number(&title["effect"]) - 0.1).abs() < 1e-9, "{title}");
    assert!(number(&title["pValue"]) < 1e-6 && number(&title["pValueOfMany"]) < 1e-5);
    for other in &terms[1..] {
        assert!(number(&other["effect"]).abs() < 1e-9 && number(&other["pValue"]) > 0.9, "{other}");
    }

    let wrong = |factors: Value, generators: Value, at: &str, reason: &str| {
        let definition = json!({ "feature": "hero", "factors": factors, "generators": generators });
        let reply = create(&house, &acme, "experiments", "wrong", definition);
        let all = reply["errors"].to_string();
        assert!(all.contains(&format!("experiments.wrong.{at}")) && all.contains(reason), "{all}");
    };
    wrong(json!([{ "key": "a", "levels": [1] }]), json!([]), "factors", "at least two levels");
    wrong(json!([factor("a"), factor("a")]), json!([]), "factors", "two factors");
    wrong(json!([factor("a"), factor("b")]), json!(["B=XY"]), "generators", "no generator");
    wrong(json!([factor("a")]), json!(["A=A"]), "generators", "first factors need none");
    wrong(json!([{ "keys": 1 }]), json!([]), "factors", "it is a list such as");
}

#[test]
fn segments_have_comparisons_of_their_own_that_are_corrected_together() {
    let house = House::open();
    let acme = house.tenant("Acme");
    create(&house, &acme, "goals", "signup", json!({ "event": "Signed Up" }));
    create(&house, &acme, "features", "hero", json!({ "defaultValue": 0 }));
    let grid = json!({ "feature": "hero", "goals": ["signup"], "segments": ["plan"], "variations": [0, 1] });
    create(&house, &acme, "experiments", "grid", grid);
    let payload = eventually(|| {
        let payload = house.get(&format!("/api/features/{}", acme.write_key)).send().json();
        (!payload["features"]["hero"]["rules"][0].is_null()).then_some(payload)
    });
    assert_eq!(payload["features"]["hero"]["rules"][0]["contextAttributes"], json!(["plan"]));
    // Only on phones the second variation helps.
    show(&house, &acme, "0", 800, [40, 40]);
    show(&house, &acme, "1", 800, [40, 90]);
    let told = results(&house, &acme, "segment=$device,plan,$source,$band&cuped=false");
    let segments = told["segments"].as_array().unwrap();
    let segment = |attribute: &str, value: &str| {
        let found =
            segments.iter().find(|one| one["attribute"] == attribute && one["value"] == value);
        found.unwrap_or_else(|| panic!("{attribute} {value}: {told}")).clone()
    };
    let effect = |segment: &Value| segment["goals"][0]["variations"][1]["effect"].clone();
    let (phones, desktops) = (segment("$device", "mobile"), segment("$device", "desktop"));
    assert_eq!((&phones["visitors"], &desktops["visitors"]), (&json!(800), &json!(800)));
    assert!((number(&effect(&phones)["lift"]) - 1.25).abs() < 1e-9, "{phones}");
    assert!(number(&effect(&desktops)["lift"]).abs() < 1e-9, "{desktops}");
    assert_eq!(segment("plan", "free")["visitors"], 800);
    assert_eq!(segment("$source", "search.example")["visitors"], 1600);
    assert!(segments.iter().any(|one| one["attribute"] == "$band"));
    let p = number(&effect(&phones)["pValue"]);
    let benjamini = number(&effect(&phones)["pValueOfMany"]);
    let strict =
        results(&house, &acme, "segment=$device,plan,$source,$band&cuped=false&correction=holm");
    let of_holm = strict["segments"].as_array().unwrap().iter();
    let holm = of_holm
        .filter(|one| one["value"] == "mobile")
        .map(|one| number(&effect(one)["pValueOfMany"]));
    let holm = holm.fold(0.0, f64::max);
    assert!(p < benjamini && benjamini <= holm && holm < 0.05, "{p} {benjamini} {holm}");

    let all =
        |query: &str| results(&house, &acme, query)["goals"][0]["variations"][1]["effect"].clone();
    let (plain, strata) = (all("cuped=false"), all("cuped=false&strata=$device"));
    assert!((number(&plain["lift"]) - number(&strata["lift"])).abs() < 0.01, "{plain} {strata}");
    let width = |effect: &Value| number(&effect["interval"][1]) - number(&effect["interval"][0]);
    assert!((width(&strata) - width(&plain)).abs() > 1e-9 && width(&strata) < 1.01 * width(&plain));
    assert!(width(&all("cuped=false&alpha=0.2")) < width(&plain));
    for wrong in ["alpha=2", "colour=1", "correction=magic", "tunedFor=0"] {
        let path = format!("/v1/experiments/grid/results?{wrong}");
        assert_eq!(house.get(&path).key(&acme.admin_key).send().status, 400, "{wrong}");
    }
}

#[test]
fn a_plan_says_how_many_visitors_it_takes() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let ask = |body: Value| house.post("/v1/plan").key(&acme.admin_key).json(&body).send();
    let plan = |body: Value| {
        let reply = ask(body);
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    };
    // Fleiss: 10 % → 12 % at 5 % and 80 % takes 3,839 each.
    let textbook = plan(json!({ "rate": 0.1, "lift": 0.2, "visitorsPerDay": 1000 }));
    assert_eq!(textbook["visitorsPerVariation"], 3839, "{textbook}");
    assert!((number(&textbook["days"]) - 7.678).abs() < 0.01);
    let three = plan(json!({ "rate": 0.1, "lift": 0.2, "variations": 3 }));
    assert!(number(&three["visitorsPerVariation"]) > 3839.0, "alpha is shared: {three}");
    let any_time = plan(json!({ "rate": 0.1, "lift": 0.2, "sequential": true }));
    assert!(number(&any_time["visitors"]) > number(&textbook["visitors"]));
    let both = plan(json!({ "mean": 20, "deviation": 60, "lift": 0.1, "visitors": 28256 }));
    assert!((number(&both["power"]) - 0.8).abs() < 0.01, "{both}");
    assert!((number(&both["detectableLift"]) - 0.1).abs() < 0.001, "{both}");
    for wrong in [
        json!({}),
        json!({ "rate": 0.1 }),
        json!({ "rate": 1.5, "lift": 0.1 }),
        json!({ "rate": 0.9, "lift": 0.5 }),
        json!({ "rate": 0.1, "lift": 0 }),
        json!({ "rate": 0.1, "mean": 3, "lift": 0.1 }),
        json!({ "rate": 0.1, "lift": 0.1, "variations": 1 }),
        json!({ "rate": 0.1, "lift": 0.1, "power": 1 }),
    ] {
        assert_eq!(ask(wrong.clone()).status, 400, "{wrong}");
    }
    assert_eq!(house.post("/v1/plan").json(&json!({})).send().status, 401);
}
