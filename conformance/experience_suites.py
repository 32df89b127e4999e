"""What the suite `experiences` is made of: payloads, and visitors of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from experience_reference import DAY, Payload, decide
from experience_visitors import COLD, HOT, IDS, NOW, WARM, events
from targeting_reference import instant, place

INDEPENDENT = "experience_reference.py"
Json = Any


def text(shown: str) -> Json:
    return {"type": "text", "text": shown}


def meta(*keys: str) -> list[Json]:
    return [{"key": key, "name": key.title()} for key in keys]


class Suite:
    """A file: one payload, and what it is for visitors."""

    def __init__(self, name: str, about: str, flags: Json, *, left_out: Iterable[str] = (), problems: Iterable[tuple[str, str]] = ()) -> None:
        self.name, self.about, self.flags = name, about, flags
        self.problems = [list(one) for one in problems]
        self.payload = Payload(flags, list(left_out))
        self.cases: list[Json] = []

    def case(self, name: str, *features: str, **visitor: Json) -> None:
        """What these features, all where none is named, and all experiments of pages are."""
        visitor.setdefault("now", NOW)
        asked = list(features) or list(self.payload.features)
        self.cases.append({"name": name, "provenance": INDEPENDENT, "visitor": visitor, "expect": decide(self.payload, visitor, asked)})


def forced(condition: Json, **more: Json) -> Json:
    return {"defaultValue": False, "rules": [{"force": True, "condition": condition} | more]}


# ---------------------------------------------------------------- the suites


def targeting() -> Suite:
    campaign = {"$now": {"$after": "2026-11-01T00:00:00+01:00", "$before": "2026-12-01T00:00:00+01:00"}}
    suite = Suite(
        "targeting",
        "Conditions beyond GrowthBook's cases, and what core itself knows: networks, times, patterns, score, band, grade, showings, audiences.",
        {
            "savedGroups": {"partners": ["acme.test", "example.org", 7]},
            "audiences": {
                "dach": {"country": {"$in": ["DE", "AT", "CH"]}},
                "hot": {"$score": {"$gte": 70}},
                "office": {"ip": {"$cidr": ["10.0.0.0/8", "2001:db8::/32"]}},
                "sales ready": {"$band": "qualified", "$grade": {"$in": ["A", "B"]}},
            },
            "features": {
                "after": forced({"launch": {"$after": "2026-11-25T08:26:40Z"}}),
                "all": forced({"tags": {"$all": ["a", "b"]}}),
                "audiences all": forced({"$audiences": {"$all": ["dach", "hot"]}}),
                "audiences none": forced({"$audiences": {"$size": 0}}),
                "band": forced({"$band": {"$in": ["qualified", "undecided"]}}),
                "before": forced({"launch": {"$before": "2026-11-25T09:26:40+01:00"}}),
                "campaign": forced(campaign),
                "cidr": forced({"ip": {"$cidr": "192.168.16.0/20"}}),
                "deep": forced({"company.address.city": "Köln", "company.size": {"$gte": 50, "$lt": 250}}),
                "element": forced({"orders": {"$elemMatch": {"total": {"$gt": 100}, "state": "paid"}}}),
                "exists": forced({"plan": {"$exists": True}, "trial": {"$exists": False}}),
                "grade": forced({"$grade": "A"}),
                "group": forced({"domain": {"$inGroup": "partners"}}),
                "nested": forced({"$and": [{"$or": [{"plan": "pro"}, {"plan": "team"}]}, {"$not": {"country": "US"}}, {"$nor": [{"trial": True}, {"plan": "free"}]}]}),
                "not cidr": forced({"ip": {"$notCidr": ["10.0.0.0/8", "::1"]}}),
                "not group": forced({"domain": {"$notInGroup": "partners"}}),
                "outer": {"defaultValue": "none", "rules": [{"id": "hot", "force": "hot", "condition": {"$score": {"$gte": 70}}}, {"id": "warm", "force": "warm", "condition": {"$score": {"$gte": 30}}}, {"force": "cold"}]},
                "regex": forced({"path": {"$regex": "^/(docs|blog)/[a-z-]+(/\\d{4})?$"}}),
                "regex any case": forced({"path": {"$regexi": "straße|CAFÉ"}}),
                "regex not": forced({"path": {"$notRegex": "internal"}}),
                "score": forced({"$score": {"$gte": 70}}),
                "seen": forced({"$shown.promo.times": {"$gte": 2}}),
                "version": forced({"app": {"$vgte": "2.10.0", "$vlt": "3.0.0"}}),
                "whole": forced({"$score": {"$lt": 70, "$gte": 30}, "country": {"$ne": "US"}}),
            },
        },
    )
    for name, ip in [("inside", "192.168.17.4"), ("first", "192.168.16.0"), ("last", "192.168.31.255"), ("before", "192.168.15.255"), ("behind", "192.168.32.0"), ("ten", "10.1.2.3"),
                     ("six", "2001:db8::1"), ("mapped", "::ffff:192.168.17.4"), ("loop", "::1"), ("no address", "192.168.17"), ("empty", "")]:  # fmt: skip
        suite.case(f"network: {name}", "cidr", "not cidr", attributes={"ip": ip})
    for name, launch in [("the moment", NOW), ("a millisecond before", NOW - 1), ("text", "2026-11-25T09:26:40+01:00"), ("text before", "2026-11-25T08:26:39.999Z"), ("no time", "soon"), ("a date", "2026-11-25")]:
        suite.case(f"time: {name}", "after", "before", attributes={"launch": launch})
    for name, now in [("first moment", "2026-10-31T23:00:00Z"), ("before it", "2026-10-31T22:59:59Z"), ("last second", "2026-11-30T22:59:59Z"), ("behind it", "2026-11-30T23:00:00Z")]:
        suite.case(f"window: {name}", "campaign", now=instant(now))
    for name, happened in [("hot", HOT), ("warm", WARM), ("cold", COLD), ("nothing happened", []), ("long ago", events(6, 2, 45, employees=20)), ("a student", events(4, 1, role="Student")), ("elsewhere", events(9, 4, country="FR", role="Buyer", employees=51))]:
        suite.case(f"score: {name}", anonymousId=f"scored {name}", events=happened, attributes={"country": "DE"})
        suite.case(f"score: {name}, who refuses profiling", "score", "band", "outer", "whole", anonymousId=f"refuses {name}", events=happened, consent={"profiling": False})
    for grade in ["A", "B", "C"]:
        suite.case(f"grade {grade}", anonymousId="graded", grade=grade, events=HOT, attributes={"country": "US"})
    suite.case("what a caller says under core's names does not count", anonymousId="liar", events=COLD,
               attributes={"$score": 99, "$band": "qualified", "$grade": "A", "$now": 0, "$audiences": ["dach", "hot"], "$shown": {"promo": {"times": 9}}})  # fmt: skip
    for times in [1, 2, 3]:
        suite.case(f"shown {times} times", "seen", anonymousId="seen", shown={"promo": {"times": times, "last": NOW - DAY}})
    for path in ["/docs/getting-started", "/blog/news/2026", "/blog/news/26", "/Docs/x", "/docs/", "", "/internal/docs", "Hauptstraße", "HAUPTSTRASSE", "café", "Cafe"]:
        suite.case(f"pattern: {path}", "regex", "regex any case", "regex not", attributes={"path": path})
    for name, attributes in [
        ("everything", {"company": {"address": {"city": "Köln"}, "size": 50}, "tags": ["b", "c", "a"], "orders": [{"total": 120, "state": "paid"}], "plan": "pro", "domain": "acme.test", "app": "2.10.3", "country": "AT", "ip": "2001:db8:1::9"}),
        ("nearly", {"company": {"address": {"city": "Köln"}, "size": 250}, "tags": ["a"], "orders": [{"total": 120, "state": "open"}, {"total": 80, "state": "paid"}], "plan": "free", "domain": "other.test", "app": "2.9.9", "country": "US"}),
        ("a group's number", {"domain": 7, "app": "v2.11", "plan": "team", "trial": True}),
        ("a group's number as text", {"domain": "8", "app": "3.0.0-beta.1", "plan": "team", "trial": False}),
        ("empty lists", {"tags": [], "orders": [], "domain": "example.org", "app": "2.10.0+build7", "company": {"size": 100}}),
        ("none", {}),
    ]:  # fmt: skip
        suite.case(f"attributes: {name}", anonymousId="attributes", attributes=attributes)
    return suite


def experiences() -> Suite:
    day = {"type": "html", "html": "<b>Herbstaktion</b>"}
    suite = Suite(
        "experiences",
        "Audiences, slots, priorities, schedules, caps and variations, as docs/experiences.md has them.",
        {
            "audiences": {"big": {"employees": {"$gte": 100}}, "dach": {"country": {"$in": ["DE", "AT", "CH"]}}, "hot": {"$score": {"$gte": 70}}},
            "features": {
                "bar": {"defaultValue": None},
                "hero": {"defaultValue": text("Leads, sorted"), "rules": [{"id": "beta", "force": text("Beta"), "condition": {"beta": True}}]},
            },
            "experiences": [
                {"key": "last", "slot": "hero", "priority": -5, "content": text("For all others of the team"), "condition": {"team": {"$exists": True}}},
                {"key": "talk-to-sales", "name": "Talk to sales", "slot": "hero", "priority": 10, "audience": "hot", "cap": {"times": 3, "days": 7}, "content": text("Talk to us today")},
                {"key": "autumn", "slot": "hero", "audience": "dach", "schedule": {"from": "2026-10-01T00:00:00+02:00", "until": "2026-12-01T00:00:00+01:00"}, "variations": [None, day], "weights": [0.5, 0.5]},
                {"key": "third", "name": "Three of them", "slot": "hero", "audience": ["big", "dach"], "condition": {"plan": {"$ne": "free"}}, "variations": [text("one"), text("two"), text("three")], "weights": [0.2, 0.3, 0.5], "meta": meta("uno", "due", "tre"), "hashVersion": 3, "coverage": 0.6},
                {"key": "once", "slot": "bar", "cap": {"times": 1}, "content": {"type": "json", "json": {"color": "red", "steps": [1, 2, {"deep": None}]}}, "schedule": {"from": "2026-11-25T08:26:40Z"}},
                {"key": "welcome", "slot": "bar", "content": text("Welcome"), "schedule": {"until": "2026-11-25T08:26:40Z"}, "priority": 1},
                {"key": "half", "slot": "box", "content": text("half of them"), "coverage": 0.5, "seed": "another"},
                {"key": "by-account", "slot": "box", "hashAttribute": "account", "variations": [text("left"), text("right")]},
                {"key": "short-form", "audience": "hot", "changes": {"domMutations": [{"selector": "#phone", "action": "append", "attribute": "class", "value": "hidden"}]}, "urlPatterns": [{"type": "simple", "pattern": "/contact"}]},
                {"key": "paint", "variations": [{}, {"css": "h1 { color: red }"}], "condition": {"$shown.paint.times": {"$exists": False}}},
            ],
        },
    )
    for name, happened in [("hot", HOT), ("warm", WARM), ("cold", COLD)]:
        for country in ["DE", "US"]:
            suite.case(f"{name} in {country}", anonymousId=f"{name} {country}", events=happened, attributes={"country": country}, url="https://acme.test/contact?from=mail")
    for seen, ago in [(1, 0), (2, 0), (3, 0), (3, 6), (3, 7), (3, 8), (9, 70)]:
        suite.case(f"talked to {seen} times, {ago} days ago", "hero", anonymousId="capped", events=HOT, shown={"talk-to-sales": {"times": seen, "last": NOW - ago * DAY}, "once": {"times": 1, "last": NOW - 99 * DAY}})
    for seen in [0, 1]:
        suite.case(f"once, shown {seen} times", "bar", anonymousId="once", shown={"once": {"times": seen, "last": NOW - 400 * DAY}})
    for now in [NOW - 1, NOW, NOW + 1]:
        suite.case(f"a schedule's moment {now - NOW:+}", "bar", anonymousId="scheduled", now=now)
    for name, time in [("spring", NOW - 200 * DAY), ("winter", NOW + 30 * DAY)]:
        suite.case(f"out of season in {name}", anonymousId="season", now=time, attributes={"country": "AT"})
    for visitor in IDS:
        suite.case(f"of dach: {visitor}", anonymousId=visitor, attributes={"country": "CH", "plan": "pro"})
        suite.case(f"big: {visitor}", anonymousId=visitor, attributes={"employees": 100, "account": f"account of {visitor}"})
    suite.case("a free plan", anonymousId="17", attributes={"employees": 1000, "plan": "free"})
    suite.case("a team's beta", anonymousId="17", attributes={"team": "x", "beta": True})
    suite.case("a beta alone", anonymousId="17", attributes={"beta": True})
    suite.case("a known user without a browser's id", userId="u1", attributes={"country": "DE"})
    suite.case("both ids: the browser's decides", anonymousId="17", userId="u1", attributes={"country": "DE"})
    suite.case("an id of the caller's", anonymousId="17", attributes={"id": "zoë", "country": "DE"})
    suite.case("nobody", attributes={"country": "DE"})
    suite.case("painted already", "box", anonymousId="17", shown={"paint": {"times": 1, "last": NOW}})
    suite.case("experiments switched off", anonymousId="17", events=HOT, enabled=False, attributes={"country": "DE"}, url="https://acme.test/contact")
    suite.case("only what is forced", anonymousId="17", events=HOT, qaMode=True, attributes={"country": "DE"}, url="https://acme.test/contact")
    for forced_to in [0, 1, 7]:
        suite.case(f"by hand {forced_to}", anonymousId="17", forcedVariations={"autumn": forced_to, "paint": forced_to}, attributes={"country": "DE"})
    suite.case("by the address", anonymousId="17", url="https://acme.test/?autumn=1&third=2&paint=1", attributes={"country": "US"})
    suite.case("by the address, out of range", anonymousId="17", url="https://acme.test/?autumn=2&third=x", attributes={"country": "DE"})
    return suite


def experiments() -> Suite:
    two = ["control", "treatment"]

    def run(key: str, **more: Json) -> Json:
        return {"defaultValue": "none", "rules": [{"key": key, "variations": two, "meta": meta(*two)} | more]}

    three = {"variations": ["a", "b", "c"], "meta": meta("a", "b", "c")}
    holdout = {"variations": ["out", "in"], "meta": [{"key": "held"}, {"key": "free", "passthrough": True}]}
    suite = Suite(
        "experiments",
        "Where visitors fall: three hashes, shares, weights, namespaces, exclusion, nested holdouts, filters, ranges, and what forces a variation.",
        {
            "features": {
                "account": run("account", hashAttribute="account", hashVersion=3),
                "covered": run("covered", coverage=0.3, hashVersion=2),
                "draft": run("draft", status="draft"),
                "edge": {"defaultValue": "none", "rules": [{"id": "end", "force": "in", "coverage": place("edge", "17", 2), "seed": "edge", "hashVersion": 2, "condition": {"rolled": True}}, {"key": "edge", "ranges": [[0, place("edge", "17", 2)], [place("edge", "17", 2), 1]], "hashVersion": 2, "variations": two}]},
                "excluded a": run("excluded a", namespaces=[["page", 0, 0.5]], hashVersion=3),
                "excluded b": run("excluded b", namespaces=[["page", 0.5, 1]], hashVersion=3),
                "filtered": run("filtered", filters=[{"seed": "layer", "ranges": [[0, 0.25], [0.75, 1]]}], hashVersion=2),
                "filtered v3": run("filtered v3", filters=[{"seed": "layer", "attribute": "account", "hashVersion": 3, "ranges": [[0.1, 0.6]]}], hashVersion=3, namespace=["ignored", 0, 0]),
                "given": run("given", condition={"country": "DE"}, hashVersion=3, seed="one seed"),
                "inactive": run("inactive", active=False),
                "nested": {"defaultValue": "none", "rules": [{"key": "company holdout", "weights": [0.2, 0.8], "hashVersion": 3} | holdout, {"key": "team holdout", "weights": [0.3, 0.7], "hashVersion": 3} | holdout, {"key": "button", "hashVersion": 3} | three]},
                "off": run("off", coverage=0),
                "one": run("one", hashVersion=1),
                "page": run("page", urlPatterns=[{"type": "simple", "pattern": "https://*.acme.test/pricing"}, {"type": "simple", "pattern": "*", "include": False}]),
                "ranges": {"defaultValue": "none", "rules": [{"key": "ranges", "ranges": [[0, 0.1], [0.4, 0.5], [0.8, 1]], "hashVersion": 2} | three]},
                "rollout": {"defaultValue": "off", "rules": [{"id": "some", "force": "on", "coverage": 0.4, "hashVersion": 3, "seed": "rollout"}, {"id": "others", "force": "ranged", "range": [0.2, 0.7], "hashVersion": 2}]},
                "same seed": run("same seed", hashVersion=3, seed="one seed"),
                "several": run("several", namespaces=[["home", 0, 0.5], ["eu", 0.2, 0.9]], namespace=["home", 0, 0.9]),
                "three": {"defaultValue": "none", "rules": [{"key": "three", "weights": [0.1, 0.3, 0.6], "hashVersion": 3} | three]},
                "two": run("two", hashVersion=2),
                "unknown hash": run("unknown hash", hashVersion=9),
            },
            "experiments": [
                {"key": "forced", "variations": [{}, {"css": "a{}"}], "force": 1, "coverage": 0.5},
                {"key": "forced nowhere", "variations": [{}, {"css": "b{}"}], "force": 5, "hashVersion": 3},
            ],
        },
        problems=[("features.unknown hash.rules.0", "`hashVersion` is 1, 2 or 3")],
    )
    for visitor in [*IDS, *(f"visitor {number}" for number in range(20))]:
        suite.case(f"visitor {visitor}", anonymousId=visitor, attributes={"country": "DE", "account": f"of {visitor}"}, url="https://www.acme.test/pricing")
    suite.case("an id that is a number", attributes={"id": 17, "account": 3.5, "country": "US"})
    suite.case("an id that is 0 is none", attributes={"id": 0, "account": False})
    suite.case("an id that is true", attributes={"id": True, "account": "x"})
    suite.case("no id", attributes={"country": "DE"})
    suite.case("switched off", anonymousId="17", enabled=False, attributes={"account": "x"})
    suite.case("only what is forced", anonymousId="17", qaMode=True, forcedVariations={"two": 1}, attributes={"account": "x"}, url="https://acme.test/?three=2")
    suite.case("by hand", anonymousId="17", forcedVariations={"two": 1, "three": 2, "inactive": 1, "draft": 1, "off": 1, "given": 1, "one": 4}, attributes={"account": "x", "country": "US"})
    suite.case("by the address", anonymousId="17", url="https://www.acme.test/pricing?two=0&three=1&inactive=1&one=9&off=1&page=1", attributes={"account": "x"})
    for rolled in [True, False]:
        suite.case(f"where a range ends, and a rollout: {rolled}", "edge", anonymousId="17", attributes={"rolled": rolled})
    suite.case("the address counts before the hand", "two", anonymousId="17", url="https://acme.test/?two=1", forcedVariations={"two": 0})
    return suite


def sticky() -> Suite:
    four = ["a", "b", "c", "d"]
    rule = {"variations": four, "meta": meta(*four), "hashVersion": 2}
    suite = Suite(
        "sticky",
        "What is remembered: versions, fallback attributes, signing in without another variation, and documents after the answer.",
        {
            "features": {
                "blocked": {"defaultValue": "none", "rules": [rule | {"key": "blocked", "bucketVersion": 3, "minBucketVersion": 2}]},
                "plain": {"defaultValue": "none", "rules": [rule | {"key": "plain"}]},
                "second": {"defaultValue": "none", "rules": [rule | {"key": "second", "bucketVersion": 1}]},
                "shared": {"defaultValue": "none", "rules": [rule | {"key": "shared", "hashAttribute": "userId", "fallbackAttribute": "anonymousId", "coverage": 0.8}]},
                "shrunk": {"defaultValue": "none", "rules": [rule | {"key": "shrunk", "coverage": 0, "condition": {"country": "DE"}}]},
                "without": {"defaultValue": "none", "rules": [rule | {"key": "without", "hashAttribute": "userId", "fallbackAttribute": "anonymousId", "disableStickyBucketing": True}]},
            },
            "experiences": [
                {"key": "greeting", "slot": "greeting", "bucketVersion": 2, "variations": [text("one"), text("two")], "meta": meta("one", "two")},
                {"key": "look", "bucketVersion": 1, "variations": [{}, {"css": "a{}"}], "meta": meta("plain", "blue")},
            ],
        },
    )

    def documents(**assignments: str) -> Json:
        return {"id||17": {"attributeName": "id", "attributeValue": "17", "assignments": assignments}}

    for visitor in IDS:
        suite.case(f"nothing remembered: {visitor}", anonymousId=visitor, stickyBucketAssignmentDocs={}, attributes={"country": "DE"})
        # Anonymous first, then signed in with what was remembered: the same variation.
        suite.case(f"anonymous: {visitor}", "shared", "without", anonymousId=visitor, stickyBucketAssignmentDocs={})
        kept = suite.cases[-1]["expect"]["sticky"]
        suite.case(f"signed in: {visitor}", "shared", "without", anonymousId=visitor, userId=f"user of {visitor}", stickyBucketAssignmentDocs=kept)
        before, after = (case["expect"]["features"]["shared"] for case in suite.cases[-2:])
        assert before["source"] != "experiment" or before["value"] == after["value"]
    for key in four:
        suite.case(f"remembered {key}", anonymousId="17", stickyBucketAssignmentDocs=documents(plain__0=key, second__1=key, shrunk__0=key, blocked__3=key, greeting__2="two", look__1="blue"), attributes={"country": "US"})
    suite.case("remembered for an earlier version", anonymousId="17", stickyBucketAssignmentDocs=documents(second__0="d", greeting__1="two", look__0="plain"))
    suite.case("remembered for a version that is too old", anonymousId="17", stickyBucketAssignmentDocs=documents(blocked__1="d", blocked__3="a"))
    suite.case("remembered for a version before the last", anonymousId="17", stickyBucketAssignmentDocs=documents(blocked__2="d"))
    suite.case("remembered what is no more", anonymousId="17", stickyBucketAssignmentDocs=documents(plain__0="z", second__1="e"))
    suite.case("another visitor's memory", anonymousId="18", stickyBucketAssignmentDocs=documents(plain__0="d", second__1="d"))
    suite.case("nobody remembers", anonymousId="17", userId="u17")
    suite.case("nobody remembers an anonymous one", anonymousId="17")
    suite.case("remembered, but forced by hand", anonymousId="17", stickyBucketAssignmentDocs=documents(plain__0="d"), forcedVariations={"plain": 1})
    suite.case("remembered, but the address asks", anonymousId="17", stickyBucketAssignmentDocs=documents(plain__0="d"), url="https://acme.test/?plain=2")
    suite.case("remembered, but only what is forced", anonymousId="17", stickyBucketAssignmentDocs=documents(plain__0="d"), qaMode=True)
    return suite


def prerequisites() -> Suite:
    def needs(feature: str, condition: Json, **more: Json) -> Json:
        return {"parentConditions": [{"id": feature, "condition": condition} | more]}

    on = {"value": True}
    run = {"variations": ["a", "b"], "meta": meta("a", "b"), "hashVersion": 3}
    suite = Suite(
        "prerequisites",
        "Features that depend on others: gates, chains, experiments on the way, rings.",
        {
            "features": {
                "base": forced({"country": "DE"}),
                "chain 1": {"defaultValue": "off", "rules": [{"force": "on"} | needs("base", on)]},
                "chain 2": {"defaultValue": "off", "rules": [{"force": "on"} | needs("chain 1", {"value": "on"})]},
                "chain 3": {"defaultValue": "off", "rules": [{"force": "on"} | needs("chain 2", {"value": {"$ne": "off"}})]},
                "gated": {"defaultValue": "open", "rules": [needs("base", on, gate=True), {"force": "inside"}]},
                "lonely": {"defaultValue": "off", "rules": [{"force": "on"} | needs("nowhere", {"value": None}), {"force": "never"} | needs("nowhere", on)]},
                "object": {"defaultValue": {"limits": {"seats": 5}}},
                "of experiment": {"defaultValue": "off", "rules": [{"force": "b's", "id": "b"} | needs("split", {"value": "b"}), {"force": "a's"} | needs("split", {"value": "a"})]},
                "of member": {"defaultValue": "off", "rules": [{"force": "small"} | needs("object", {"value.limits.seats": {"$lt": 10}})]},
                "of slot": {"defaultValue": "off", "rules": [{"force": "with hero"} | needs("hero", {"value.text": {"$regex": "^Hi"}})]},
                "ring 1": {"defaultValue": "off", "rules": [{"force": "on"} | needs("ring 2", on)]},
                "ring 2": {"defaultValue": "off", "rules": [{"force": "on"} | needs("ring 3", on)]},
                "ring 3": {"defaultValue": "off", "rules": [{"force": "on"} | needs("ring 1", on)]},
                "self": {"defaultValue": "off", "rules": [{"force": "on"} | needs("self", on)]},
                "split": {"defaultValue": "none", "rules": [{"key": "split"} | run]},
                "twice": {"defaultValue": "none", "rules": [{"key": "twice"} | run | {"parentConditions": [{"id": "split", "condition": {"value": "b"}}, {"id": "base", "condition": on}]}]},
                "under the ring": {"defaultValue": "off", "rules": [{"force": "early", "condition": {"country": "US"}}, {"force": "on"} | needs("ring 1", on)]},
            },
            "experiences": [
                {"key": "hi", "slot": "hero", "content": text("Hi"), "condition": {"greet": True}},
                {"key": "paid", "slot": "offer", "variations": [text("left"), text("right")], "parentConditions": [{"id": "base", "condition": on}]},
                {"key": "blue", "variations": [{}, {"css": "a{}"}], "parentConditions": [{"id": "split", "condition": {"value": "a"}}]},
            ],
        },
    )
    for visitor in IDS:
        for country in ["DE", "US"]:
            suite.case(f"{visitor} in {country}", anonymousId=visitor, attributes={"country": country, "greet": country == "DE"})
    suite.case("forced on the way", anonymousId="17", forcedVariations={"split": 1, "twice": 0}, attributes={"country": "DE"})
    suite.case("switched off", anonymousId="17", enabled=False, attributes={"country": "DE"})
    return suite


def ramps() -> Suite:
    steps = [0.01, 0.1, 0.33, 0.5, 0.9, 1]
    weights = [0.2, 0.3, 0.5]
    run = {"variations": ["a", "b", "c"], "meta": meta("a", "b", "c"), "weights": weights}
    features = {f"v{version} at {step}": {"defaultValue": "none", "rules": [{"key": "ramp", "hashVersion": version, "coverage": step} | run]} for version in (1, 2, 3) for step in steps}
    features |= {f"rollout at {step}": {"defaultValue": False, "rules": [{"force": True, "coverage": step, "seed": "ramp", "hashVersion": 3}]} for step in steps}
    suite = Suite("ramps", "Shares that grow: whoever is in one stays, with the same variation.", {"features": features})
    for visitor in [*IDS, *(f"visitor {number}" for number in range(12))]:
        suite.case(f"visitor {visitor}", anonymousId=visitor)
        answers = suite.cases[-1]["expect"]["features"]
        for version in (1, 2, 3):
            got = [answers[f"v{version} at {step}"]["value"] for step in steps]
            joined = [value for value in got if value != "none"]
            assert len(set(joined)) == 1 and got == ["none"] * (len(got) - len(joined)) + joined
    return suite


def broken() -> Suite:
    bad = {"slot": "hero", "content": text("bad")}
    suite = Suite(
        "broken",
        "What is wrong is reported and does nothing, or what its message says; the rest works.",
        {
            "audiences": {"fine": {"x": 1}, "odd": {"x": {"$near": 1}}, "ring": {"$audiences": "fine"}},
            "features": {
                "backtracks": forced({"path": {"$regex": "(a)\\1"}}),
                "good": {"defaultValue": "good"},
                "groups": forced({"id": {"$inGroup": "nobody"}}),
                "looks around": forced({"path": {"$regex": "^(?=/docs)"}}),
                "no list": {"defaultValue": "d", "rules": [{"force": "f", "condition": {"id": {"$in": "17"}}}]},
                "one variation": {"defaultValue": "none", "rules": [{"variations": ["only"]}]},
                "overlaps": {"defaultValue": "none", "rules": [{"key": "overlaps", "variations": ["a", "b"], "ranges": [[0, 0.6], [0.5, 1]], "hashVersion": 3}]},
                "still": {"defaultValue": "none", "rules": [{"id": "odd", "force": "odd", "condition": {"x": {"$near": 1}}}, {"id": "next", "force": "next", "condition": {"x": 1}}]},
                "three weights": {"defaultValue": "none", "rules": [{"key": "three weights", "variations": ["a", "b"], "weights": [0.5, 0.4, 0.1], "hashVersion": 3}]},
                "too much": {"defaultValue": "none", "rules": [{"key": "too much", "variations": ["a", "b"], "weights": [0.9, 0.9], "hashVersion": 3}]},
                "unknown": forced({"x": {"$near": 1}}),
                "unknown negated": forced({"$not": {"x": {"$near": 1}}}),
            },
            "experiences": [
                {"key": "fine", "slot": "hero", "content": text("fine"), "priority": -9},
                bad | {"key": "nobody", "audience": "nobody"},
                bad | {"key": "odd-audience", "audience": "odd"},
                bad | {"key": "typo", "conditon": {}},
                bad | {"key": "script", "content": {"type": "html", "html": "<script>alert(1)</script>"}},
                bad | {"key": "never", "schedule": {"from": "2026-02-01", "until": "2026-01-01"}},
                {"key": "heavy", "slot": "hero", "variations": [text("a"), text("b")], "weights": [0.9, 0.9]},
                {"key": "js", "changes": {"js": "alert(1)"}},
                {"key": "away", "changes": {"urlRedirect": "javascript:alert(1)"}},
            ],
        },
        left_out=["odd", "ring", "nobody", "odd-audience", "typo", "script", "never", "heavy", "js", "away"],
        problems=[
            ("audiences.odd.condition.x.$near", "nobody knows this operator"),
            ("audiences.ring", "cannot ask for audiences"),
            ("features.backtracks.rules.0.condition.path.$regex", ""),
            ("features.groups.rules.0.condition.id.$inGroup", "no saved group `nobody`"),
            ("features.looks around.rules.0.condition.path.$regex", "look-around"),
            ("features.no list.rules.0.condition.id.$in", "a list of values"),
            ("features.one variation.rules.0", "two variations"),
            ("features.overlaps.rules.0", "overlap"),
            ("features.still.rules.0.condition.x.$near", "nobody knows this operator"),
            ("features.three weights.rules.0", "3 weights for 2 variations"),
            ("features.too much.rules.0", "sum to 1.8"),
            ("features.unknown.rules.0.condition.x.$near", "nobody knows this operator"),
            ("features.unknown negated.rules.0.condition.$not.x.$near", "nobody knows this operator"),
            ("experiences.nobody", "no audience `nobody`"),
            ("experiences.odd-audience", "its audience `odd` has a fault"),
            ("experiences.typo", "`conditon` is no member"),
            ("experiences.script", "<script> is not shown"),
            ("experiences.never", "ends before it begins"),
            ("experiences.heavy", "sum to 1.8"),
            ("experiences.js", "`js` runs on no page"),
            ("experiences.away", "http(s) address or a path"),
        ],
    )
    for visitor in IDS:
        suite.case(f"visitor {visitor}", anonymousId=visitor, attributes={"x": 1, "path": "/docs/aa"})
    suite.case("without attributes", anonymousId="17")
    return suite


def bandits() -> Suite:
    suite = Suite(
        "bandits",
        "Contextual bandits: the first leaf that holds decides, and its weights are the propensities.",
        {
            "contextualBandits": {
                "headline": {
                    "banditVersion": 4,
                    "contexts": [
                        {"leafId": 1, "condition": {"$score": {"$gte": 70}}, "weights": [0.05, 0.15, 0.8]},
                        {"leafId": 2, "condition": {"device": "phone", "country": {"$in": ["DE", "AT"]}}, "weights": [0.6, 0.3, 0.1]},
                        {"leafId": "three", "condition": {"device": "phone"}, "weights": [0.1, 0.8, 0.1]},
                    ],
                },
                "unversioned": {"contexts": [{"leafId": 0, "weights": [0.5, 0.5]}]},
            },
            "features": {
                "free": {"defaultValue": "none", "rules": [{"key": "free", "contextualBanditRef": "unversioned", "contextualVariations": ["x", "y"], "hashVersion": 2}]},
                "headline": {"defaultValue": "none", "rules": [{"key": "headline", "contextualBanditRef": "headline", "contextualVariations": ["a", "b", "c"], "meta": meta("a", "b", "c"), "weights": [0.3, 0.3, 0.4], "hashVersion": 3, "disableStickyBucketing": True}]},
                "lost": {"defaultValue": "none", "rules": [{"key": "lost", "contextualBanditRef": "nowhere", "contextualVariations": ["x", "y"], "weights": [0.9, 0.1], "hashVersion": 3}]},
                "partly": {"defaultValue": "none", "rules": [{"key": "partly", "contextualBanditRef": "headline", "contextualVariations": ["a", "b", "c"], "weights": [0.3, 0.3, 0.4], "coverage": 0.5, "hashVersion": 3}]},
            },
        },
        problems=[("features.lost.rules.0", "no contextual bandit `nowhere`")],
    )
    for visitor in IDS:
        suite.case(f"hot: {visitor}", anonymousId=visitor, events=HOT, attributes={"device": "phone", "country": "DE"})
        suite.case(f"phone: {visitor}", anonymousId=visitor, attributes={"device": "phone", "country": "DE"})
        suite.case(f"elsewhere: {visitor}", anonymousId=visitor, attributes={"device": "phone", "country": "US"})
        suite.case(f"others: {visitor}", anonymousId=visitor, attributes={"device": "desk"})
    suite.case("remembered, but a bandit forgets", anonymousId="17", stickyBucketAssignmentDocs={"id||17": {"attributeName": "id", "attributeValue": "17", "assignments": {"headline__0": "a", "partly__0": "0"}}})
    suite.case("by hand", anonymousId="17", forcedVariations={"headline": 2, "free": 1})
    suite.case("nobody", attributes={"device": "phone"})
    return suite


def pages() -> Suite:
    suite = Suite(
        "pages",
        "Experiments of pages: changes, redirects and where they lead, and which addresses they are for.",
        {
            "experiments": [
                {"key": "move", "variations": [{}, {"urlRedirect": "https://acme.test/new?plan=pro#top"}], "persistQueryString": True, "urlPatterns": [{"type": "simple", "pattern": "/old"}], "hashVersion": 2, "meta": meta("stay", "go")},
                {"key": "away", "variations": [{}, {"urlRedirect": "/start"}], "urlPatterns": [{"type": "regex", "pattern": "^/(a|b)\\?ref=[a-z]+$"}], "hashVersion": 2},
                {"key": "words", "variations": [{}, {"domMutations": [{"selector": "h1", "action": "set", "attribute": "html", "value": "<em>Hallo</em>"}], "css": "h1 { margin: 0 }"}], "urlPatterns": [{"type": "simple", "pattern": "*.acme.test/*"}, {"type": "simple", "pattern": "/internal/*", "include": False}], "hashVersion": 3, "coverage": 0.7},
                {"key": "everywhere", "variations": [{}, {"css": "a{}"}], "weights": [0, 1]},
                {"key": "sleeping", "variations": [{}, {"css": "b{}"}], "active": False},
            ],
            "experiences": [
                {"key": "late", "changes": {"urlRedirect": "/sale?from=late"}, "persistQueryString": True, "schedule": {"from": "2026-11-26T00:00:00Z"}, "urlPatterns": [{"type": "simple", "pattern": "/sale-soon"}]},
                {"key": "first", "priority": 1, "variations": [{}, {"urlRedirect": "/second"}], "condition": {"plan": "pro"}, "urlPatterns": [{"type": "simple", "pattern": "/?tour=*"}]},
            ],
        },
    )
    addresses = ["https://acme.test/old?utm_source=mail&plan=free", "https://www.acme.test/OLD/", "https://acme.test/a?ref=mail", "https://acme.test/b?ref=7", "https://www.acme.test/internal/x",
                 "https://www.acme.test/", "https://acme.test/sale-soon?x=1", "https://acme.test/?tour=2&x=y", "https://acme.test:8080/old", ""]  # fmt: skip
    for address in addresses:
        for visitor in ["1", "17", "zoë"]:
            suite.case(f"{visitor} at {address}", anonymousId=visitor, attributes={"plan": "pro"}, **({"url": address} if address else {}))
    for visitor in IDS:
        suite.case(f"later: {visitor}", anonymousId=visitor, now=NOW + DAY, url="https://www.acme.test/sale-soon?a=b&from=x#y")
    suite.case("by the address", anonymousId="17", url="https://acme.test/old?move=1&everywhere=0&sleeping=1")
    suite.case("by hand", anonymousId="17", url="https://acme.test/old", forcedVariations={"move": 1, "words": 1, "sleeping": 1})
    suite.case("switched off", anonymousId="17", url="https://acme.test/old", enabled=False)
    suite.case("only what is forced", anonymousId="17", url="https://acme.test/old", qaMode=True)
    return suite


SUITES = [targeting, experiences, experiments, sticky, prerequisites, ramps, broken, bandits, pages]
