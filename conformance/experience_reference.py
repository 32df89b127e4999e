"""A second implementation of deciding, for expected values.

It is written from docs/experiences.md, docs/flags-format.md and GrowthBook's description of its SDKs and
shares no line with core: what is authored is read as it stands, case by case, and nothing is compiled.
"""

from __future__ import annotations

import json
import re
from typing import Any

from targeting_reference import (
    at_path,
    chosen,
    failing,
    holds,
    instant,
    on_pages,
    place,
    ranges_of,
    redirected,
    split_address,
    text,
    truthy,
)

Json = Any
DAY = 86_400_000
MOST_VERSIONS = 1000

# ---------------------------------------------------------------- what is authored


def experience_rule(authored: Json, payload: Json) -> Json:
    """An experience as a rule of GrowthBook's, or an experiment."""
    key = authored["key"]
    conditions = []
    if "audience" in authored:
        names = authored["audience"] if isinstance(authored["audience"], list) else [authored["audience"]]
        any_of = [payload["audiences"][name] for name in names]
        conditions.append(any_of[0] if len(any_of) == 1 else {"$or": any_of})
    if authored.get("condition"):
        conditions.append(authored["condition"])
    if "schedule" in authored:
        words = {"from": "$after", "until": "$before"}
        conditions.append({"$now": {words[word]: time for word, time in authored["schedule"].items()}})
    if "cap" in authored:
        conditions.append({f"$shown.{key}.times": {"$lt": authored["cap"]["times"]}})
    own = {"name", "slot", "changes", "priority", "audience", "condition", "schedule", "cap", "content", "variations"}
    rule = {"id": key, "seed": key, "hashVersion": 2} | {name: value for name, value in authored.items() if name not in own}
    if "name" in authored:
        rule["name"] = authored["name"]
    if conditions:
        rule["condition"] = conditions[0] if len(conditions) == 1 else {"$and": conditions}
    if "variations" in authored:
        return rule | {"variations": authored["variations"]}
    if "slot" in authored:
        return rule | {"force": authored["content"]}
    return rule | {"variations": [{}, authored["changes"]], "weights": [0, 1], "force": 1}


class Payload:
    """What is authored; `left_out` are the experiences and audiences that have a fault."""

    def __init__(self, payload: Json, left_out: list[str]) -> None:
        self.groups = payload.get("savedGroups", {})
        self.bandits = payload.get("contextualBandits", {})
        self.audiences = {name: one for name, one in payload.get("audiences", {}).items() if name not in left_out}
        self.features = {key: {"default": one.get("defaultValue"), "rules": list(one.get("rules", []))} for key, one in payload.get("features", {}).items()}
        self.pages = list(payload.get("experiments", []))
        self.caps = {}
        slots: dict[str, list[Json]] = {}
        experiences = [one for one in payload.get("experiences", []) if one["key"] not in left_out]
        self.experiences = {one["key"] for one in experiences}
        for one in sorted(experiences, key=lambda one: -one.get("priority", 0)):
            rule = experience_rule(one, payload)
            self.caps[one["key"]] = one.get("cap", {})
            if "slot" in one:
                slots.setdefault(one["slot"], []).append(rule)
            else:
                self.pages.append(rule)
        for slot, rules in slots.items():
            feature = self.features.setdefault(slot, {"default": None, "rules": []})
            feature["rules"] = rules + feature["rules"]
        self.features = dict(sorted(self.features.items()))


# ---------------------------------------------------------------- deciding

WHY = {
    "placed": "the visitor's place falls to this variation",
    "remembered": "the visitor got this variation before",
    "by address": "the address asks for this variation",
    "by hand": "somebody chose this variation by hand",
    "by experiment": "the experiment gives this variation to all",
    "few": "there are fewer than two variations",
    "disabled": "experiments are switched off",
    "page": "this is for other pages",
    "inactive": "this does not run",
    "no value": "the visitor lacks the attribute that decides the variation",
    "filtered": "the visitor is outside its share",
    "namespace": "the visitor belongs to another experiment of the namespace",
    "condition": "this is for others",
    "prerequisite": "a feature that it depends on has another value",
    "hash": "its hash version is not known here",
    "earlier": "the visitor took part in an earlier version",
    "uncovered": "the visitor falls outside the covered share",
    "only forced": "only what is forced happens",
}
SOURCES = {
    "unknownFeature": "there is no such feature",
    "defaultValue": "no rule applies, so this is the default",
    "force": "its condition holds",
    "prerequisite": "a feature that it depends on has another value",
    "cyclicPrerequisite": "features depend on one another in a ring",
}


