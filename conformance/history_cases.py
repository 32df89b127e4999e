#!/usr/bin/env python3
"""The cases of histories, and their expected values by `history_reference` and `fold_reference`.

    python3 conformance/history_cases.py            # checks that the files are up to date
    python3 conformance/history_cases.py --write    # writes conformance/cases/histories/*.json
"""

from __future__ import annotations

import json
import random
import sys
from typing import Any

from fold_cases import HERE, T0, listed_in, page, signal, track, where
from fold_reference import DAY, HOUR, MINUTE, Profile
from history_reference import Arrival, History, visitor, when

INDEPENDENT = "history_reference.py: independent implementation in Python"
PATH = "context.page.path"
SIGNALS = [
    signal(11, "count", {"type": "page"}, name="pages"),
    signal(3, "distinct", {"type": "page"}, field=PATH),
    signal(7, "sum", field="properties.amount"),
    signal(5, "max", field="properties.amount"),
    signal(20, "last", field="properties.amount"),
    signal(1, "first_level", field="channel"),
    signal(2, "last_level", field="event"),
    signal(30, "since_first"),
    signal(31, "since_last", where({"field": PATH, "prefix": "/pricing"})),
    signal(33, "session", {"type": "page"}),
    signal(34, "visits", {"type": "page"}, name="visits"),
    signal(35, "window", {"type": "page"}, days=7),
    signal(36, "ratio", of=["pages", "visits"]),
]


class Suite:
    """Histories; each is told once and worked out here."""

    def __init__(self, name: str, about: str) -> None:
        self.name, self.about, self.cases = name, about, []

    def case(self, name: str, *arrivals: Arrival, granted: bool = True, pages: list[tuple[str, int, int]] | None = None) -> None:
        """`pages`: a browser that got the server's profile after so many arrivals, and folds what it
        sent itself up to so many."""
        history = History(list(arrivals), granted)
        folds = history.folds()
        case = {
            "name": name,
            "provenance": INDEPENDENT,
            "signals": "signals",
            "granted": granted,
            "arrivals": list(arrivals),
            "people": history.people(),
            "folds": folds,
            "profiles": {person: folded(arrivals, places) for person, places in folds.items()},
        }
        hints = [hinted(list(arrivals), granted, *one) for one in pages or []]
        self.cases.append(case | ({"pages": hints} if hints else {}))

    def document(self) -> dict[str, Any]:
        return {"about": self.about, "sets": {"signals": SIGNALS}, "cases": self.cases}


def folded(arrivals: Any, places: list[int]) -> str:
    profile = Profile(SIGNALS)
    for place in places:
        event = arrivals[place]["event"]
        profile.fold(event, event["timestamp"])
    return profile.stored().hex()


def hinted(arrivals: list[Arrival], granted: bool, browser: str, after: int, until: int) -> dict[str, Any]:
    history = History(arrivals[:until], granted)
    places = history.folds()[history.people()[f"a:{browser}"]]
    return {"browser": browser, "after": after, "until": until, "profile": folded(arrivals, places)}


# ---------------------------------------------------------------- telling


def at(minutes: float) -> int:
    return T0 + int(minutes * MINUTE)


def view(browser: str, minutes: float, path: str = "/", message: str | None = None, word: bool | None = None) -> Arrival:
    event = {**page(path, at(minutes)), "anonymousId": browser, "messageId": message or f"{browser}-{minutes}"}
    return said(event, word)


def paid(user: str, minutes: float, amount: float = 5, word: bool | None = None) -> Arrival:
    event = {**track("Paid", at(minutes), {"amount": amount}), "userId": user, "messageId": f"{user}-{minutes}"}
    return said(event, word)


def said(event: dict[str, Any], word: bool | None) -> Arrival:
    if word is not None:
        event["context"] = {**event.get("context", {}), "consent": {"profiling": word}}
    return {"event": event}


def identify(browser: str, user: str, minutes: float, proven: bool = True, message: str | None = None) -> Arrival:
    event = {"type": "identify", "anonymousId": browser, "userId": user, "timestamp": at(minutes),
             "messageId": message or f"{browser}-is-{user}-{minutes}"}
    return {"event": event, "proven": True} if proven else {"event": event}


