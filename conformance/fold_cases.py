#!/usr/bin/env python3
"""The cases of events and folds, and their expected values by `fold_reference`.

    python3 conformance/fold_cases.py            # checks that the files are up to date
    python3 conformance/fold_cases.py --write    # writes conformance/cases/{event,fold}/*.json
"""

from __future__ import annotations

import json
import random
import struct
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from fold_reference import DAY, HOUR, MINUTE, Profile, encoded

HERE = Path(__file__).resolve().parent
T0 = 1_750_000_000_000
INDEPENDENT = "fold_reference.py: independent implementation in Python"


def page(path: str, at: int, **more: Any) -> dict[str, Any]:
    context = {"page": {"path": path, "url": f"https://acme.test{path}", **more.pop("page", {})}, **more.pop("context", {})}
    return {"type": "page", "messageId": f"m{at}", "timestamp": at, "context": context, **more}


def track(name: str, at: int, properties: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"type": "track", "event": name, "messageId": f"m{at}", "timestamp": at, "properties": properties or {}, **more}


def identify(at: int, **traits: Any) -> dict[str, Any]:
    return {"type": "identify", "messageId": f"m{at}", "timestamp": at, "traits": traits}


def signal(number: int, kind: str, when: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    out = {"id": number, "name": more.pop("name", f"s{number}"), "label": f"Signal {number}", "kind": kind, **more}
    return {**out, "when": when} if when else out


def where(*conditions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**more, "where": list(conditions)}


class Suite:
    """Cases over named sets of signals; each case is told once and worked out here."""

    def __init__(self, name: str, about: str, **sets: list[dict[str, Any]]) -> None:
        self.name, self.about, self.sets, self.cases = name, about, sets, []

    def case(self, name: str, *steps: Any, signals: str = "signals") -> None:
        self.cases.append({"name": name, "provenance": INDEPENDENT, "signals": signals, "steps": list(steps)})

    def document(self) -> dict[str, Any]:
        cases = [{**case, "steps": self.worked_out(case)} for case in self.cases]
        return {"about": self.about, "sets": self.sets, "cases": cases}

    def worked_out(self, case: dict[str, Any]) -> list[dict[str, Any]]:
        profile, steps = Profile(self.sets[case["signals"]]), []
        for step in case["steps"]:
            if "event" in step:
                step = {"now": step["event"]["timestamp"], **step}
                profile.fold(step["event"], step["now"])
            elif "given" in step:
                for name, (value, at) in step["given"].items():
                    profile.give(name, value, at)
                step = {"stored": profile.stored().hex()}
            elif "reopen" in step:
                profile = profile.reopened(self.sets[step["reopen"]])
            elif "merge" in step:
                other = Profile(profile.signals)
                for event in step["merge"]:
                    other.fold(event, event["timestamp"])
                profile.merge(other)
            else:
                names = [item["name"] for item in profile.signals]
                values = {name: written(profile.value(name, step["now"])) for name in names}
                decays = any(item["kind"] == "decayed" for item in profile.signals)
                # Decayed states are promised to single precision only, as values.
                stored = {} if decays else {"profile": profile.stored().hex()}
                step = {"now": step["now"], "values": values, **stored}
            steps.append(step)
        return steps


def written(value: float | str | None) -> str | None:
    return struct.pack(">d", value).hex() if isinstance(value, float) else value


def fold(event: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"event": event, **more}


def given(**values: tuple[float | str | None, int]) -> dict[str, Any]:
    """What a server says since when: hosts get the whole profile from it."""
    return {"given": values}


def ask(now: int) -> dict[str, Any]:
    return {"now": now}


def conditions() -> Suite:
    path, plan, seats, trial = "context.page.path", "properties.plan", "properties.seats", "properties.trial"
    suite = Suite(
        "conditions",
        "Which events a signal counts.",
        signals=[
            signal(1, "count"),
            signal(2, "count", {"type": "page"}),
            signal(3, "count", {"type": ["track", "identify"]}),
            signal(4, "count", {"event": "Plan Chosen"}),
            signal(5, "count", {"event": ["Plan Chosen", "Trial Started"]}),
            signal(6, "count", where({"field": path, "prefix": "/pricing"})),
            signal(7, "count", where({"field": path, "contains": "case"})),
            signal(8, "count", where({"field": plan, "equals": "pro"})),
            signal(9, "count", where({"field": plan, "one_of": ["pro", "team", 7, True]})),
            signal(10, "count", where({"field": seats, "at_least": 10})),
            signal(11, "count", where({"field": seats, "at_most": 10})),
            signal(12, "count", where({"field": seats, "at_least": 5}, {"field": seats, "at_most": 50})),
            signal(13, "count", where({"field": trial, "equals": True})),
            signal(14, "count", where({"field": plan, "exists": True})),
            signal(15, "count", where({"field": plan, "exists": False})),
            signal(16, "count", where({"field": plan, "equals": "pro", "not": True})),
            signal(17, "count", where({"field": path, "prefix": "/pricing", "not": True}, type="page")),
            signal(18, "count", where({"field": "channel", "equals": "paid search"})),
            signal(19, "count", where({"field": "event", "one_of": ["page", "Plan Chosen", "identify"]})),
            signal(20, "count", where({"field": "properties.items.length", "at_least": 2})),
            signal(21, "count", where({"field": "traits.address.city", "equals": "Bergen"})),
        ],
    )
    events: list[tuple[str, dict[str, Any]]] = [
        (f"a page view of {path}", page(path, T0))
        for path in ["/", "/pricing", "/pricing/teams", "/pric", "/case-studies", "/showcase", "/Pricing", "/preis-é"]
    ]
    for name, properties in [
        ("no properties", {}),
        ("plan pro", {"plan": "pro"}),
        ("plan with white space around it", {"plan": "  pro\t"}),
        ("plan in other letters", {"plan": "Pro"}),
        ("plan as a number", {"plan": 7}),
        ("plan as that number in text", {"plan": "7"}),
        ("plan as truth", {"plan": True}),
        ("plan as the word true", {"plan": "true"}),
        ("plan empty", {"plan": ""}),
        ("plan null", {"plan": None}),
        ("seats at the lower bound", {"seats": 10}),
        ("seats just below", {"seats": 9.999999}),
        ("seats beyond every bound", {"seats": 1e15}),
        ("seats negative", {"seats": -3}),
        ("seats as plain decimal text", {"seats": "12.50"}),
        ("seats as text with a unit", {"seats": "12 seats"}),
        ("seats with too many digits", {"seats": "1234567890123456"}),
        ("trial true", {"trial": True}),
        ("trial false", {"trial": False}),
        ("trial as a word", {"trial": "true"}),
        ("two items", {"items": [{"sku": "a"}, {"sku": "b"}]}),
        ("one item", {"items": ["a"]}),
        ("no items", {"items": []}),
    ]:
        events.append((f"a track with {name}", track("Plan Chosen", T0, properties)))
    events += [
        ("a track of another name", track("Trial Started", T0)),
        ("a track whose name differs in letters", track("plan chosen", T0)),
        ("a page of a tracked name", page("/", T0, name="Plan Chosen")),
        ("an identify", identify(T0, plan="pro")),
        ("an identify with a nested trait", identify(T0, address={"city": "Bergen"})),
        ("a group", {"type": "group", "groupId": "g", "timestamp": T0, "traits": {"plan": "pro"}}),
        ("an alias", {"type": "alias", "previousId": "a", "userId": "b", "timestamp": T0}),
    ]
    for name, event in events:
        suite.case(f"{name} counts where its conditions hold", fold(event), ask(T0))
    return suite


def values() -> Suite:
    amount, path = "properties.amount", "context.page.path"
    suite = Suite(
        "values",
        "Sums, extremes, latest values, engaged time and distinct counts.",
        signals=[
            signal(1, "sum", field=amount),
            signal(2, "max", field=amount),
            signal(3, "last", field=amount),
            signal(4, "engaged", {"event": "Engaged"}),
            signal(5, "distinct", field=amount),
            signal(6, "sum", {"event": "Refund"}, field=amount),
        ],
        paths=[signal(1, "distinct", {"type": "page"}, field=path)],
    )
    sequences: dict[str, list[Any]] = {
        "cents add up without error": [0.1] * 10,
        "halves of a millionth round away from zero": [0.0000005, -0.0000005, 0.0000015],
        "a sum may fall": [10, -4.25, -20],
        "an absent amount changes nothing": [5, None, 7],
        "text that is no number changes nothing": [5, "many", ""],
        "text that is a number counts": [5, "7.5", "-2"],
        "truth counts as one": [True, False, True],
        "a huge amount saturates the sum": [1e20, 1e20],
        "a sum saturates below, too": [-1e20, 5],
        "the largest of negatives is negative": [-5, -3, -9],
        "negative zero is zero": [-0.0],
        "equal values keep the first time": [3, 3, 3],
        "six different values are counted exactly": [1, 2, 3, 4, 5, 6, 6, 1],
        "seven are estimated": [1, 2, 3, 4, 5, 6, 7],
        "numbers and their text are different values": [7, "7"],
        "a tiny amount vanishes": [1e-9],
    }
    for name, amounts in sequences.items():
        folds = [
            fold(track("Paid", T0 + index, {} if value is None else {"amount": value}))
            for index, value in enumerate(amounts)
        ]
        suite.case(name, *folds, ask(T0 + len(amounts)))
    for seconds in [0, 12.5, 1800, 1800.000001, 5000, -3, "40", True]:
        event = track("Engaged", T0, {"seconds": seconds})
        suite.case(f"{seconds!r} engaged seconds are held between 0 and 1800", fold(event), ask(T0))
    reading = [fold(track("Engaged", T0 + 10_000 * turn, {"seconds": 9.9})) for turn in range(30)]
    suite.case("engaged seconds add up", *reading, ask(T0))
    for count in [1, 5, 6, 7, 8, 12, 20, 50, 100, 200]:
        folds = [fold(page(f"/p{index}", T0 + index)) for index in range(count)]
        suite.case(f"{count} different paths", *folds, ask(T0 + count), signals="paths")
    return suite


def touches() -> Suite:
    suite = Suite(
        "touches",
        "First and latest levels, channels, and what is read from the event itself.",
        signals=[
            signal(1, "first_level", field="channel"),
            signal(2, "last_level", field="channel"),
            signal(3, "last_level", where({"field": "channel", "equals": "direct", "not": True}), field="channel"),
            signal(4, "last_level", field="event"),
            signal(5, "first_level", field="traits.industry"),
            signal(6, "last_level", field="traits.industry"),
        ],
    )
    own = "https://acme.test/"
    arrivals: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("nothing known", {}, {}),
        ("a page of the same site", {"referrer": own}, {}),
        ("a subdomain of the same site", {"referrer": "https://blog.acme.test/x"}, {}),
        ("the same site with www and a port", {"referrer": "https://www.acme.test:8443/"}, {}),
        ("a site whose name ends alike", {"referrer": "https://notacme.test/"}, {}),
        ("a search engine", {"referrer": "https://www.google.no/"}, {}),
        ("another search engine", {"referrer": "https://duckduckgo.com/"}, {}),
        ("web mail", {"referrer": "https://mail.google.com/mail"}, {}),
        ("a social network", {"referrer": "https://www.linkedin.com/feed/"}, {}),
        ("a short link", {"referrer": "https://t.co/xyz"}, {}),
        ("a host that ends like a short link", {"referrer": "https://about.co/xyz"}, {}),
        ("a social network under www", {"referrer": "https://www.x.com/"}, {}),
        ("a host that ends like a social network", {"referrer": "https://netflix.com/"}, {}),
        ("somebody's site", {"referrer": "https://news.example/a"}, {}),
        ("a referrer with user and port", {"referrer": "https://user:pw@www.bing.com:443/?q=x"}, {}),
        ("a referrer that is no URL", {"referrer": "android-app"}, {}),
        ("a paid click", {"search": "?q=1&gclid=abc", "referrer": "https://www.google.com/"}, {}),
        ("a paid click in the URL", {"url": own + "?msclkid=1#top"}, {}),
        ("an empty click id", {"search": "?gclid=", "referrer": "https://www.google.com/"}, {}),
        ("a social click", {"search": "?fbclid=1"}, {}),
        ("a social click with a referrer", {"search": "?fbclid=1", "referrer": "https://news.example/"}, {}),
        ("utm cpc", {"referrer": "https://www.google.com/"}, {"source": "google", "medium": "cpc"}),
        ("utm e-mail", {}, {"source": "june", "medium": "E-Mail"}),
        ("utm newsletter source", {}, {"source": "Newsletter"}),
        ("utm social source", {}, {"source": "linkedin", "medium": "cpc"}),
        ("utm paid social", {}, {"source": "ads", "medium": "paid_social"}),
        ("utm organic", {}, {"source": "bing", "medium": "organic"}),
        ("utm partner", {}, {"source": "hub", "medium": "partner"}),
        ("utm something", {}, {"source": "booth", "medium": "event"}),
        ("utm name only", {}, {"name": "autumn"}),
    ]
    for name, where_from, campaign in arrivals:
        context = {"campaign": campaign} if campaign else {}
        suite.case(f"the channel of {name}", fold(page("/", T0, page=where_from, context=context)), ask(T0))
    google, mail = {"referrer": "https://www.google.com/"}, {"referrer": "https://mail.google.com/"}
    suite.case(
        "the first channel stays, the latest moves, and direct is no latest touch",
        fold(page("/", T0, page=google)),
        fold(page("/a", T0 + 1, page={"referrer": own})),
        fold(page("/", T0 + DAY, page=mail)),
        fold(page("/", T0 + 2 * DAY)),
        ask(T0 + 2 * DAY),
    )
    for name, industries in {
        "the latest trait wins": ["steel", "wood"],
        "white space around a level is nothing": [" steel ", "steel"],
        "a blank level is none": ["steel", "  "],
        "a number is no level": ["steel", 7],
        "truth is a level": [True, False],
        "a level outside ASCII": ["Stål", "木材"],
    }.items():
        folds = [fold(identify(T0 + index, industry=item)) for index, item in enumerate(industries)]
        suite.case(name, *folds, ask(T0 + 5))
    return suite


