"""A second implementation of who is who, and of the order in which a person's events fold.

It is written from docs/identity.md alone and shares no line with core: sets and plain loops over the
whole list, where core looks things up.
"""

from __future__ import annotations

from typing import Any, Iterator

PEOPLE, BROWSERS = 20, 1000

Arrival = dict[str, Any]


def visitor(arrival: Arrival) -> str:
    """Whom an arrival is about: `a:` and a browser's id, or `u:` and a user's."""
    if "event" not in arrival:
        return (arrival.get("merge") or arrival["unmerge"])[0]
    event = arrival["event"]
    return f"a:{event['anonymousId']}" if event.get("anonymousId") else f"u:{event['userId']}"


def when(arrival: Arrival) -> int:
    return arrival["event"]["timestamp"] if "event" in arrival else arrival["timestamp"]


def message(arrival: Arrival) -> str:
    return arrival["event"].get("messageId", "") if "event" in arrival else arrival["messageId"]


def sayings(arrival: Arrival) -> Iterator[tuple[str, str, str | None]]:
    """What an arrival says of who is who: (what, one, other)."""
    if "merge" in arrival:
        yield "same", arrival["merge"][0], arrival["merge"][1]
    elif "unmerge" in arrival:
        yield "apart", arrival["unmerge"][0], (arrival["unmerge"][1:] or [None])[0]
    elif arrival.get("proven") and arrival["event"]["type"] in ("identify", "alias") and arrival["event"].get("userId"):
        event = arrival["event"]
        person, own, previous = f"u:{event['userId']}", event.get("anonymousId"), event.get("previousId")
        if own:
            yield "proof", f"a:{own}", person
        if event["type"] == "alias" and previous and previous not in (own, event["userId"]):
            yield "proof", f"a:{previous}", person
            yield "same", person, f"u:{previous}"


class History:
    """What a list of arrivals comes to; `granted` holds of profiling where nobody was asked."""

    def __init__(self, arrivals: list[Arrival], granted: bool = True) -> None:
        first: dict[str, int] = {}
        for place, arrival in enumerate(arrivals):
            if message(arrival):
                first.setdefault(message(arrival), place)
        once = [place for place, arrival in enumerate(arrivals) if first.get(message(arrival), place) == place]
        self.arrivals, self.granted = arrivals, granted
        self.order = sorted(once, key=lambda place: (when(arrivals[place]), place))
        # A saying is named by how many arrivals come before it in the order of things.
        said = [(rank, *saying) for rank, place in enumerate(self.order) for saying in sayings(arrivals[place])]
        self.visitors = sorted({visitor(arrival) for arrival in arrivals} | {who for _, _, *two in said for who in two if who})
        self.named = {other if what == "proof" else one for _, what, one, other in said if what != "apart"}
        proved = {(one, other) for _, what, one, other in said if what == "proof"}
        machines = {one for one in self.visitors if sum(a == one for a, _ in proved) > PEOPLE}
        machines |= {one for one in self.visitors if sum(b == one for _, b in proved) > BROWSERS}
        parts = [(rank, one, other) for rank, what, one, other in said if what == "apart"]
        self.proofs: dict[str, list[tuple[int, str]]] = {}
        self.links: list[set[str]] = []
        for rank, what, one, other in said:
            undone = any(rank < later and {one, other} >= ({a, b} - {None}) for later, a, b in parts)
            if undone or what == "apart" or (what == "proof" and {one, other} & machines):
                continue
            if what == "proof":
                self.proofs.setdefault(one, []).append((rank, other))
            else:
                self.links.append({one, other})
        self.links += [{browser, proofs[0][1]} for browser, proofs in self.proofs.items()]

    def name(self, subject: str) -> str:
        """What the person goes by to whom a subject is linked."""
        together = {subject}
        while any(link & together and not link <= together for link in self.links):
            together |= set().union(*(link for link in self.links if link & together))
        return min(together & self.named, default=min(together))

    def owner(self, subject: str, rank: int) -> str:
        proved = [person for at, person in self.proofs.get(subject, []) if at <= rank]
        return self.name(proved[-1] if proved else subject)

    def people(self) -> dict[str, str]:
        """Who everybody is in the end."""
        return {subject: self.owner(subject, len(self.order)) for subject in self.visitors}

    def folds(self) -> dict[str, list[int]]:
        """The places of each person's events, in the order in which they fold; nobody who refuses."""
        words: dict[str, dict[str, bool]] = {}
        folds: dict[str, list[int]] = {}
        agrees: dict[str, bool] = {}
        for rank, place in enumerate(self.order):
            arrival = self.arrivals[place]
            if "event" not in arrival:
                continue
            person, subject = self.owner(visitor(arrival), rank), visitor(arrival)
            word = arrival["event"].get("context", {}).get("consent", {}).get("profiling")
            spoken = words.setdefault(person, {})
            if word is not None:
                spoken[subject] = word
            agrees[person] = False not in spoken.values() if spoken else self.granted
            if agrees[person]:
                folds.setdefault(person, []).append(place)
        return {person: places for person, places in folds.items() if agrees[person]}