def alias(previous: str, user: str, minutes: float, browser: str | None = None, proven: bool = True) -> Arrival:
    event = {"type": "alias", "previousId": previous, "userId": user, "timestamp": at(minutes), "messageId": f"{previous}-was-{user}-{minutes}"}
    event |= {"anonymousId": browser} if browser else {}
    return {"event": event, "proven": True} if proven else {"event": event}


def merge(one: str, other: str, minutes: float) -> Arrival:
    return {"merge": [one, other], "messageId": f"merge-{minutes}", "timestamp": at(minutes)}


def unmerge(minutes: float, *who: str) -> Arrival:
    return {"unmerge": list(who), "messageId": f"unmerge-{minutes}", "timestamp": at(minutes)}


# ---------------------------------------------------------------- histories


def arrivals() -> Suite:
    suite = Suite("arrivals", "One subject: late, twice, out of order.")
    first, second, third = view("b", 0, "/pricing"), view("b", 10, "/docs"), view("b", 50, "/")
    suite.case("in order", first, second, third, pages=[("b", 1, 3), ("b", 2, 3), ("b", 3, 3)])
    suite.case("an event that comes late counts where it happened", first, third, second)
    suite.case("backwards", third, second, first)
    suite.case("a message that comes twice counts once", first, second, first, third, second, pages=[("b", 2, 5), ("b", 3, 5)])
    changed = view("b", 70, "/other", message=first["event"]["messageId"])
    suite.case("of a message the first arrival counts", first, second, changed)
    suite.case("also where the second happened before", second, view("b", 3, "/x", message=second["event"]["messageId"]))
    nameless = {"event": {**page("/", at(5)), "anonymousId": "b", "messageId": ""}}
    suite.case("what has no message id is never the same", first, nameless, nameless)
    suite.case("at equal times the order of arrival decides", view("b", 1, "/a", "x"), view("b", 1, "/b", "y"), view("b", 1, "/c", "z"))
    suite.case("and decides otherwise where they arrive otherwise", view("b", 1, "/b", "y"), view("b", 1, "/c", "z"), view("b", 1, "/a", "x"))
    suite.case("two browsers have nothing to do with each other", first, view("c", 1, "/pricing"), second, view("c", 2, "/"))
    suite.case("the same message of two browsers is one", view("b", 1, "/", "x"), view("c", 2, "/", "x"), third)
    offline = [view("b", 5 * minute, f"/p{minute}") for minute in range(12)]
    suite.case("a day offline comes all at once", view("b", 1440, "/"), *offline, view("b", 1441, "/pricing"))
    suite.case("a page folds onto a hint what the server has not got", *offline, view("b", 61, "/pricing"), view("b", 62, "/"),
               pages=[("b", after, 14) for after in (1, 6, 12, 13, 14)])
    suite.case("a page that sends again what it is not sure of", *offline[:4], *offline[1:6], *offline[3:9],
               pages=[("b", 4, 15), ("b", 7, 15), ("b", 9, 15)])
    return suite