def times() -> Suite:
    suite = Suite(
        "times",
        "Time since, windows and decay.",
        signals=[
            signal(1, "since_first", {"type": "page"}),
            signal(2, "since_last", {"type": "page"}),
            signal(3, "window", {"type": "page"}, days=7),
            signal(4, "window", {"type": "page"}, days=30),
            signal(5, "window", {"type": "page"}, days=0.5),
        ],
        decayed=[
            signal(1, "decayed", {"type": "page"}, half_life_days=7),
            signal(2, "decayed", {"type": "page"}, half_life_days=0.25),
            signal(3, "decayed", half_life_days=30, field="properties.amount"),
        ],
    )
    suite.case("before the first event nothing is known of time", ask(T0))
    suite.case("before the first event nothing decays", ask(T0), signals="decayed")
    plans: dict[str, list[int]] = {
        "one page": [0],
        "two pages a day apart": [0, DAY],
        "a page a day for a month": [DAY * day for day in range(30)],
        "a page every five hours for ten days": [5 * HOUR * turn for turn in range(48)],
        "three pages at once": [0, 0, 0],
        "a burst after a long pause": [0, 200 * DAY, 200 * DAY + 1, 200 * DAY + 2],
    }
    later = [0, 1, HOUR, 14 * HOUR, DAY, 7 * DAY - 1, 7 * DAY, 30 * DAY, 365 * DAY]
    for name, plan in plans.items():
        folds = [fold(page("/", T0 + offset)) for offset in plan]
        asks = [ask(T0 + plan[-1] + offset) for offset in later]
        suite.case(f"{name}: time since and windows", *folds, *asks)
        suite.case(f"{name}: decay", *folds, *asks, signals="decayed")
    for amount in [1, 2.5, -4, "3", None, 0]:
        event = track("Paid", T0, {"amount": amount})
        suite.case(f"an amount of {amount!r} decays", fold(event), ask(T0), ask(T0 + 30 * DAY), signals="decayed")
    suite.case("amounts of both signs decay together", fold(track("Paid", T0, {"amount": 8})),
               fold(track("Paid", T0 + 30 * DAY, {"amount": -3})), ask(T0 + 60 * DAY), signals="decayed")
    clock = [fold(page("/", T0)), fold(page("/", T0 - HOUR), now=T0 + 1), ask(T0)]
    suite.case("an event before its predecessor counts as just after it", *clock)
    suite.case("an event before its predecessor does not decay backwards", *clock, signals="decayed")
    suite.case("an event after now counts as now", fold(page("/", T0 + DAY), now=T0), ask(T0 + DAY))
    suite.case("asking about the past answers for the last event", fold(page("/", T0)), ask(T0 - DAY))
    suite.case("times before 1970 do no harm", fold(page("/", -5 * DAY)), fold(page("/", 3)), ask(DAY))
    many = [fold(page("/", T0 + index)) for index in range(300)]
    suite.case("three hundred pages in a moment", *many, ask(T0 + 300), ask(T0 + 8 * DAY))
    return suite


