//! `rapport bundle`: compiled, looked at, checked, compared.
#![allow(clippy::unwrap_used)]

mod folder;

use folder::Folder;

const OLD: &str = r#"{"workspace": "acme", "environment": "live",
    "signals": [{"id": 1, "name": "visits", "label": "Visits", "kind": "count"}],
    "flags": {
        "audiences": {"hot": {"$score": {"$gte": 70}}},
        "features": {"hero": {"defaultValue": "plain", "rules": [{"force": "warm", "condition": {"country": "DE"}}]}},
        "experiences": [
            {"key": "talk", "slot": "hero", "audience": "hot", "content": {"type": "text", "text": "Talk"}},
            {"key": "broken", "slot": "hero", "audience": "cold", "content": {"type": "text", "text": "?"}}]}}"#;

fn said(output: &std::process::Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_bundle_is_compiled_signed_looked_at_and_checked() {
    let folder = Folder::new("bundle");
    folder.write("bundle.json", OLD);
    let compile = ["bundle", "compile", "bundle.json", "--key", "sign.key", "--out", "b.rapport"];
    let (_, log) = said(&folder.ok(&compile));
    assert!(log.contains("sign.key: a new key"), "{log}");
    let left_out = "left out: flags `experiences.broken`: there is no audience `cold`";
    assert!(log.contains(left_out), "{log}");
    let first = folder.read("b.rapport");
    folder.ok(&compile);
    assert_eq!(folder.read("b.rapport"), first, "the same bundle and key make the same file");

    let (parts, _) = said(&folder.ok(&["bundle", "inspect", "b.rapport"]));
    for line in [
        "workspace acme, live",
        "  flags: ",
        "features: hero",
        "audiences: hot",
        "experiences, by priority: talk\n",
    ] {
        assert!(parts.contains(line), "{line}: {parts}");
    }
    let (facts, _) = said(&folder.ok(&["bundle", "inspect", "bundle.json"]));
    assert!(
        facts.contains("everybody can read")
            && facts.contains(r#"audience of hot: {"$score":{"$gte":70}}"#),
        "{facts}"
    );

    let key = parts.lines().next().unwrap().strip_prefix("public key ").unwrap();
    let (checked, _) = said(&folder.ok(&["bundle", "verify", "b.rapport", "--public-key", key]));
    assert!(checked.contains("3 parts, all whole; signed by the key that was given"), "{checked}");
    folder.ok(&["bundle", "verify", "b.rapport"]);
}

#[test]
fn what_is_wrong_with_a_bundle_is_said_with_what_to_do() {
    let folder = Folder::new("bundle-wrong");
    folder.write("bundle.json", OLD);
    folder.write("noise.json", "{");
    folder.write("short.key", "AAAA");
    folder.ok(&["bundle", "compile", "bundle.json", "--key", "sign.key", "--out", "b.rapport"]);
    let other = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let whole = folder.read("b.rapport");
    folder.write("renamed.rapport", &whole.replace("acme", "evil"));
    let at = whole.find("\"parts\":{\"").unwrap() + 80;
    let (head, tail) = whole.split_at(at);
    folder.write("damaged.rapport", &format!("{head}QUJD{}", &tail[4..]));
    for (arguments, reason) in [
        (
            &["bundle", "verify", "b.rapport", "--public-key", other][..],
            "not signed by the key that was given",
        ),
        (&["bundle", "verify", "renamed.rapport"], "not signed by its own key"),
        (&["bundle", "verify", "damaged.rapport"], "is not what the manifest names"),
        (&["bundle", "verify", "b.rapport", "--public-key", "x"], "public key is not base 64"),
        (&["bundle", "verify", "noise.json"], "write one with `rapport bundle compile`"),
        (&["bundle", "inspect", "noise.json"], "is no bundle"),
        (&["bundle", "inspect", "absent.json"], "cannot read absent.json"),
        (
            &["bundle", "compile", "bundle.json", "--key", "short.key", "--out", "x"],
            "32 bytes in base 64",
        ),
        (
            &["bundle", "compile", "bundle.json", "--key", "k", "--out", "x", "--strict"],
            "1 problems; nothing was written",
        ),
        (
            &["bundle", "compile", "bundle.json", "--model", "m", "--key", "k", "--out", "x"],
            "NAME=FILE",
        ),
        (&["bundle", "diff", "b.rapport", "bundle.json"], "no authored bundle"),
    ] {
        let output = folder.run(arguments);
        let (_, error) = said(&output);
        assert!(!output.status.success() && error.contains(reason), "{arguments:?}: {error}");
    }
    assert!(!folder.0.join("x").exists());
}

#[test]
fn a_difference_says_what_changes_and_for_whom() {
    let folder = Folder::new("bundle-diff");
    folder.write("old.json", OLD);
    folder.write("same.json", OLD);
    let new = OLD.replace("70", "80").replace(r#""force": "warm""#, r#""force": "hot""#).replace(
        r#""key": "broken", "slot": "hero", "audience": "cold""#,
        r#""key": "all", "slot": "bar""#,
    );
    folder.write("new.json", &new);
    let (same, _) = said(&folder.ok(&["bundle", "diff", "old.json", "same.json"]));
    assert_eq!(same, "nothing changes\n");
    let (changed, _) = said(&folder.ok(&["bundle", "diff", "old.json", "new.json"]));
    let expected = "\
~ audience `hot`
    $score: {\"$gte\":70} → {\"$gte\":80}
    it decides who gets talk
+ experience `all`, for everybody
- experience `broken`
~ feature `hero`
    rule 1: {\"condition\":{\"country\":\"DE\"},\"force\":\"warm\"} → {\"condition\":{\"country\":\"DE\"},\"force\":\"hot\"}
";
    assert_eq!(changed, expected);
}
