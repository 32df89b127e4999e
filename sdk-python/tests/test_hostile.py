"""Whatever is given, the answer is an answer or an exception that says what to do."""

import os
import random
import string

from rapport import Engine, RapportError, testing

ROUNDS = 40 if "RAPPORT_SOAK" not in os.environ else 4000

WORDS = [
    "features",
    "rules",
    "condition",
    "force",
    "variations",
    "weights",
    "$and",
    "$in",
    "$regex",
]
WORDS += ["experiments", "key", "hashAttribute", "coverage", "ranges", "namespace", "id", "plan"]
WORDS += [
    "parentConditions",
    "savedGroups",
    "contextualBandits",
    "audiences",
    "experiences",
    "slot",
]
MEMBERS = ["attributes", "url", "profile", "events", "now", "consent", "shown", "sticky", "enabled"]
MEMBERS += ["forced_variations", "qa_mode", "anonymous_id", "user_id"]

PAYLOAD = {
    "features": {
        "f": {
            "defaultValue": 0,
            "rules": [
                {"condition": {"plan": {"$in": ["a", 1, None]}}, "force": 1},
                {"key": "e", "variations": [0, 1], "hashAttribute": "plan", "bucketVersion": 1},
            ],
        }
    }
}


def anything(chance, depth=0):
    kinds = 10 if depth < 4 else 7
    kind = chance.randrange(kinds)
    if kind == 0:
        return None
    if kind == 1:
        return chance.random() < 0.5
    if kind == 2:
        return chance.choice([0, -1, 2**63, -(10**400), 10**400, chance.randrange(1000)])
    if kind == 3:
        return chance.choice([float("nan"), float("inf"), -0.0, 1e308, chance.random()])
    if kind == 4:
        return chance.choice(WORDS)
    if kind == 5:
        letters = string.printable + "ü\U0001f600\ud800\x00"
        return "".join(chance.choice(letters) for _ in range(chance.randrange(12)))
    if kind == 6:
        return chance.choice([b"bytes", object(), {1, 2}, (1, "2"), range(3)])
    if kind == 7:
        return [anything(chance, depth + 1) for _ in range(chance.randrange(4))]
    names = [chance.choice(WORDS) for _ in range(chance.randrange(5))]
    return {name: anything(chance, depth + 1) for name in names}


def test_any_payload_is_compiled_or_refused():
    chance = random.Random(7)
    compiled = 0
    for _ in range(ROUNDS * 25):
        payload = {name: anything(chance) for name in chance.sample(WORDS, 4)}
        payload["features"] = {"f": {"defaultValue": 1, "rules": [anything(chance)]}}
        try:
            engine = Engine.from_payload(payload)
        except RapportError:
            continue
        compiled += 1
        assert engine.feature("f", {"attributes": {"id": "a"}}).source != "unknownFeature"
    assert compiled > ROUNDS


def test_any_visitor_is_answered_or_refused():
    engines = [Engine.from_payload(PAYLOAD), testing.bundle(flags=PAYLOAD).engine()]
    chance = random.Random(11)
    answered = 0
    for number in range(ROUNDS * 50):
        names = chance.sample(MEMBERS, chance.randrange(4))
        visitor = {name: anything(chance) for name in names}
        visitor.setdefault("attributes", {"plan": anything(chance)})
        ask = chance.choice(["feature", "decide", "score", "why"])
        arguments = ["f", visitor] if ask in ("feature", "why") else [visitor]
        try:
            getattr(engines[number % 2], ask)(*arguments)
            answered += 1
        except (RapportError, TypeError, ValueError, OverflowError):
            continue
    assert answered > ROUNDS


def test_a_payload_of_ten_megabytes_is_compiled():
    rules = [{"condition": {"plan": f"plan {at}"}, "force": "x" * 900} for at in range(10)]
    payload = {"features": {f"f{at}": {"defaultValue": 0, "rules": rules} for at in range(1100)}}
    engine = Engine.from_payload(payload)
    assert len(engine.features) == 1100
    assert engine.feature("f7", {"attributes": {"plan": "plan 9"}}).value == "x" * 900