def visits() -> Suite:
    suite = Suite(
        "visits",
        "Visits end after half an hour idle and after a day, and a new campaign starts one.",
        signals=[
            signal(1, "visits", {"type": "page"}, name="visits"),
            signal(2, "session", {"type": "page"}),
            signal(3, "count", {"type": "page"}, name="pages"),
            signal(4, "ratio", of=["pages", "visits"]),
            signal(5, "visits", where({"field": "context.page.path", "prefix": "/pricing"})),
            signal(6, "session", {"event": "Clicked"}),
            signal(7, "ratio", of=["visits", "pages"]),
        ],
    )
    half = 30 * MINUTE
    suite.case("before the first event", ask(T0))
    for gap in [1, half - 1, half, half + 1, DAY - 1, DAY]:
        suite.case(f"a pause of {gap} ms", fold(page("/", T0)), fold(page("/pricing", T0 + gap)), ask(T0 + gap))
        suite.case(f"{gap} ms after the only page", fold(page("/", T0)), ask(T0 + gap))
    for offset in [-1, 0, 1]:
        steps = [fold(page("/", T0 + turn * 20 * MINUTE)) for turn in range(72)]
        end = T0 + DAY + offset
        suite.case(f"a visit without a pause, {offset} ms from a day on", *steps, fold(page("/pricing", end)), ask(end))
    def campaign(at: int, **names: str) -> dict[str, Any]:
        return fold(page("/", at, context={"campaign": names}))
    suite.case("a campaign starts a visit", fold(page("/", T0)), campaign(T0 + 1, source="a"), ask(T0 + 2))
    suite.case("the same campaign goes on", campaign(T0, source="a"), campaign(T0 + 1, source="a"), ask(T0 + 2))
    suite.case("another campaign starts another visit", campaign(T0, source="a"), campaign(T0 + 1, source="b"), ask(T0 + 2))
    suite.case("another medium is another campaign", campaign(T0, source="a", medium="b"),
               campaign(T0 + 1, source="a", medium="c"), ask(T0 + 2))
    suite.case("source and medium are not confused", campaign(T0, source="ab"), campaign(T0 + 1, source="a", medium="b"), ask(T0 + 2))
    suite.case("terms do not make a campaign", campaign(T0, source="a", term="x"), campaign(T0 + 1, source="a", term="y"), ask(T0 + 2))
    suite.case("no campaign goes on with the last", campaign(T0, source="a"), fold(page("/", T0 + 1)),
               campaign(T0 + 2, source="a"), ask(T0 + 3))
    suite.case("the last campaign is remembered over a pause", campaign(T0, source="a"), campaign(T0 + DAY, source="a"), ask(T0 + DAY))
    mail = track("Email Opened", T0 + DAY)
    suite.case("what no page sent is no visit", fold(mail), ask(T0 + DAY))
    suite.case("what no page sent does not prolong a visit", fold(page("/", T0)),
               fold(track("Email Opened", T0 + 29 * MINUTE)), fold(page("/", T0 + 31 * MINUTE)), ask(T0 + 31 * MINUTE))
    on_page = {"context": {"page": {"path": "/pricing"}}}
    suite.case("a click on a page belongs to a visit", fold(track("Clicked", T0, **on_page)), ask(T0), ask(T0 + half))
    suite.case("a click without a page belongs to none", fold(track("Clicked", T0)), ask(T0))
    suite.case("clicks are counted anew in each visit", *[fold(track("Clicked", T0 + at, **on_page)) for at in
               [0, 1, 2, half + 2, half + 3]], ask(T0 + half + 4))
    suite.case("pages a visit", *[fold(page("/", T0 + at)) for at in [0, 1, 2, DAY, DAY + 1]], ask(T0 + DAY + 2))
    suite.case("a clock that runs backwards ends no visit", fold(page("/", T0)), fold(page("/", T0 - DAY), now=T0), ask(T0))
    return suite


