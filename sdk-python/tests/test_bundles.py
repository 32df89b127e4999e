import base64
import json
import os
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from rapport import Bundle, BundleError, Engine, VisitorError, testing

ROOT = Path(__file__).parent.parent.parent
LEADS = ROOT / "sdk-js/dist/test/leads.rpm"
NOW = int(datetime(2026, 11, 23, 12, tzinfo=timezone.utc).timestamp() * 1000)

FLAGS = {
    "audiences": {"hot": {"$score": {"$gte": 1}}},
    "features": {
        "hero": {
            "defaultValue": "plain",
            "rules": [{"key": "hero", "hashVersion": 2, "variations": ["plain", "warm"]}],
        },
        "hot": {
            "defaultValue": False,
            "rules": [{"id": "r", "force": True, "condition": {"$score": {"$gte": 1}}}],
        },
        "banner": {
            "defaultValue": "none",
            "rules": [{"id": "german", "force": "de", "condition": {"country": "DE"}}],
        },
        "offer": {"defaultValue": None},
    },
    "experiences": [
        {
            "key": "autumn",
            "slot": "offer",
            "schedule": {"until": "2026-12-01T00:00:00Z"},
            "cap": {"times": 2, "days": 7},
            "content": {"type": "text", "text": "Autumn"},
        },
        {"key": "form", "audience": "hot", "changes": {"css": "#phone { display: none }"}},
    ],
}


def views(count):
    return [
        {
            "type": "page",
            "messageId": f"m{at}",
            "timestamp": f"2026-11-2{at % 3}T10:00:00Z",
            "context": {"page": {"path": "/pricing", "url": "https://example.com/pricing"}},
        }
        for at in range(count)
    ]


@pytest.fixture(scope="module")
def bundle():
    if not LEADS.exists():
        pytest.skip("no model: cargo xtask test trains it")
    signals = json.loads((ROOT / "examples/demo/signals.json").read_text())
    return testing.bundle(signals=signals, models={"leads": LEADS.read_bytes()}, flags=FLAGS)


@pytest.fixture(scope="module")
def engine(bundle):
    return bundle.engine()


def visitor(**more):
    return {"anonymous_id": "a1", "attributes": {"country": "DE"}, "now": NOW, **more}


def test_a_decision_holds_score_reasons_features_and_why(engine):
    found = engine.decide(visitor(events=views(6)))
    assert 0 <= found.score <= 100
    assert found.band in ("qualified", "undecided", "not")
    assert found.base + sum(reason.points for reason in found.reasons) + found.rest == found.score
    assert set(found.features) == {"banner", "hero", "hot", "offer"}
    assert found.features["banner"].value == "de"
    assert found.audiences == (["hot"] if found.score >= 1 else [])
    assert found.bundle == engine.bundle
    assert any(reason.text and str(reason) in found.why for reason in found.reasons)
    assert any(line.startswith("banner: `german`: its condition holds") for line in found.why)


def test_score_explain_and_feature_agree_with_the_decision(engine):
    asked = visitor(events=views(6))
    found = engine.decide(asked, reasons=256)
    assert engine.score(asked) == found.score
    explained = engine.explain(asked)
    assert [str(one) for one in explained] == [str(one) for one in found.reasons]
    for key in engine.features:
        assert engine.feature(key, asked).value == found.features[key].value


def test_a_stored_profile_goes_on_where_it_was_left(engine):
    whole = engine.decide(visitor(events=views(6)))
    first = engine.decide(visitor(events=views(3)))
    second = engine.decide(visitor(profile=first.profile, events=views(6)[3:]))
    assert (second.score, second.profile) == (whole.score, whole.profile)
    assert engine.score(visitor(profile=whole.profile)) == whole.score


def test_many_events_are_folded_while_other_threads_run(engine):
    assert engine.score(visitor(events=views(500))) is not None


def test_experiences_go_by_time_and_by_what_was_shown(engine):
    def offer(**more):
        return engine.feature("offer", visitor(**more)).value

    assert offer() == {"type": "text", "text": "Autumn"}
    assert offer(shown={"autumn": {"times": 2, "last": NOW - 1000}}) is None
    assert offer(shown={"autumn": {"times": 2, "last": NOW - 8 * 86_400_000}}) is not None
    assert offer(now=NOW + 30 * 86_400_000) is None
    changed = engine.decide(visitor(events=views(6))).changes
    assert [change.value["css"] for change in changed] == ["#phone { display: none }"]


def test_what_only_core_says_no_caller_says(engine):
    refused = visitor(consent={"profiling": False})
    refused["attributes"] = {"$score": 100, "$audiences": ["hot"]}
    assert engine.feature("hot", refused).value is False
    assert engine.score(refused) is None
    assert engine.decide(refused).audiences == []