def merges() -> Suite:
    suite = Suite("merges", "Proofs, aliases and administrators: who becomes whom.")
    before, after = view("b", 0, "/pricing"), view("b", 20, "/docs")
    suite.case("what a browser did before its proof is the person's", before, identify("b", "ann", 10), after, pages=[("b", 2, 3)])
    suite.case("a claim merges nothing", before, identify("b", "ann", 10, proven=False), paid("ann", 15), after)
    suite.case("what the person did elsewhere is theirs too", before, paid("ann", 5), identify("b", "ann", 10), after, pages=[("b", 3, 4)])
    both = [view("b", 0), view("c", 1, "/pricing"), identify("b", "ann", 2), view("c", 3, "/docs"), identify("c", "ann", 4), view("b", 5), view("c", 6)]
    suite.case("two browsers of one person", *both, pages=[("c", 6, 7)])
    suite.case("two browsers of one person, backwards", *reversed(both))
    suite.case("a proof that comes before the events of either side", identify("b", "ann", 10), before, paid("ann", 5), after)
    suite.case("a proof that comes late", before, after, paid("ann", 30), identify("b", "ann", 10))
    suite.case("a proof that comes twice", before, identify("b", "ann", 10), identify("b", "ann", 10), after, identify("b", "ann", 30))
    suite.case("at equal times a proof counts for what arrives after it", before, identify("b", "ann", 5), view("b", 20, "/a", "x"), identify("b", "bob", 20), view("b", 20, "/b", "y"))
    shared = [view("b", 0, "/pricing"), identify("b", "ann", 1), view("b", 2, "/docs"), identify("b", "bob", 3), view("b", 4, "/")]
    suite.case("two people share a browser", *shared, pages=[("b", 4, 5)])
    suite.case("two people share a browser, backwards", *reversed(shared))
    suite.case("a late event belongs to whoever was there", *shared, view("b", 2.5, "/late"), view("b", -1, "/earlier"))
    suite.case("the first comes back", *shared, identify("b", "ann", 5), view("b", 6, "/again"), pages=[("b", 6, 7)])
    suite.case("a proof in between comes late", shared[0], shared[1], shared[2], view("b", 4), identify("b", "ann", 5), shared[3])
    suite.case("each of the two has another browser", *shared, identify("c", "ann", 2), view("c", 7), identify("d", "bob", 3), view("d", 8))
    suite.case("a claim of the second changes nothing", *shared[:3], identify("b", "bob", 3, proven=False), shared[4])
    suite.case("somebody went by another user id", paid("old", 1), paid("new", 2), alias("old", "new", 3), paid("old", 4), paid("new", 5))
    suite.case("a claim of that changes nothing", paid("old", 1), paid("new", 2), alias("old", "new", 3, proven=False), paid("old", 4))
    suite.case("a server says whose a browser is with an alias", before, alias("b", "ann", 10), after)
    suite.case("a page says so of itself", before, alias("b", "ann", 10, browser="b"), after)
    suite.case("a chain of user ids", paid("a", 1), alias("a", "b", 2), paid("b", 3), alias("b", "c", 4), paid("c", 5), identify("x", "a", 6), view("x", 7))
    suite.case("a chain in another order", identify("x", "a", 6), alias("b", "c", 4), paid("a", 1), paid("c", 5), alias("a", "b", 2), view("x", 7), paid("b", 3))
    suite.case("a circle of user ids", alias("a", "b", 1), alias("b", "c", 2), alias("c", "a", 3), paid("a", 4), paid("b", 5), paid("c", 6))
    suite.case("somebody who was oneself", alias("a", "a", 1), paid("a", 2))
    suite.case("an administrator merges two browsers", view("b", 0), view("c", 1, "/pricing"), merge("a:c", "a:b", 2), view("b", 3))
    suite.case("an administrator merges before there is anything", merge("a:b", "a:c", 2), view("c", 1), view("b", 0))
    suite.case("an administrator merges two people with browsers", *both, paid("bob", 1), identify("d", "bob", 2), view("d", 3), merge("u:bob", "u:ann", 9))
    suite.case("a merged browser proves to be somebody's", view("b", 0), view("c", 1), merge("a:b", "a:c", 2), identify("c", "ann", 3), view("b", 4))
    suite.case("who is merged with a shared browser's first person", *shared, paid("cay", 1), merge("u:cay", "u:ann", 9))
    kiosk = [identify("kiosk", f"u{number:02}", number) for number in range(21)]
    suite.case("a browser of twenty people is theirs", view("kiosk", -5), *kiosk[:20], view("kiosk", 30))
    suite.case("a browser of twenty-one people is a machine's", view("kiosk", -5), *kiosk, view("kiosk", 30), paid("u03", 40))
    return suite