def lives() -> Suite:
    """Changing declarations, merging, and long random lives with every kind at once."""
    path = "context.page.path"
    every = [
        signal(11, "count", {"type": "page"}, name="pages"),
        signal(3, "distinct", {"type": "page"}, field=path),
        signal(7, "sum", field="properties.amount"),
        signal(5, "max", field="properties.amount"),
        signal(20, "last", field="properties.amount"),
        signal(1, "first_level", field="channel"),
        signal(2, "last_level", field="channel"),
        signal(30, "since_first"),
        signal(31, "since_last", where({"field": path, "prefix": "/pricing"})),
        signal(32, "engaged"),
        signal(33, "session", {"type": "page"}),
        signal(34, "visits", {"type": "page"}, name="visits"),
        signal(35, "window", {"type": "page"}, days=7),
        signal(36, "ratio", of=["pages", "visits"]),
    ]
    fewer = [item for item in every if item["id"] in (1, 5, 11, 30)]
    more = [*fewer, signal(40, "count", name="new"), signal(41, "ratio", name="new_ratio", of=["pages", "new"]),
            signal(42, "first_level", name="new_level", field="channel")]
    decayed = [*every, signal(50, "decayed", {"type": "page"}, half_life_days=3)]
    suite = Suite("lives", lives.__doc__ or "", signals=every, fewer=fewer, more=more, decayed=decayed)
    first = [fold(page("/", T0)), fold(track("Paid", T0 + 1, {"amount": 5}))]
    second = [fold(page("/pricing", T0 + DAY)), fold(track("Paid", T0 + DAY + 1, {"amount": 3}))]
    suite.case("dropped signals are forgotten", *first, {"reopen": "fewer"}, ask(T0 + 2))
    suite.case("new signals are missing, also after more events", *first, {"reopen": "more"}, ask(T0 + 2), *second, ask(T0 + DAY + 2))
    suite.case("a signal that comes back has lost its past", *first, {"reopen": "fewer"}, {"reopen": "signals"}, *second, ask(T0 + 2 * DAY))
    suite.case("the same signals lose nothing", *first, {"reopen": "signals"}, *second, ask(T0 + 2 * DAY))
    suite.case("an empty profile carries over", {"reopen": "more"}, ask(T0))
    events = [step["event"] for step in second]
    suite.case("a merge with nothing changes only what must be folded again", *first, {"merge": []}, ask(T0 + 2))
    suite.case("nothing takes over the other profile", {"merge": events}, ask(T0 + 2 * DAY))
    suite.case("an earlier profile is merged with a later one", *first, {"merge": events}, ask(T0 + 2 * DAY))
    suite.case("a later profile is merged with an earlier one", *second,
               {"merge": [step["event"] for step in first]}, ask(T0 + 2 * DAY))
    suite.case("what one of them does not know is missing", *first, {"reopen": "more"}, {"merge": events}, ask(T0 + 2 * DAY))
    suite.case("at equal times the other counts as the later", *first,
               {"merge": [track("Paid", T0 + 1, {"amount": 9}), page("/z", T0 + 1)]}, ask(T0 + 2))
    suite.case("events go on after a merge", *first, {"merge": events}, fold(page("/pricing", T0 + 3 * DAY)), ask(T0 + 3 * DAY))
    for seed in range(40):
        dice = random.Random(seed)
        life = random_life(dice)
        at = life[-1]["timestamp"]
        steps: list[Any] = []
        for event in life:
            late = dice.random() < 0.1
            event = {**event, "timestamp": event["timestamp"] - dice.randrange(DAY)} if late else event
            steps.append(fold(event, now=max(event["timestamp"], T0)))
            if dice.random() < 0.15:
                steps.append(ask(event["timestamp"] + dice.randrange(2 * DAY)))
        name = "decayed" if seed % 3 == 0 else "signals"
        if seed % 4 == 1:
            steps.insert(len(steps) // 2, {"reopen": name})
        if seed % 4 == 2:
            steps.append({"merge": random_life(dice)})
        suite.case(f"life {seed}", *steps, ask(at + HOUR), ask(at + 9 * DAY), signals=name)
    return suite


def random_life(dice: random.Random) -> list[dict[str, Any]]:
    at, events = T0 + dice.randrange(DAY), []
    for _ in range(dice.randrange(3, 40)):
        at += dice.choice([dice.randrange(1, MINUTE), dice.randrange(HOUR), dice.randrange(5 * DAY)])
        kind = dice.random()
        if kind < 0.6:
            context = {"campaign": {"source": dice.choice("ab")}} if dice.random() < 0.1 else {}
            came = {"referrer": dice.choice(["", "https://acme.test/", "https://www.google.com/", "https://t.co/"])}
            events.append(page(dice.choice(["/", "/pricing", "/docs", f"/p{dice.randrange(30)}"]), at, page=came, context=context))
        elif kind < 0.8:
            events.append(track("Paid", at, {"amount": round(dice.uniform(-5, 50), 2)}))
        elif kind < 0.95:
            events.append(track("Engaged", at, {"seconds": dice.randrange(100) / 10}))
        else:
            events.append(identify(at, industry=dice.choice(["steel", "wood"])))
    return events


def servers() -> Suite:
    said = [signal(1, "server", name="open_deals"), signal(2, "server_level", name="stage"), signal(3, "count", name="events")]
    suite = Suite(
        "servers",
        "What only a server knows: no event moves it, and every host keeps it.",
        signals=said,
        ratio=[*said, signal(4, "ratio", of=["open_deals", "events"], name="deals_an_event")],
        later=[said[2]],
    )
    told = {"type": "identify", "messageId": "m", "timestamp": T0, "traits": {"open_deals": 9, "stage": "won"}}
    late = given(open_deals=(3.0, T0 - DAY), stage=("negotiation", T0 - DAY))
    suite.case("nothing is known before a server says it", ask(T0), fold(told), ask(T0))
    suite.case("a server's word stands whatever events say", late, ask(T0), fold(told), fold(page("/pricing", T0 + 1)), ask(T0 + DAY))
    for value in [0.0, -0.0, -1.5, 1e12, 1 / 3]:
        suite.case(f"the number {value!r}", given(open_deals=(value, T0)), ask(T0), fold(told), ask(T0))
    for value in ["won", " won ", "Won", "zürich", ""]:
        suite.case(f"the level {value!r}", given(stage=(value, T0)), ask(T0), fold(told), ask(T0))
    suite.case("a later word replaces an earlier one", late, given(open_deals=(1.0, T0), stage=("won", T0)), ask(T0))
    suite.case("a word is taken back", late, fold(told), given(open_deals=(None, T0), stage=(None, T0)), ask(T0))
    suite.case("a word may be of the future or of long ago", given(open_deals=(2.0, T0 + 400 * DAY), stage=("won", 0)), fold(told), ask(T0))
    suite.case("a merge keeps a word where the other has none", late, fold(told), {"merge": [page("/", T0 + 5)]}, ask(T0 + 9))
    suite.case("a ratio divides a word by what was counted", fold(told), fold(page("/", T0 + 1)), given(open_deals=(3.0, T0)), ask(T0), signals="ratio")
    suite.case("signals that go and come again are missing until a server says them", late, {"reopen": "later"}, fold(told), {"reopen": "signals"}, ask(T0), given(stage=("won", T0)), ask(T0))
    return suite


SUITES = [conditions, values, touches, times, visits, servers, lives]


def encodings() -> dict[str, Any]:
    cases: list[dict[str, Any]] = []

    def good(name: str, event: dict[str, Any]) -> None:
        cases.append({"name": name, "provenance": INDEPENDENT, "event": event, "time": T0, "bytes": encoded(event, T0).hex()})

    def bad(name: str, event: dict[str, Any], error: str) -> None:
        cases.append({"name": name, "provenance": "by hand, from docs/event-format.md", "event": event, "time": T0, "error": error})

    good("a bare page", {"type": "page"})
    good("a named page", {"type": "page", "name": "Pricing", "messageId": "m-1"})
    good("a track", {"type": "track", "event": "Plan Chosen", "properties": {"plan": "pro", "seats": 12, "trial": True}})
    good("an identify", {"type": "identify", "userId": "u1", "traits": {"industry": "steel", "employees": 120.5}})
    good("a group", {"type": "group", "groupId": "g1", "traits": {"name": "Acme"}})
    good("an alias", {"type": "alias", "previousId": "a", "userId": "b"})
    good("nested objects become dotted paths", {"type": "page", "context": {"page": {"path": "/", "title": "Home"}, "ip": "::1"}})
    good("fields stand in the order of their paths", {"type": "page", "traits": {"b": 1, "a": 2}, "context": {"z": 3}, "properties": {"m": 4}})
    good("of an array only the length stays", {"type": "track", "event": "E", "properties": {"items": [{"sku": 1}, 2], "none": []}})
    good("null is absent", {"type": "track", "event": "E", "properties": {"gone": None, "false": False}})
    good("text outside ASCII", {"type": "track", "event": "Køb", "properties": {"by": "木材 🪵"}})
    good("numbers keep all their bits", {"type": "track", "event": "E", "properties": {"a": 0.1, "b": -1e-300, "c": 1e20, "d": 2**53}})
    good("an empty name in a path", {"type": "track", "event": "E", "properties": {"": 1}})
    good("six objects deep", {"type": "track", "event": "E", "properties": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}})
    good("128 fields", {"type": "track", "event": "E", "properties": {f"p{index:03}": index for index in range(128)}})
    good("text of 4096 bytes", {"type": "track", "event": "E", "properties": {"text": "é" * 2048}})
    good("unknown members are ignored", {"type": "track", "event": "E", "integrations": {"All": True}, "channel": "server"})
    bad("another type", {"type": "screen"}, "`type` is `screen`; it must be track, page, identify, group or alias")
    bad("no type", {"event": "E"}, "`type` is ``")
    bad("a track without a name", {"type": "track"}, "a track event needs `event`, its name")
    bad("a track with an empty name", {"type": "track", "event": ""}, "a track event needs `event`, its name")
    bad("a name of 257 bytes", {"type": "track", "event": "x" * 257}, "the event's name is longer than 256 bytes")
    bad("a message id of 257 bytes", {"type": "page", "messageId": "x" * 257}, "the message id is longer than 256 bytes")
    bad("seven objects deep", {"type": "track", "event": "E", "properties": {"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}},
        "`properties.a.b.c.d.e.f` nests deeper than 6 objects")
    bad("129 fields", {"type": "track", "event": "E", "properties": {f"p{index:03}": index for index in range(129)}},
        "event has more than 128 fields; `properties.p128` is one too many")
    bad("text of 4097 bytes", {"type": "track", "event": "E", "properties": {"text": "x" * 4097}}, "`properties.text` is longer than 4096 bytes")
    bad("a path of 129 bytes", {"type": "track", "event": "E", "properties": {"x" * 118: 1}}, "is empty or longer than 128 bytes")
    bad("a number beyond every id and amount", {"type": "track", "event": "E", "properties": {"huge": 1e21}},
        "`properties.huge` is not a finite number within ±1e20")
    bad("more than 32 KiB", {"type": "track", "event": "E", "properties": {f"p{index}": "x" * 4096 for index in range(8)}},
        "at most 32768 are allowed")
    return {"about": "Events in Segment's JSON and their compact form, or why they are refused.", "cases": cases}


def clocks() -> dict[str, Any]:
    received = 1_750_000_000_000

    def iso(millis: int, zone: str = "Z") -> str:
        moment = datetime.fromtimestamp(millis / 1000, timezone.utc)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{millis % 1000:03}{zone}"

    def instant(value: Any) -> int | None:
        if not isinstance(value, str):
            return value
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        return round((moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) / timedelta(milliseconds=1))

    cases = []
    for name, sent, client in [
        ("clocks agree", iso(received), iso(received - 5000)),
        ("a client a year behind", iso(received - 365 * DAY), iso(received - 365 * DAY - 5000)),
        ("a client ten years ahead", iso(received + 3650 * DAY), iso(received + 3650 * DAY - 5000)),
        ("thirty days offline", iso(received), iso(received - 30 * DAY)),
        ("thirty-one days offline", iso(received), iso(received - 31 * DAY)),
        ("a minute early", iso(received), iso(received + 60_000)),
        ("two minutes early", iso(received), iso(received + 120_000)),
        ("no sentAt", None, iso(received - 7000)),
        ("no sentAt and a client far behind", None, iso(received - 365 * DAY)),
        ("no timestamp", iso(received - 7000), None),
        ("no times at all", None, None),
        ("times as milliseconds", received - 1000, received - 3000),
        ("an offset east", iso(received + 2 * HOUR, "+02:00"), iso(received + 2 * HOUR - 1, "+02:00")),
        ("an offset west", iso(received), iso(received - 5 * HOUR - 30 * MINUTE, "-05:30")),
        ("seconds without a fraction", "2025-06-15T15:06:40Z", "2025-06-15T15:06:39Z"),
        ("no zone is UTC", "2025-06-15T15:06:40", "2025-06-15 15:06:30"),
        ("a leap day", "2024-02-29T12:00:00Z", "2024-02-29T11:59:00Z"),
    ]:
        at = received if instant(client) is None else instant(client)
        if instant(client) is not None and instant(sent) is not None:
            at = received - (instant(sent) - instant(client))
        time = min(max(at, received - 30 * DAY), received + MINUTE)
        event = {"type": "page", "timestamp": client, "sentAt": sent}
        cases.append({"name": name, "provenance": INDEPENDENT, "received": received, "event": event, "time": time})
    for name, value in [("no time", "yesterday"), ("a day that is none", "2023-02-29"), ("an hour that is none", "2024-01-01T25:00Z"), ("a list", [])]:
        event = {"type": "page", "timestamp": value}
        error = "`timestamp` is not a time; write ISO 8601, such as 2026-11-23T05:06:07.089Z, or milliseconds since 1970"
        cases.append({"name": name, "provenance": "by hand, from docs/event-format.md", "received": received, "event": event, "error": error})
    return {"about": "When an event happened, by the receiver's clock.", "cases": cases}


def listed_in(lines: list[Any]) -> str:
    return "[\n" + ",\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n]"


def main() -> int:
    documents = {f"fold/{suite.name}.json": suite.document() for suite in (make() for make in SUITES)}
    documents |= {"event/encodings.json": encodings(), "event/clocks.json": clocks()}
    stale, total = [], 0
    for name, document in documents.items():
        total += len(document["cases"])
        sets = ",\n".join(f"{json.dumps(key)}: {listed_in(signals)}" for key, signals in document.get("sets", {}).items())
        text = f'{{\n"about": {json.dumps(document["about"])},\n'
        text += f'"sets": {{\n{sets}\n}},\n' if sets else ""
        text += f'"cases": {listed_in(document["cases"])}\n}}\n'
        path = HERE / "cases" / name
        if "--write" in sys.argv[1:]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    print(f"{total} cases" + (f"; stale: {', '.join(stale)}: run with --write" if stale else ""))
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
