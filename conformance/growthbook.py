"""GrowthBook's own cases (suites/growthbook/cases.json) through the Python SDK's public calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from rapport import Engine, testing
from rapport.growthbook import decrypt

Case = list[Any]

# How many cases there are of each kind; a file that holds others is not the one that is meant.
COUNTS = {
    "evalCondition": 248,
    "run": 73,
    "feature": 55,
    "contextualBandit": 35,
    "stickyBucket": 13,
    "urlRedirect": 4,
    "hash": 15,
    "getBucketRange": 13,
    "chooseVariation": 13,
    "getQueryStringOverride": 16,
    "inNamespace": 16,
    "getEqualWeights": 6,
    "decrypt": 10,
}

# GrowthBook's words for what a visitor's dict holds.
MEMBERS = {
    "attributes": "attributes",
    "url": "url",
    "enabled": "enabled",
    "qaMode": "qa_mode",
    "forcedVariations": "forced_variations",
    "stickyBucketAssignmentDocs": "sticky",
}


def growthbook(cases: dict[str, list[Case]]) -> list[tuple[str, list[str]]]:
    """Runs all of them; a name and a list of failures each."""
    results: list[tuple[str, list[str]]] = []
    held = sum(len(kind) for kind in cases.values() if isinstance(kind, list))
    if held != sum(COUNTS.values()):
        results.append(("all", [f"the file has {held} cases, {sum(COUNTS.values())} are known"]))
    for kind, count in COUNTS.items():
        if len(cases[kind]) != count:
            results.append((kind, [f"{len(cases[kind])} cases are not {count}"]))
        for at, case in enumerate(cases[kind]):
            try:
                fault = KINDS[kind](case)
            except Exception as error:  # a case that raises has failed, whatever it raises
                fault = f"{type(error).__name__}: {error}"
            results.append((f"{kind} {at}: {case[0]}", [fault] if fault else []))
    return results


def visitor(context: dict[str, Any]) -> dict[str, Any]:
    return {ours: context[theirs] for theirs, ours in MEMBERS.items() if theirs in context}


def condition(case: Case) -> str | None:
    _, asked, attributes, expected, *groups = case
    rule = {"force": True, "condition": asked}
    feature = {"defaultValue": False, "rules": [rule]}
    payload = {"features": {"f": feature}, "savedGroups": groups[0] if groups else {}}
    found = Engine.from_payload(payload).feature("f", {"attributes": attributes})
    return same(found.value, expected)


def feature(case: Case) -> str | None:
    _, context, key, expected = case
    return like(answer(Engine.from_payload(context).feature(key, visitor(context))), expected)


def answer(found: Any) -> dict[str, Any]:
    return {
        "value": found.value,
        "on": found.on,
        "off": found.off,
        "source": found.source,
        "ruleId": found.rule_id,
        "experiment": found.experiment,
        "experimentResult": found.experiment_result,
    }


def run(case: Case) -> str | None:
    _, context, experiment, value, in_experiment, hash_used = case
    engine = Engine.from_payload({**context, "experiments": [experiment]})
    result = engine.experiment(0, visitor(context)).experiment_result
    found = [result["value"], result["inExperiment"], result["hashUsed"]]
    return like(found, [value, in_experiment, hash_used])


def sticky(case: Case) -> str | None:
    _, context, documents, key, result, remembered = case
    asked = visitor({**context, "stickyBucketAssignmentDocs": documents})
    found = Engine.from_payload(context).feature(key, asked)
    kept = dict(found.sticky)
    # Of other visitors' documents nothing is expected.
    kept.pop("deviceId||d456", None)
    return like(found.experiment_result, result) or like(kept, remembered)


def redirect(case: Case) -> str | None:
    _, context, [expected] = case
    engine = Engine.from_payload(context)
    for at, experiment in enumerate(context["experiments"]):
        found = engine.experiment(at, visitor(context))
        to = found.value.get("urlRedirect") if found.in_experiment else None
        if to is None:
            continue
        keep_query = experiment.get("persistQueryString", False)
        address = testing.redirect_to(context["url"], to, keep_query)
        return like({"inExperiment": True, "urlRedirect": to, "urlWithParams": address}, expected)
    return "nothing redirects"


def bucket_ranges(case: Case) -> str | None:
    _, [count, coverage, weights], expected = case
    found = testing.ranges_of(count, coverage, weights)
    flat = [bound for pair in found for bound in pair]
    return near(flat, [bound for pair in expected for bound in pair])


def chosen(case: Case) -> str | None:
    _, place, ranges, expected = case
    found = testing.chosen_of([tuple(pair) for pair in ranges], place)
    return same(-1 if found is None else found, expected)


def namespace(case: Case) -> str | None:
    _, value, [seed, start, end], expected = case
    return same(testing.in_namespace(value, seed, start, end), expected)


def decrypted(case: Case) -> str | None:
    _, text, key, expected = case
    try:
        return same(decrypt(text, key), expected)
    except ValueError as error:
        return None if expected is None else str(error)


KINDS: dict[str, Callable[[Case], str | None]] = {
    "evalCondition": condition,
    "run": run,
    "feature": feature,
    "contextualBandit": feature,
    "stickyBucket": sticky,
    "urlRedirect": redirect,
    "hash": lambda case: same(testing.place_of(*case[:3]), case[3]),
    "getBucketRange": bucket_ranges,
    "chooseVariation": chosen,
    "getQueryStringOverride": lambda case: same(testing.query_override_of(*case[1:4]), case[4]),
    "inNamespace": namespace,
    "getEqualWeights": lambda case: near(testing.equal_weights_of(max(case[0], 0)), case[1]),
    "decrypt": decrypted,
}


def near(found: list[float], expected: list[float]) -> str | None:
    close = len(found) == len(expected) and all(
        abs(one - other) < 1e-6 for one, other in zip(found, expected, strict=True)
    )
    return None if close else f"{found} is not {expected}"


def same(found: Any, expected: Any) -> str | None:
    equal = (type(found) is type(expected) and found == expected) or written(found) == written(
        expected
    )
    return None if equal else f"{found!r} is not {expected!r}"


def like(found: Any, expected: Any) -> str | None:
    """Whether both say the same, whatever the order of members; None is absent."""
    left, right = written(found), written(expected)
    return None if left == right else f"{left} is not {right}"


def written(value: Any) -> str:
    return json.dumps(plain(value), sort_keys=True)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: held for name, held in value.items() if name == "value" or held is not None}
        return {name: plain(held) for name, held in kept.items()}
    if isinstance(value, list):
        return [plain(held) for held in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