def test_who_refuses_personalization_gets_the_default_and_nobody_is_told(bundle):
    seen = []
    engine = bundle.engine(on_exposure=seen.append)
    refused = visitor(consent={"personalization": False})
    assert engine.feature("banner", refused).value == "none"
    assert engine.feature("banner", refused).why == "the visitor does not allow personalization"
    decided = engine.decide(refused)
    assert {key: one.source for key, one in decided.features.items()} == {
        "banner": "defaultValue",
        "hero": "defaultValue",
        "hot": "defaultValue",
        "offer": "defaultValue",
    }
    assert (decided.changes, seen) == ([], [])
    engine.feature("hero", visitor())
    assert [exposure.properties["bundle"] for exposure in seen] == [engine.bundle]


def test_ids_decide_where_a_visitor_falls_and_signing_in_changes_nothing(engine):
    def place(**who):
        found = engine.feature("hero", {"attributes": {}, **who}).experiment_result
        return found and found["hashValue"]

    assert place(anonymous_id="a1") == "a1"
    assert place(anonymous_id="a1", user_id="u1") == "a1"
    assert place(user_id="u1") == "u1"
    assert place() is None


def test_asked_why_a_feature_says_each_rule(engine):
    asked = visitor()
    asked["attributes"] = {"country": "FR"}
    assert engine.why("banner", asked) == [
        '`german`: this is for others: `country` is "FR"',
        "no rule applies, so this is the default",
    ]
    assert engine.is_fixed("banner") is False


def test_a_bundle_of_another_key_or_altered_is_refused(bundle):
    other = testing.bundle(flags=FLAGS)
    with pytest.raises(BundleError, match="not signed by this key"):
        replace(bundle, public_key=other.public_key).engine()
    with pytest.raises(BundleError, match="not signed by this key"):
        replace(bundle, manifest=bundle.manifest.replace("test", "live")).engine()
    altered = {hash: part + b"!" for hash, part in bundle.parts.items()}
    with pytest.raises(BundleError, match="its hash differs"):
        replace(bundle, parts=altered).engine()
    with pytest.raises(BundleError, match="is missing"):
        replace(bundle, parts={}).engine()
    with pytest.raises(BundleError, match="the public key is none"):
        replace(bundle, public_key="?").engine()
    with pytest.raises(BundleError, match="has no model `nobody`"):
        bundle.engine(model="nobody")


def test_a_newer_format_says_to_install_a_newer_sdk():
    seed = bytes(range(32))
    own = testing.bundle(seed=seed, flags=FLAGS)
    manifest = own.manifest.replace('"format":1', '"format":9')
    signing = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    key = signing.Ed25519PrivateKey.from_private_bytes(seed)
    signature = base64.b64encode(key.sign(manifest.encode())).decode()
    with pytest.raises(BundleError, match="install a newer rapport-sdk"):
        replace(own, manifest=manifest, signature=signature).engine()


def test_a_bundle_without_a_model_scores_nobody_and_decides_all_else():
    engine = testing.bundle(flags=FLAGS).engine()
    asked = visitor()
    assert (engine.score(asked), engine.explain(asked)) == (None, [])
    decided = engine.decide(asked)
    assert (decided.score, decided.features["banner"].value) == (None, "de")


def test_a_bundle_is_kept_in_a_file_and_read_without_a_network(bundle, tmp_path):
    path = tmp_path / "bundle.json"
    bundle.save(path)
    assert Bundle.read(path) == bundle
    assert os.listdir(tmp_path) == ["bundle.json"]
    assert Bundle.read(path).engine().bundle == bundle.engine().bundle
    path.write_text("[]")
    with pytest.raises(BundleError, match="no bundle"):
        Bundle.read(path)


def test_profiles_and_events_that_cannot_be_read_are_named(engine):
    with pytest.raises(VisitorError):
        engine.score(visitor(profile=b"no profile"))
    with pytest.raises(VisitorError, match=r"event 1: .*type"):
        engine.score(visitor(events=[*views(1), {"type": "dance"}]))
    with pytest.raises(VisitorError, match="are a list of dicts"):
        engine.score(visitor(events="no list"))


def test_a_forked_child_scores_as_its_parent(engine):
    asked = visitor(events=views(6))
    expected = engine.score(asked)
    child = os.fork()
    if child == 0:
        os._exit(0 if engine.score(asked) == expected else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_damaged_parts_are_refused_and_never_crash(bundle):
    for hash, part in bundle.parts.items():
        for cut in (0, 1, 7, len(part) // 2, len(part) - 1):
            parts = {**bundle.parts, hash: part[:cut]}
            with pytest.raises(BundleError):
                replace(bundle, parts=parts).engine()
    with pytest.raises(TypeError):
        Engine.open("text", "", "", {})