def unmerges() -> Suite:
    suite = Suite("unmerges", "What is undone, and what links again.")
    history = [view("b", 0, "/pricing"), identify("b", "ann", 1), view("b", 2), view("c", 3, "/docs"), identify("c", "ann", 4), paid("ann", 5)]
    suite.case("a browser leaves a person", *history, unmerge(9, "a:b"), view("b", 10))
    suite.case("it leaves that person by name", *history, unmerge(9, "a:b", "u:ann"), view("b", 10))
    suite.case("the order of the two names does not matter", *history, unmerge(9, "u:ann", "a:b"), view("b", 10))
    suite.case("parting from somebody else changes nothing", *history, unmerge(9, "a:b", "u:bob"), view("b", 10))
    suite.case("a person leaves every browser", *history, unmerge(9, "u:ann"), view("b", 10), view("c", 11))
    suite.case("a proof from before that comes late stays undone", *history, unmerge(9, "a:b"), identify("b", "ann", 8), view("b", 10))
    suite.case("a new proof links again, with all that was before", *history, unmerge(9, "a:b"), view("b", 10), identify("b", "ann", 11), view("b", 12),
               pages=[("b", 9, 10)])
    suite.case("an unmerge that comes late undoes what was before it", *history, identify("b", "ann", 20), view("b", 21), unmerge(9, "a:b"))
    suite.case("an unmerge that comes first undoes what was before it", unmerge(9, "a:b"), *history)
    suite.case("an unmerge that comes twice", *history, unmerge(9, "a:b"), unmerge(9, "a:b"), view("b", 10))
    suite.case("unmerged, merged, unmerged", *history, unmerge(9, "a:b"), merge("u:ann", "a:b", 10), unmerge(11, "a:b"), view("b", 12))
    suite.case("merged again by an administrator", *history, unmerge(9, "a:b"), merge("u:ann", "a:b", 10), view("b", 12))
    suite.case("a merge is undone", view("b", 0), view("c", 1), merge("a:b", "a:c", 2), unmerge(3, "a:c", "a:b"), view("c", 4))
    suite.case("only the merge is undone, not the proof", *history, paid("bob", 1), merge("u:ann", "u:bob", 8), unmerge(9, "u:bob", "u:ann"))
    suite.case("the middle of a chain leaves", paid("a", 1), alias("a", "b", 2), paid("b", 3), alias("b", "c", 4), paid("c", 5), unmerge(6, "u:b"))
    suite.case("one link of a circle leaves and they stay one", alias("a", "b", 1), alias("b", "c", 2), alias("c", "a", 3), paid("a", 4), paid("b", 5), unmerge(6, "u:a", "u:b"))
    shared = [view("b", 0), identify("b", "ann", 1), view("b", 2), identify("b", "bob", 3), view("b", 4)]
    suite.case("the second person of a browser leaves", *shared, unmerge(9, "a:b", "u:bob"), view("b", 10))
    suite.case("the first person of a browser leaves", *shared, unmerge(9, "a:b", "u:ann"), view("b", 10))
    suite.case("both leave", *shared, unmerge(9, "a:b"), view("b", 10))
    return suite


def consents() -> Suite:
    suite = Suite("consents", "What a person said of profiling on one browser and on another.")
    person = [identify("b", "ann", 0), identify("c", "ann", 1)]
    suite.case("a no stands for the whole person", *person, view("b", 2), view("c", 3, word=False), view("b", 4))
    suite.case("a yes elsewhere does not take it back", *person, view("c", 3, word=False), view("b", 4, word=True), view("b", 5))
    suite.case("a yes on the same browser does", *person, view("b", 2, word=True), view("c", 3, word=False), view("b", 4), view("c", 5, word=True), view("b", 6))
    suite.case("a no that comes late", *person, view("b", 4), view("c", 6, word=True), view("c", 3, word=False))
    suite.case("a no that goes with an unmerge", *person, view("b", 2), view("c", 3, word=False), unmerge(9, "a:c"), view("b", 10))
    suite.case("a no that comes with a merge", view("b", 0), view("c", 1, word=False), merge("a:b", "a:c", 2))
    suite.case("where nothing is granted, a yes speaks for those not asked", *person, view("b", 2), view("c", 3, word=True), paid("ann", 4), granted=False)
    suite.case("where nothing is granted, nobody is folded", *person, view("b", 2), paid("ann", 4), granted=False)
    suite.case("a no of the one who shared a browser is not the other's", identify("b", "ann", 0), view("b", 1, word=False), identify("b", "bob", 2), view("b", 3))
    return suite


