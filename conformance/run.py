"""Runs the conformance cases with the installed Python SDK: python conformance/run.py

Prints `suite python passed failed skipped` a line, and what fails.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from experiences import experiences
from gbstats import gbstats
from growthbook import growthbook, plain
from rapport import BundleError, RapportError, testing

FOLDER = Path(__file__).parent
Results = list[tuple[str, list[str]]]


def main() -> int:
    failed = 0
    for name, results in suites():
        faults = [f"{case}: {fault}" for case, found in results for fault in found]
        wrong = sum(1 for _, found in results if found)
        skipped = 0 if results else 1
        print(name, "python", len(results) - wrong, wrong, skipped)
        for fault in faults[:20]:
            print(f"  {fault}")
        failed += wrong
    return 1 if failed else 0


def suites() -> Iterator[tuple[str, Results]]:
    for suite in read("index.json")["suites"]:
        if suite["name"] == "experiences":
            cases = [case for file in suite["files"] for case in experiences(FOLDER / file)]
            yield "experiences", [*cases, *missing(len(cases), suite["cases"])]
            continue
        run = SUITES.get(suite["name"])
        if run is None:
            print(f"  {suite['name']}: this runner does not know the suite yet")
            yield suite["name"], []
            continue
        yield suite["name"], [case for file in suite["files"] for case in run(file, read(file))]
    yield "gbstats", gbstats(read("suites/gbstats/cases.json"))
    yield "growthbook", growthbook(read("suites/growthbook/cases.json"))


def missing(ran: int, cases: int) -> Results:
    """A failure where other cases ran than there are."""
    return [] if ran == cases else [("all", [f"{ran} cases ran, {cases} are listed"])]


def read(file: str) -> Any:
    return json.loads((FOLDER / file).read_text(encoding="utf-8"))


def load(file: str) -> bytes:
    return (FOLDER / file).read_bytes()


def event(file: str, document: Any) -> Results:
    return [(case["name"], event_faults(case)) for case in document["cases"]]


def event_faults(case: Any) -> list[str]:
    try:
        if "received" in case:
            found: Any = testing.event_time(case["event"], case["received"])
        else:
            found = testing.encode_event(case["event"], case["time"]).hex()
    except RapportError as error:
        refused = "error" in case and case["error"] in str(error)
        return [] if refused else [f"is refused: {error}"]
    expected = next(case[name] for name in ("error", "bytes", "time") if name in case)
    return same("it", found, expected)


def fold(file: str, document: Any) -> Results:
    parts = read("cases/fold-parts.json")

    def part(name: str) -> bytes:
        return bytes.fromhex(parts[f"{file}#{name}"])

    return [(case["name"], fold_faults(case, document["sets"], part)) for case in document["cases"]]


def fold_faults(case: Any, sets: Any, part: Callable[[str], bytes]) -> list[str]:
    faults = []
    current = case["signals"]
    folding = testing.Folding(part(current))
    for step in case["steps"]:
        if "event" in step:
            folding.fold(step["event"], step["now"])
        elif "stored" in step:
            folding = testing.Folding(part(current), bytes.fromhex(step["stored"]))
        elif "reopen" in step:
            current = step["reopen"]
            folding.reopen(part(current))
        elif "merge" in step:
            other = testing.Folding(part(current))
            for one in step["merge"]:
                other.fold(one)
            folding.merge(other)
        else:
            for signal in sets[current]:
                name = signal["name"]
                faults += same(name, value(folding, name, step["now"]), step["values"][name])
            if step.get("profile"):
                faults += same("profile", folding.stored().hex(), step["profile"])
    return faults


def histories(file: str, document: Any) -> Results:
    parts = read("cases/fold-parts.json")
    cases = document["cases"]
    return [
        (case["name"], history_faults(case, bytes.fromhex(parts[f"{file}#{case['signals']}"])))
        for case in cases
    ]


def history_faults(case: Any, part: bytes) -> list[str]:
    arrivals, granted = case["arrivals"], case["granted"]

    def stored(folding: testing.Folding, places: list[int]) -> str:
        for place in places:
            folding.fold(arrivals[place]["event"])
        return folding.stored().hex()

    people, folds = testing.history_of(arrivals, granted)
    profiles = {who: stored(testing.Folding(part), places) for who, places in folds.items()}
    faults = same("people", people, case["people"])
    faults += same("folds", folds, case["folds"])
    faults += same("profiles", profiles, case["profiles"])
    for page in case.get("pages", []):
        after, until, browser = page["after"], page["until"], page["browser"]
        people, folds = testing.history_of(arrivals[:after], granted)
        hint = stored(testing.Folding(part), folds[people[f"a:{browser}"]])
        # A page folds what it sent and the hint does not hold, each message once.
        known = {message(arrival) for arrival in arrivals[:after]}
        own = []
        for place in range(after, min(until, len(arrivals))):
            sent = arrivals[place].get("event") or {}
            if sent.get("anonymousId") == browser and sent.get("messageId") not in known:
                known.add(sent.get("messageId"))
                own.append(place)
        found = stored(testing.Folding(part, bytes.fromhex(hint)), own)
        faults += same(f"page after {after}", found, page["profile"])
    return faults


def message(arrival: Any) -> Any:
    return (arrival.get("event") or {}).get("messageId")


def score(file: str, document: Any) -> Results:
    recorded = read("bits/score.json")

    def faults(case: Any, scorer: testing.Scorer) -> list[str]:
        expect = case["expect"]
        margin, probability, shown, band = scorer.score(numbers(case["row"]))
        exact = {"margin": bits(margin), "probability": bits(probability)}
        return [
            *near("margin", margin, expect["margin"], expect["within"]),
            *near("probability", probability, expect["probability"], expect["within"]),
            *same("score", shown, expect["score"]),
            *same("band", band, expect["band"]),
            *same("bits", exact, recorded[case["name"]]),
        ]

    return each_model(document["cases"], faults)


def explain(file: str, document: Any) -> Results:
    recorded = read("bits/explain.json")

    def faults(case: Any, scorer: testing.Scorer) -> list[str]:
        expect, within = case["expect"], case["expect"]["within"]
        base, contributions, base_score, shown, points = scorer.explain(numbers(case["row"]))
        expected = expect["contributions"]
        exact = {"contributions": [bits(phi) for phi in contributions]}
        exact |= {"base": base_score, "score": shown, "points": points}
        found = [
            *near("base", base, expect["base"], within),
            *same("how many contributions", len(contributions), len(expected)),
            *same("base and points", base_score + sum(points), shown),
            *same("bits", exact, recorded[case["name"]]),
        ]
        for at, (phi, wanted) in enumerate(zip(contributions, expected, strict=False)):
            found += near(f"contribution {at}", phi, wanted, within)
        return found

    return each_model(document["cases"], faults)


def points(file: str, document: Any) -> Results:
    recorded = read("bits/points.json")
    results = []
    for case in document["cases"]:
        scorer = testing.Scorer(load(case["model"]))
        levels = scorer.levels
        random = Xorshift(case["seed"])
        digest = 0x811C9DC5
        faults: list[str] = []
        for at in range(case["rows"]):
            row = [random.value(held) for held in levels]
            _, _, base, shown, found = scorer.explain(row)
            if base + sum(found) != shown:
                faults.append(f"row {at}: {base} and {found} are not {shown}")
                break
            for word in (base, shown, *found):
                digest = (digest ^ (word & 0xFFFFFFFF)) * 0x01000193 & 0xFFFFFFFF
        faults += same("digest of all rows", f"{digest:08x}", recorded[case["name"]])
        results.append((case["name"], faults))
    return results


class Xorshift:
    """The rows of a points case, as README.md says."""

    def __init__(self, state: int) -> None:
        self.state = state

    def next(self) -> int:
        state = self.state
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        self.state = state
        return state

    def value(self, levels: int | None) -> float:
        what = self.next() % 40
        if what < 4:
            return float("nan")
        if what < 6:
            return float("inf") if what == 4 else float("-inf")
        if levels is not None:
            return self.next() % (levels + 1)
        number = (self.next() % 8001 - 4000) / 1000
        return number * (1, 1, 10, 1000)[self.next() % 4]


def imports(file: str, document: Any) -> Results:
    return [(case["name"], import_faults(case)) for case in document["cases"]]


def import_faults(case: Any) -> list[str]:
    expect = case["expect"]
    refused = expect.get("refused")
    try:
        model = testing.import_model(case["format"], load(case["model"]), 0.3, 0.7)
    except BundleError as error:
        return [] if refused and refused in str(error) else [f"is refused: {error}"]
    if refused:
        return [f"was imported, not refused for {refused}"]
    margin, *_ = testing.Scorer(model).score(numbers(case["row"]))
    return near("margin", margin, expect["margin"], expect["within"])


def each_model(cases: Any, faults: Callable[[Any, testing.Scorer], list[str]]) -> Results:
    """Runs each case on its model, opened once."""
    scorers: dict[str, testing.Scorer] = {}
    results = []
    for case in cases:
        model = case["model"]
        if model not in scorers:
            scorers[model] = testing.Scorer(load(model))
        results.append((case["name"], faults(case, scorers[model])))
    return results


def numbers(row: list[Any]) -> list[float]:
    """A row as cases write it: None where missing, and the infinities by name."""
    return [float("nan") if value is None else float(value) for value in row]


def near(what: str, found: float, expected: float, within: float) -> list[str]:
    close = abs(found - expected) <= within
    return [] if close else [f"{what}: {found}, expected {expected}"]


def same(what: str, found: Any, expected: Any) -> list[str]:
    equal = plain(found) == plain(expected)
    return [] if equal else [f"{what}: {found}, expected {expected}"]


def value(folding: testing.Folding, name: str, now: int) -> str | None:
    """As the cases write it: the bits of a number, the hash of a level, None where missing."""
    level = folding.level(name)
    if level is not None:
        return f"#{level:08x}"
    number = folding.value(name, now)
    return None if number != number else bits(number)


def bits(number: float) -> str:
    return struct.pack(">d", number).hex()


SUITES: dict[str, Callable[[str, Any], Results]] = {
    "event": event,
    "fold": fold,
    "histories": histories,
    "score": score,
    "explain": explain,
    "points": points,
    "import": imports,
}

if __name__ == "__main__":
    sys.exit(main())
