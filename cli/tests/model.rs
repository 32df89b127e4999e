//! `rapport model`, against a server that runs and against the directory of one that does not.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used)]

mod server;

use serde_json::{Value, json};
use server::{Server, scratch};
use std::path::Path;
use std::process::Command;

/// Runs the command; answers whether it went well, and all that it said.
fn model(arguments: &[&str], key: &str) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rapport"))
        .arg("model")
        .args(arguments)
        .env("RAPPORT_KEY", key)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

fn write(directory: &Path, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A session of the owner may make a key.
fn secret_key(server: &Server) -> String {
    let agent: ureq::Agent = ureq::Agent::config_builder().max_redirects(0).build().into();
    let cookie = agent.get(format!("{}{}", server.url, server.owner_link)).call().unwrap();
    let cookie =
        cookie.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let mut made = agent
        .post(format!("{}/v1/keys", server.url))
        .header("cookie", cookie)
        .header("origin", &server.url)
        .header("content-type", "application/json")
        .send(json!({ "name": "models", "role": "developer" }).to_string())
        .unwrap();
    let made: Value = serde_json::from_str(&made.body_mut().read_to_string().unwrap()).unwrap();
    made["key"].as_str().unwrap().to_owned()
}

#[test]
fn a_scorer_is_added_checked_promoted_listed_and_rolled_back() {
    let (data, files) = (scratch("model-data"), scratch("model-files"));
    std::fs::create_dir_all(&files).unwrap();
    let (mut server, _) = Server::start(&data);
    let key = secret_key(&server);
    let url = server.url.clone();
    let at = ["--url", url.as_str()];
    let run = |arguments: &[&str]| model(&[arguments, &at].concat(), &key);

    let bundle = json!({ "bundle": { "models": [], "signals": [
        { "id": 7, "name": "views", "label": "Views", "kind": "count" },
    ] } });
    ureq::post(format!("{url}/v1/bundles"))
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .send(bundle.to_string())
        .unwrap();
    let scorer = wat::parse_str(
        r#"(module (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
            (func (export "score") (param i32 i32) (result f64) f64.const 0.75))"#,
    )
    .unwrap();
    let scorer = write(&files, "scorer.wasm", scorer);
    let card = json!({ "name": "theirs", "signals": [{ "name": "views" }], "background": [[0]] });
    let card = write(&files, "card.json", card.to_string());

    let (well, said) = run(&["add", &scorer, "--card", &card]);
    assert!(well && said.contains("model 1: `theirs`, wasm"), "{said}");
    let (well, said) = run(&["check", "theirs"]);
    assert!(well && said.contains("model 1 may be promoted") && said.contains("75"), "{said}");
    let (well, said) = run(&["promote", "1"]);
    assert!(well && said.contains("live: model 1 (was the bundle's own model)"), "{said}");
    let (well, said) = run(&["list"]);
    assert!(well && said.contains("live     wasm"), "{said}");

    for (arguments, says) in [
        (&["promote", "1"][..], "live already"),
        (&["promote", "nobody"], "no such model"),
        (&["check", "a/b"], "no model's number or name"),
        (&["add", &scorer], "needs a card"),
        (&["add", &card, "--card", &card], "ONNX"),
        (&["add", "absent.onnx"], "cannot read absent.onnx"),
        (&["add", &scorer, "--card", &scorer], "is no card"),
    ] {
        let (well, said) = run(arguments);
        assert!(
            !well && said.to_lowercase().contains(&says.to_lowercase()),
            "{arguments:?}: {said}"
        );
    }
    let (well, said) = model(&["list", "--url", &url], "sk_live_nonsense");
    assert!(!well && said.contains("credential"), "{said}");
    let (well, said) = model(&["list", "--dir", data.to_str().unwrap()], "");
    assert!(!well && said.contains("another process uses"), "{said}");

    server.signal("-TERM");
    assert!(server.child.wait().unwrap().success());
    let there = ["--dir", data.to_str().unwrap()];
    let (well, said) = model(&[&["rollback"][..], &there].concat(), "");
    assert!(well && said.contains("live: the bundle's own model (was model 1)"), "{said}");
    let (well, said) = model(&[&["rollback"][..], &there].concat(), "");
    assert!(!well && said.contains("nothing to roll back to"), "{said}");
    let (well, said) = model(&[&["list", "--json"][..], &there].concat(), "");
    assert!(well && said.contains("\"retired\""), "{said}");
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::remove_dir_all(&files).unwrap();
}

#[test]
fn the_help_shows_what_to_type_and_what_a_card_is() {
    let (well, said) = model(&["--help"], "");
    assert!(well);
    for part in ["rapport model add net.onnx --card card.json", "\"background\"", "RAPPORT_KEY"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
