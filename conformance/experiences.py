"""The suite `experiences` through the Python SDK: bundles opened, visitors decided for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from growthbook import like
from rapport import Bundle, Engine, Exposure, testing

Case = dict[str, Any]

# What Python calls the members of a visitor that it calls otherwise.
MEMBERS = {
    "anonymousId": "anonymous_id",
    "userId": "user_id",
    "forcedVariations": "forced_variations",
    "qaMode": "qa_mode",
    "stickyBucketAssignmentDocs": "sticky",
}


def experiences(path: Path) -> list[tuple[str, list[str]]]:
    """A name and a list of failures each case of a file, whose bundle stands beside it."""
    document = json.loads(path.read_text(encoding="utf-8"))
    heard: list[Exposure] = []
    engine = Bundle.read(path.with_suffix(".rapport")).engine(on_exposure=heard.append)
    results = []
    for case in document["cases"]:
        heard.clear()
        try:
            faults = compared(engine, heard, document["flags"], case)
        except Exception as error:  # a case that raises has failed, whatever it raises
            faults = [f"{type(error).__name__}: {error}"]
        results.append((case["name"], faults))
    found = Engine.from_payload(document["flags"]).problems
    wrong = [
        f"is reported: {said}"
        for said in found
        if not any(
            said.startswith(f"{at}: ") and reason in said for at, reason in document["problems"]
        )
    ]
    if wrong or len(found) != len(document["problems"]):
        results[0][1].extend([*wrong, f"{len(found)} problems, not {len(document['problems'])}"])
    return results


def compared(engine: Engine, heard: list[Exposure], flags: Any, case: Case) -> list[str]:
    expect = case["expect"]
    visitor = {MEMBERS.get(name, name): value for name, value in case["visitor"].items()}
    decision = engine.decide(visitor)
    faults = [
        *told("score", decision.score, expect["score"]),
        *told("band", decision.band, expect["band"]),
        *told("audiences", decision.audiences, expect["audiences"]),
    ]
    documents: list[Any] = []
    for key, wanted in expect["features"].items():
        feature = engine.feature(key, visitor)
        faults += told(key, answer(feature, engine.why(key, visitor)), wanted)
        faults += told(f"{key}, decided at once", decision.features[key].value, wanted["value"])
        documents += [feature.sticky] if feature.sticky is not None else []
    keeping = {one["key"]: one.get("persistQueryString", False) for one in authored(flags)}
    for number, wanted in enumerate(expect["pages"]):
        page = engine.experiment(number, visitor)
        found = {"experiment": page.experiment["key"], "result": result(page)}
        to = page.value.get("urlRedirect") if page.in_experiment and page.value else None
        if to is not None:
            keep = keeping[wanted["experiment"]]
            found["redirect"] = testing.redirect_to(visitor.get("url", ""), to, keep)
        faults += told(f"page {number}", found, wanted)
        documents += [page.sticky] if page.sticky is not None else []
    shown = [one for one in expect["pages"] if one["result"]["inExperiment"]]
    at_once = [change.experiment["key"] for change in decision.changes]
    faults += told("changes", at_once, [one["experiment"] for one in shown])
    seen: dict[tuple[str, str], Any] = {}
    for exposure in heard:
        properties = {name: held for name, held in exposure.properties.items() if name != "bundle"}
        seen.setdefault((exposure.experiment_id, exposure.variation_id), properties)
    faults += told("exposures", list(seen.values()), expect["exposures"])
    if "sticky" in expect:
        faults += told("sticky", together(visitor["sticky"], documents), expect["sticky"])
    return faults


def authored(flags: Any) -> list[Any]:
    return [*flags.get("experiments", []), *flags.get("experiences", [])]


def answer(feature: Any, why: list[str]) -> Any:
    found = {"value": feature.value, "source": feature.source, "ruleId": feature.rule_id}
    found["why"] = why
    if feature.experiment_result is not None:
        found["experiment"] = feature.experiment["key"]
        found["result"] = result(feature)
    return found


def result(of: Any) -> Any:
    """With its reason, which stands beside it."""
    return {**of.experiment_result, "why": of.why}


def together(before: dict[str, Any], answers: list[Any]) -> Any:
    """What is remembered after several answers: what was, and what each changed of it."""
    out = {key: {**one, "assignments": {**one["assignments"]}} for key, one in before.items()}
    for key, one in (pair for documents in answers for pair in documents.items()):
        known = before.get(key, {}).get("assignments", {})
        news = {name: kept for name, kept in one["assignments"].items() if known.get(name) != kept}
        out.setdefault(key, {**one, "assignments": {}})["assignments"].update(news)
    return out


def told(what: str, found: Any, wanted: Any) -> list[str]:
    fault = like(found, wanted)
    return [] if fault is None else [f"{what}: {fault}"]