def lives() -> Suite:
    suite = Suite("lives", "Long random histories of everything at once, and pages that fold onto hints of them.")
    for seed in range(60):
        dice = random.Random(seed)
        told = random_life(dice, wild=seed < 15)
        pages = []
        if seed % 2 == 0:
            told, pages = with_a_page(dice, told)
        suite.case(f"life {seed}", *told, granted=seed % 5 != 4, pages=pages)
    return suite


def random_life(dice: random.Random, wild: bool) -> list[Arrival]:
    """In a wild one administrators say what no API lets them: of anybody, and twice."""
    told: list[Arrival] = []
    now = 0.0
    for _ in range(dice.randrange(5, 45)):
        now += dice.choice([0.5, 7, 45, 700])
        then = now - dice.choice([0, 0, 0, 1, 50, 2000])
        browser, user, word = dice.choice("bcdef"), dice.choice(["ann", "bob", "cay"]), dice.choice([None] * 9 + [True, True, False])
        chance = dice.random()
        if chance < 0.5:
            told.append(view(browser, then, dice.choice(["/", "/pricing", "/docs"]), word=word))
        elif chance < 0.6:
            told.append(paid(user, then, round(dice.uniform(-5, 50), 2), word=word))
        elif chance < 0.78:
            told.append(identify(browser, user, then, proven=dice.random() < 0.8))
        elif chance < 0.82:
            told.append(alias(dice.choice(["ann", "bob", browser]), user, then, browser=dice.choice([None, browser])))
        elif chance < 0.93:
            told += administered(dice, told, now, wild)
        elif told:
            again = dice.choice(told)
            told += [again] if wild or "event" in again else []
    return told


def administered(dice: random.Random, told: list[Arrival], now: float, wild: bool) -> list[Arrival]:
    senders = sorted({visitor(arrival) for arrival in told if "event" in arrival})
    people = History(told).people()
    alone = [who for who in senders if people[who] == who and all(other[:2] == "a:" or other == who for other, person in people.items() if person == who)]
    if wild:
        senders = alone = [*(f"a:{name}" for name in "bcdef"), "u:ann", "u:bob", "u:cay"]
    if dice.random() < 0.45:
        return [merge(*dice.sample(alone, 2), minutes=now)] if len(alone) > 1 else []
    return [unmerge(now, *dice.sample(senders, dice.choice([1, 2])))] if len(senders) > 1 else []


def with_a_page(dice: random.Random, told: list[Arrival]) -> tuple[list[Arrival], list[tuple[str, int, int]]]:
    """A browser goes on alone, and gets hints while it does; nothing where it is not to be profiled."""
    browser = dice.choice("bcdef")
    last = max(when(arrival) for arrival in told)
    start = (last - T0) / MINUTE + 1
    told = [*told, view(browser, start, word=True)]
    known = len(told)
    tail = [view(browser, start + 3 * step, dice.choice(["/", "/pricing", "/p"])) for step in range(1, dice.randrange(3, 9))]
    # It sends some of it twice, since an answer got lost.
    for _ in range(2):
        place = dice.randrange(len(tail))
        tail.insert(dice.randrange(place, len(tail)) + 1, tail[place])
    history = History([*told, *tail])
    if history.people()[f"a:{browser}"] not in history.folds():
        return told, []
    return [*told, *tail], [(browser, known + after, known + len(tail)) for after in range(0, len(tail), 2)]


SUITES = [arrivals, merges, unmerges, consents, lives]


def main() -> int:
    stale, total, pages = [], 0, 0
    for make in SUITES:
        suite = make()
        document = suite.document()
        total += len(suite.cases)
        pages += sum(len(case.get("pages", [])) for case in suite.cases)
        sets = f'"sets": {{\n"signals": {listed_in(SIGNALS)}\n}}'
        text = f'{{\n"about": {json.dumps(document["about"])},\n{sets},\n"cases": {listed_in(suite.cases)}\n}}\n'
        path = HERE / "cases" / "histories" / f"{suite.name}.json"
        if "--write" in sys.argv[1:]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(suite.name)
    print(f"{total} cases, {pages} pages" + (f"; stale: {', '.join(stale)}: run with --write" if stale else ""))
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