def score_of(events: list[Json], now: int) -> int:
    """The rules of models/points.rpm, by what the suite's signals count."""
    views = sum(event["type"] == "page" for event in events)
    pricing = sum(event.get("context", {}).get("page", {}).get("path") == "/pricing" for event in events)
    traits: Json = {}
    for event in events:
        traits |= event.get("traits", {})
    last = max((instant(event["timestamp"]) for event in events if event["type"] == "page"), default=None)
    days = None if last is None else (now - last) / DAY
    recent = -5 if days is None else 10 if days < 7 else 4 if days < 30 else -6
    employees = traits.get("employees", 0)
    total = 5 + min(40, 1.5 * min(views, 20) + 8 * pricing + recent)
    country = {None: 0, "DE": 12, "US": 9.5}.get(traits.get("country"), -3)
    role = {None: 0, "Student": -25, "Buyer": 20}.get(traits.get("role"), 0)
    total += max(0, country + role)
    total += 18 if employees >= 200 else 10 if employees >= 50 else 5 if employees >= 10 else 0
    total += 2 if views >= 3 else 0
    return int(min(max(total, 0), 100) + 0.5)


class Deciding:
    """One question after the other about one visitor."""

    def __init__(self, payload: Payload, visitor: Json) -> None:
        self.payload, self.visitor = payload, visitor
        given = dict(visitor.get("attributes", {}))
        for name, stands in [("id", ["anonymousId", "userId"]), ("anonymousId", ["anonymousId"]), ("userId", ["userId"])]:
            if name not in given:
                given |= next(({name: visitor[one]} for one in stands if one in visitor), {})
        now = visitor["now"]
        self.score = self.band = None
        if visitor.get("consent", {}).get("profiling", True):
            self.score = score_of(visitor.get("events", []), now)
            self.band = "qualified" if self.score >= 70 else "not" if self.score < 30 else "undecided"
        shown = {}
        for key, seen in visitor.get("shown", {}).items():
            days = payload.caps.get(key, {}).get("days")
            if days is None or now - seen["last"] < days * DAY:
                shown[key] = seen
        own = {"$now": now, "$score": self.score, "$band": self.band, "$grade": visitor.get("grade"), "$shown": shown}
        self.attributes = given | own | {"$audiences": []}
        self.audiences = [name for name, one in payload.audiences.items() if self.holds(one)]
        self.attributes["$audiences"] = self.audiences
        self.before = visitor.get("stickyBucketAssignmentDocs")
        self.memory = None if self.before is None else {key: dict(one, assignments=dict(one["assignments"])) for key, one in self.before.items()}
        self.exposures: list[tuple[Json, Json]] = []
        self.new()

    def new(self) -> None:
        self.open: list[str] = []
        self.decided: dict[str, Json] = {}
        self.news: list[tuple[Json, Json]] = []

    def holds(self, condition: Json) -> bool:
        return holds(condition, self.attributes, self.payload.groups)

    # A feature, and what is exposed on the way.

    def feature(self, key: str) -> Json:
        self.new()
        answer = self.outcome(key)
        self.exposures += self.news
        return answer

    def page(self, authored: Json) -> Json:
        self.new()
        result = self.run(authored["key"], authored, None)
        self.exposures += self.news
        if result["inExperiment"] and isinstance(result["value"], dict) and "urlRedirect" in result["value"]:
            to = redirected(self.visitor.get("url", ""), result["value"]["urlRedirect"], authored.get("persistQueryString", False))
            return {"experiment": authored["key"], "result": result, "redirect": to}
        return {"experiment": authored["key"], "result": result}

    def outcome(self, key: str) -> Json:
        known = self.payload.features.get(key)
        if known is None:
            return self.answered(None, "unknownFeature", [])
        if key in self.open:
            return self.answered(None, "cyclicPrerequisite", [])
        self.open.append(key)
        answer = self.by_rules(key, known)
        self.open.pop()
        return answer

    def by_rules(self, key: str, feature: Json) -> Json:
        trace: list[str] = []
        for number, rule in enumerate(feature["rules"]):
            name = f"`{rule['id']}`" if rule.get("id") else f"rule {number + 1}"
            said = self.parents(rule)
            if said in ("gate", "cycle"):
                return self.answered(None, "prerequisite" if said == "gate" else "cyclicPrerequisite", trace)
            why = "prerequisite" if said else "filtered" if self.filtered(rule) else None
            result = None
            if why is None and "force" in rule:
                why = "condition" if not self.holds(rule.get("condition") or {}) else None if self.rolled_out(key, rule) else "uncovered"
            elif why is None and ("variations" in rule or "contextualVariations" in rule):
                result = self.run(rule.get("key") or key, rule, key)
                if not result["inExperiment"] or result.get("passthrough"):
                    why = next(word for word, sentence in WHY.items() if sentence == result["why"])
            elif why is None:
                why = "inactive"
            if why is None and result is None:
                return self.answered(rule["force"], "force", [*trace, f"{name}: {SOURCES['force']}"], rule)
            if why is None:
                answer = self.answered(result["value"], "experiment", [*trace, f"{name}: {result['why']}"], rule)
                return answer | {"experiment": rule.get("key") or key, "result": result}
            trace.append(f"{name}: {WHY[why]}" + (self.detail(rule) if why == "condition" else ""))
        return self.answered(feature["default"], "defaultValue", trace)

    def answered(self, value: Json, source: str, trace: list[str], rule: Json = None) -> Json:
        if rule is None:
            trace = [*trace, SOURCES[source]]
        return {"value": value, "source": source, "ruleId": (rule or {}).get("id", ""), "why": trace}

    def detail(self, rule: Json) -> str:
        path = failing(rule.get("condition") or {}, self.attributes, self.payload.groups)
        value = json.dumps(at_path(self.attributes, path or ""), ensure_ascii=False, separators=(",", ":"))
        return f": `{path}` is {value}"

    def value(self, attribute: str, fallback: str | None = None) -> tuple[str, str]:
        for name in (attribute, fallback):
            if name and truthy(self.attributes.get(name)):
                return name, text(self.attributes[name])
        return attribute, ""

    def filtered(self, rule: Json) -> bool:
        for one in rule.get("filters", []):
            _, value = self.value(one.get("attribute") or "id")
            at = place(one["seed"], value, one.get("hashVersion", 2)) if value else None
            if at is None or chosen(one["ranges"], at) is None:
                return True
        return False

    def rolled_out(self, key: str, rule: Json) -> bool:
        if "range" not in rule and "coverage" not in rule:
            return True
        _, value = self.value(rule.get("hashAttribute") or "id", rule.get("fallbackAttribute") if self.memory is not None else None)
        at = place(rule.get("seed") or key, value, rule.get("hashVersion", 1)) if value else None
        if at is None or rule.get("coverage") == 0:
            return False
        return rule["range"][0] <= at < rule["range"][1] if "range" in rule else at <= rule["coverage"]

    def parents(self, rule: Json) -> str | None:
        for parent in rule.get("parentConditions", []):
            key = parent["id"]
            if key not in self.decided:
                self.decided[key] = self.outcome(key)
            outcome = self.decided[key]
            if outcome["source"] == "cyclicPrerequisite":
                return "cycle"
            if not holds(parent["condition"], {"value": outcome["value"]}, self.payload.groups):
                return "gate" if parent.get("gate") else "fail"
        return None

    # An experiment.

    def run(self, key: str, rule: Json, feature: str | None) -> Json:
        sticks = not rule.get("disableStickyBucketing")
        remembers = sticks and self.memory is not None
        name, value = self.value(rule.get("hashAttribute") or "id", rule.get("fallbackAttribute") if remembers else None)
        variations = rule.get("variations") or rule.get("contextualVariations") or []
        leaf = self.leaf(rule)
        why, variation, at = self.judge(key, rule, value, leaf, len(variations))
        in_experiment = variation is not None and variation < len(variations)
        number = variation if in_experiment else 0
        meta = (rule.get("meta") or [{}] * len(variations))[number] if variations else {}
        by_hash = in_experiment and at is not None
        result = {
            "key": meta.get("key", str(number)),
            "featureId": feature,
            "inExperiment": in_experiment,
            "hashUsed": by_hash,
            "variationId": number,
            "value": variations[number] if variations else None,
            "hashAttribute": name,
            "hashValue": self.attributes[name] if value else "",
            "stickyBucketUsed": why == "earlier" or why == "remembered" and in_experiment,
            "why": WHY[why],
        }
        if "name" in meta:
            result["name"] = meta["name"]
        if in_experiment and at is not None:
            result["bucket"] = at
        if meta.get("passthrough"):
            result["passthrough"] = True
        if leaf is not None and by_hash:
            result |= {"leafId": leaf["leafId"], "variationWeights": leaf["weights"]}
            bandit = self.payload.bandits[rule["contextualBanditRef"]]
            if "banditVersion" in bandit:
                result["banditVersion"] = bandit["banditVersion"]
        if by_hash:
            self.news.append((key, result))
            if remembers:
                self.remember(f"{key}__{rule.get('bucketVersion', 0)}", result)
        return result

    def judge(self, key: str, rule: Json, value: str, leaf: Json, count: int) -> tuple[str, int | None, float | None]:
        """Why, which variation, and the place where that decided."""
        address = self.visitor.get("url", "")
        if count < 2:
            return "few", None, None
        if self.visitor.get("enabled") is False:
            return "disabled", None, None
        if rule.get("urlPatterns") and not on_pages(rule["urlPatterns"], address):
            return "page", None, None
        asked = dict(reversed(split_address(address)[3])).get(key, "")
        if re.fullmatch(r"\d+", asked) and int(asked) < count:
            return "by address", int(asked), None
        if key in self.visitor.get("forcedVariations", {}):
            return "by hand", self.visitor["forcedVariations"][key], None
        if not rule.get("active", True) or rule.get("status") == "draft":
            return "inactive", None, None
        if not value:
            return "no value", None, None
        remembered, blocked = self.remembered(key, rule)
        if remembered is None:
            refused = self.refuses(rule, value)
            if refused:
                return refused, None, None
        at = place(rule.get("seed") or key, value, rule.get("hashVersion", 1))
        if at is None:
            return "hash", None, None
        if blocked:
            return "earlier", None, None
        shares = rule.get("ranges") or ranges_of(count, rule.get("coverage", 1), leaf["weights"] if leaf else rule.get("weights"))
        variation = remembered if remembered is not None else chosen(shares, at)
        if variation is None:
            return "uncovered", None, None
        if "force" in rule:
            return "by experiment", rule["force"], None
        if self.visitor.get("qaMode"):
            return "only forced", None, None
        return "placed" if remembered is None else "remembered", variation, at

    def refuses(self, rule: Json, value: str) -> str | None:
        namespaces = [rule["namespace"]] if "namespace" in rule else []
        if rule.get("filters"):
            if self.filtered(rule):
                return "filtered"
        else:
            for seed, start, end in namespaces + rule.get("namespaces", []):
                if not start <= (place(f"__{seed}", value, 1) or 0) < end:
                    return "namespace"
        if not self.holds(rule.get("condition") or {}):
            return "condition"
        return "prerequisite" if self.parents(rule) else None

    def leaf(self, rule: Json) -> Json:
        bandit = self.payload.bandits.get(rule.get("contextualBanditRef"))
        if bandit is None or "contextualVariations" not in rule:
            return None
        found = next((one for one in bandit["contexts"] if self.holds(one.get("condition") or {})), None)
        return found or {"leafId": -1, "weights": rule.get("weights", [])}

    def remembered(self, key: str, rule: Json) -> tuple[int | None, bool]:
        if self.memory is None or rule.get("disableStickyBucketing"):
            return None, False

        def known(number: int) -> str | None:
            for name in (rule.get("hashAttribute") or "id", rule.get("fallbackAttribute")):
                value = self.value(name)[1] if name else ""
                document = self.before.get(f"{name}||{value}", {})
                if f"{key}__{number}" in document.get("assignments", {}):
                    return document["assignments"][f"{key}__{number}"]
            return None

        if any(known(number) is not None for number in range(min(rule.get("minBucketVersion", 0), MOST_VERSIONS))):
            return None, True
        found = known(rule.get("bucketVersion", 0))
        keys = [one.get("key") for one in rule.get("meta", [])]
        return (keys.index(found) if found in keys else None), False

    def remember(self, name: str, result: Json) -> None:
        attribute, value = result["hashAttribute"], text(result["hashValue"])
        document = self.memory.setdefault(f"{attribute}||{value}", {"attributeName": attribute, "attributeValue": value, "assignments": {}})
        document["assignments"][name] = result["key"]


def viewed(experiment: str, result: Json) -> Json:
    """The properties of an exposure's event."""
    out = {"experimentId": experiment, "variationId": result["key"]}
    if "name" in result:
        out["variationName"] = result["name"]
    if result["featureId"] is not None:
        out["featureId"] = result["featureId"]
    weights = result.get("variationWeights", [])
    if result["variationId"] < len(weights):
        out["propensity"] = weights[result["variationId"]]
    return out | {name: result[name] for name in ("leafId", "banditVersion") if name in result}


def decide(payload: Payload, visitor: Json, features: list[str]) -> Json:
    """Everything for one visitor: the features in this order, the experiments of pages in theirs."""
    asked = Deciding(payload, visitor)
    expected: Json = {"score": asked.score, "band": asked.band, "audiences": asked.audiences}
    expected["features"] = {key: asked.feature(key) for key in features}
    expected["pages"] = [asked.page(one) for one in payload.pages]
    told: dict[tuple[str, str], Json] = {}
    for experiment, result in asked.exposures:
        told.setdefault((experiment, result["key"]), viewed(experiment, result))
    expected["exposures"] = list(told.values())
    if asked.memory is not None:
        expected["sticky"] = asked.memory
    return expected
