"""A second implementation of events and the profile fold, for expected values.

It is written from docs/event-format.md, docs/bundle-format.md and docs/profile-format.md alone and
shares no line with core: plain dictionaries, exact decimal arithmetic where core counts in
millionths, Python's own logarithm and powers.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
NEVER = -(2**63)
NAN = float("nan")

# ---------------------------------------------------------------- events


def fnv(data: bytes, bits: int = 32) -> int:
    value, prime = (0x811C9DC5, 0x01000193) if bits == 32 else (0xCBF29CE484222325, 0x100000001B3)
    for byte in data:
        value = ((value ^ byte) * prime) % 2**bits
    return value


def level(text: str) -> int:
    return fnv(text.strip().encode())


def flatten(value: Any, path: str, out: dict[str, Any]) -> None:
    if isinstance(value, dict):
        for key, member in value.items():
            flatten(member, f"{path}.{key}" if path else key, out)
    elif isinstance(value, list):
        out[f"{path}.length"] = float(len(value))
    elif value is not None:
        out[path] = value if isinstance(value, (str, bool)) else float(value)


def fields_of(event: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for root in ("context", "properties", "traits"):
        flatten(event.get(root) or {}, root, out)
    return out


def hashed(value: Any) -> int:
    if isinstance(value, bool):
        return fnv(b"true" if value else b"false")
    if isinstance(value, str):
        return level(value)
    return fnv(struct.pack("<d", value + 0.0))


def number(value: Any) -> float | None:
    if isinstance(value, bool):
        return 1.0 if value else 0.0
    if isinstance(value, str):
        text = value.strip()
        digits = sum(letter.isdigit() for letter in text)
        return float(text) if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) and digits <= 15 else None
    return value


SEARCH = "google bing duckduckgo yahoo baidu yandex ecosia qwant startpage brave kagi".split()
SOCIAL = "facebook instagram linkedin lnkd twitter t.co x.com youtube reddit tiktok pinterest xing threads mastodon".split()


def bare(host: str) -> str:
    return host[4:] if host.startswith("www.") else host


def listed(host: str, words: list[str]) -> bool:
    host = host.lower()
    return any(bare(host) == word if "." in word else word in host.split(".") for word in words)


def visit_of(fields: dict[str, Any]) -> dict[str, str]:
    names = {
        "source": "context.campaign.source",
        "medium": "context.campaign.medium",
        "name": "context.campaign.name",
        "referrer": "context.page.referrer",
        "url": "context.page.url",
        "search": "context.page.search",
    }
    texts = {name: fields.get(path) for name, path in names.items()}
    return {name: text.strip() if isinstance(text, str) else "" for name, text in texts.items()}


def campaign_of(visit: dict[str, str]) -> int:
    parts = [visit["source"], visit["medium"], visit["name"]]
    if not any(parts):
        return 0
    return max(1, fnv(b"".join(part.encode() + b"\0" for part in parts)))


def channel_of(visit: dict[str, str]) -> str | None:
    query = visit["search"] or urlsplit(visit["url"]).query
    ids = {name for name, value in parse_qsl(query.lstrip("?").split("#")[0])}
    if ids & {"gclid", "msclkid", "dclid", "wbraid", "gbraid"}:
        return "paid search"
    source, medium = visit["source"].lower(), visit["medium"].lower()
    if campaign_of(visit):
        if medium in {"email", "e-mail", "newsletter", "mail"} or source == "newsletter":
            return "email"
        if listed(source, SOCIAL) or medium in {"social", "paid-social", "paid_social", "social-media"}:
            return "social"
        if medium in {"cpc", "ppc", "paid", "sem", "paidsearch"}:
            return "paid search"
        if medium == "organic":
            return "organic search"
        return "referral" if medium in {"referral", "partner", "affiliate"} else "other"
    host, own = (bare((urlsplit(visit[name]).hostname or "").lower()) for name in ("referrer", "url"))
    if host:
        if own and (host == own or host.endswith("." + own) or own.endswith("." + host)):
            return None
        if "mail" in host.split("."):
            return "email"
        if listed(host, SEARCH):
            return "organic search"
        return "social" if listed(host, SOCIAL) else "referral"
    return "social" if ids & {"fbclid", "li_fat_id", "ttclid", "twclid"} else "direct"


def encoded(event: dict[str, Any], time: int) -> bytes:
    kinds = ["track", "page", "identify", "group", "alias"]
    name = {"track": event.get("event"), "page": event.get("name")}.get(event["type"]) or ""
    fields = sorted(fields_of(event).items())

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value.encode())) + value.encode()

    out = struct.pack("<BBHq", 1, kinds.index(event["type"]), len(fields), time)
    out += text(name) + text(event.get("messageId", ""))
    for path, value in fields:
        out += text(path)
        if isinstance(value, bool):
            out += b"\x03" if value else b"\x02"
        elif isinstance(value, str):
            out += b"\x01" + text(value)
        else:
            out += b"\x00" + struct.pack("<d", value)
    return out


# ---------------------------------------------------------------- matching


def listing(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def holds(condition: dict[str, Any], fields: dict[str, Any]) -> bool:
    value = fields.get(condition["field"])
    present = value is not None
    if "exists" in condition:
        found = present == condition["exists"]
    elif "equals" in condition or "one_of" in condition:
        wanted = condition.get("one_of", [condition.get("equals")])
        wanted = [item if isinstance(item, (str, bool)) else float(item) for item in wanted]
        found = present and hashed(value) in [hashed(item) for item in wanted]
    elif "prefix" in condition:
        found = isinstance(value, str) and value.startswith(condition["prefix"])
    elif "contains" in condition:
        found = isinstance(value, str) and condition["contains"] in value
    else:
        amount = number(value) if present else None
        low, high = condition.get("at_least", -math.inf), condition.get("at_most", math.inf)
        found = amount is not None and low <= amount <= high
    return found != condition.get("not", False)


def counts(signal: dict[str, Any], event: dict[str, Any], fields: dict[str, Any]) -> bool:
    when = signal.get("when", {})
    if "type" in when and event["type"] not in listing(when["type"]):
        return False
    if "event" in when:
        name = {"track": event.get("event"), "page": event.get("name")}.get(event["type"]) or ""
        if name.strip() not in [wanted.strip() for wanted in listing(when["event"])]:
            return False
    return all(holds(condition, fields) for condition in when.get("where", []))


# ---------------------------------------------------------------- the fold

UNKNOWN = "unknown"


def micros(value: float) -> int:
    scaled = Decimal(value * 1e6).to_integral_value(ROUND_HALF_UP)
    return int(max(Decimal(-(2**63)), min(Decimal(2**63 - 1), scaled)))


def saturating(value: int, bits: int = 32) -> int:
    return max(-(2 ** (bits - 1)), min(2 ** (bits - 1) - 1, value)) if bits == 64 else min(2**bits - 1, value)


def field_of(signal: dict[str, Any]) -> str | None:
    return signal.get("field", "properties.seconds" if signal["kind"] == "engaged" else None)


def span(days: float) -> int:
    return int(days * DAY)


class Profile:
    """The fold of one subject's events."""

    def __init__(self, signals: list[dict[str, Any]]) -> None:
        self.signals = signals
        self.clock, self.start, self.last = NEVER, NEVER, NEVER
        self.visit, self.campaign, self.events, self.last_event = 0, 0, 0, 0
        self.states: dict[int, Any] = {signal["id"]: None for signal in signals}

    def fold(self, event: dict[str, Any], now: int) -> None:
        at = max(min(event["timestamp"], now), self.clock)
        fields = fields_of(event)
        visit = visit_of(fields)
        fields["event"] = event["event"] if event["type"] == "track" else event["type"]
        fields["channel"] = channel_of(visit)
        self.clock, self.events = at, self.events + 1
        self.last_event = fnv(event.get("messageId", "").encode(), 64)
        if event["type"] == "page" or any(path.startswith("context.page.") for path in fields):
            campaign = campaign_of(visit)
            if self.ended(at) or (campaign and campaign != self.campaign):
                self.visit, self.start = self.visit + 1, at
            self.campaign, self.last = campaign or self.campaign, at
        for signal in self.signals:
            if self.states[signal["id"]] != UNKNOWN and counts(signal, event, fields):
                self.states[signal["id"]] = self.step(signal, self.states[signal["id"]], fields, at)

    def give(self, name: str, value: float | str | None, at: int) -> None:
        """What a server says of a signal that no event moves, since `at`; None that it says nothing."""
        signal = next(signal for signal in self.signals if signal["name"] == name)
        said = level(value) if isinstance(value, str) else None if value is None else value + 0.0
        self.states[signal["id"]] = None if said is None else (said, at)

    def ended(self, at: int) -> bool:
        return self.visit == 0 or at >= self.visit_end()

    def visit_end(self) -> int:
        return min(self.last + 30 * MINUTE, self.start + 24 * HOUR)

    def step(self, signal: dict[str, Any], state: Any, fields: dict[str, Any], at: int) -> Any:
        kind, value = signal["kind"], fields.get(field_of(signal) or "")
        amount = number(value) if value is not None else None
        if kind == "count":
            return (state or 0) + 1
        if kind == "distinct":
            return state if value is None else (state or frozenset()) | {hashed(value)}
        if kind == "sum":
            return saturating((state or 0) + micros(amount or 0.0), 64)
        if kind == "engaged":
            return saturating((state or 0) + micros(min(max(amount or 0.0, 0.0), 1800.0)), 64)
        if kind == "max":
            return (amount + 0.0, at) if amount is not None and (state is None or amount > state[0]) else state
        if kind == "last":
            return state if amount is None else (amount + 0.0, at)
        if kind in ("first_level", "last_level"):
            named = isinstance(value, bool) or (isinstance(value, str) and value.strip() != "")
            keeps = not named or (kind == "first_level" and state is not None)
            return state if keeps else (hashed(value), at)
        if kind == "since_first":
            return at if state is None else state
        if kind == "since_last":
            return at
        if kind == "decayed":
            added = 1.0 if "field" not in signal or signal["field"] is None else amount or 0.0
            return (self.decay(signal, state, at) + added, at)
        if kind == "session":
            count, visit = state or (0, 0)
            return (count + 1 if visit == self.visit else 1, self.visit)
        if kind == "visits":
            count, visit = state or (0, 0)
            return (count + (visit != self.visit), self.visit)
        if kind == "window":
            buckets = dict(state or {})
            bucket = max(at, 0) // (span(signal["days"]) // 12)
            buckets[bucket] = min(buckets.get(bucket, 0) + 1, 65535)
            return {key: count for key, count in buckets.items() if key > max(buckets) - 12}
        return state

    @staticmethod
    def decay(signal: dict[str, Any], state: Any, at: int) -> float:
        if state is None:
            return 0.0
        value, then = state
        return value * 2.0 ** (-max(at - then, 0) / span(signal["half_life_days"]))

    # ------------------------------------------------------------ what it says

    def value(self, name: str, now: int) -> float | str | None:
        """A number, `#` and a level's hash, or None where missing."""
        signal = next(signal for signal in self.signals if signal["name"] == name)
        kind, now = signal["kind"], max(now, self.clock)
        if kind == "ratio":
            over, under = (self.value(operand, now) for operand in signal["of"])
            return None if over is None or under is None or under == 0 else over / under
        state = self.states[signal["id"]]
        if state == UNKNOWN:
            return None
        if kind == "count":
            return float(state or 0)
        if kind == "distinct":
            return float(estimate(state or frozenset()))
        if kind in ("sum", "engaged"):
            return float(state or 0) / 1e6
        if kind in ("max", "last", "server"):
            return None if state is None else state[0]
        if kind in ("first_level", "last_level", "server_level"):
            return None if state is None else f"#{state[0]:08x}"
        if kind in ("since_first", "since_last"):
            return None if state is None else float(max(now - state, 0)) / float(DAY)
        if kind == "decayed":
            return struct.unpack("<f", struct.pack("<f", self.decay(signal, state, now)))[0]
        if kind == "session":
            count, visit = state or (0, 0)
            return float(count) if visit == self.visit and not self.ended(now) else 0.0
        if kind == "visits":
            return float((state or (0, 0))[0])
        bucket = max(now, 0) // (span(signal["days"]) // 12)
        return float(sum(count for key, count in (state or {}).items() if key > bucket - 12))

    # ------------------------------------------------------------ changing signals, merging

    def reopened(self, signals: list[dict[str, Any]]) -> "Profile":
        other = Profile(signals)
        for name in ("clock", "start", "last", "visit", "campaign", "events", "last_event"):
            setattr(other, name, getattr(self, name))
        other.states = {signal["id"]: self.states.get(signal["id"], UNKNOWN) for signal in signals}
        return other

    def merge(self, other: "Profile") -> None:
        for signal in self.signals:
            mine, theirs = self.states[signal["id"]], other.states[signal["id"]]
            self.states[signal["id"]] = self.merged(signal, mine, theirs)
        number = self.visit + other.visit
        if other.last >= self.last and other.visit > 0:
            self.start, self.last, self.campaign = other.start, other.last, other.campaign
        self.visit = number
        if other.clock >= self.clock and other.events > 0:
            self.clock, self.last_event = other.clock, other.last_event
        self.events += other.events

    def merged(self, signal: dict[str, Any], mine: Any, theirs: Any) -> Any:
        kind = signal["kind"]
        if UNKNOWN in (mine, theirs) or kind == "session":
            return UNKNOWN
        if kind == "visits":
            total = (mine or (0, 0))[0] + (theirs or (0, 0))[0]
            return (total, 0)
        if mine is None or theirs is None:
            return theirs if mine is None else mine
        if kind == "count":
            return mine + theirs
        if kind == "distinct":
            return mine | theirs
        if kind in ("sum", "engaged"):
            return saturating(mine + theirs, 64)
        if kind == "max":
            return max(mine, theirs, key=lambda state: (state[0], -state[1]))
        if kind in ("last", "last_level", "server", "server_level"):
            return mine if mine[1] > theirs[1] else theirs
        if kind == "first_level":
            return mine if mine[1] <= theirs[1] else theirs
        if kind in ("since_first", "since_last"):
            return min(mine, theirs) if kind == "since_first" else max(mine, theirs)
        if kind == "decayed":
            at = max(mine[1], theirs[1])
            return (self.decay(signal, mine, at) + self.decay(signal, theirs, at), at)
        newest = max(*mine, *theirs)
        both = {key: min(mine.get(key, 0) + theirs.get(key, 0), 65535) for key in {*mine, *theirs}}
        return {key: count for key, count in both.items() if key > newest - 12}

    # ------------------------------------------------------------ bytes: docs/profile-format.md

    def stored(self) -> bytes:
        body = b""
        held = sorted(
            (signal for signal in self.signals if signal["kind"] != "ratio" and self.states[signal["id"]] != UNKNOWN),
            key=lambda signal: signal["id"],
        )
        for signal in held:
            state = self.states[signal["id"]]
            tag, data = (255, b"") if untouched(state) else pack(signal["kind"], state)
            body += struct.pack("<IB", signal["id"], tag) + data
        head = struct.pack(
            "<HqqqIIIQ",
            len(held),
            self.clock,
            self.start,
            self.last,
            self.visit,
            self.campaign,
            self.events,
            self.last_event,
        )
        return b"RPP1" + struct.pack("<I", zlib.crc32(head + body)) + head + body


def untouched(state: Any) -> bool:
    return state in (None, 0, frozenset(), (0, 0))


def pack(kind: str, state: Any) -> tuple[int, bytes]:
    if kind == "count":
        return 0, struct.pack("<I", state)
    if kind == "distinct":
        if len(state) <= 6:
            return 1, struct.pack(f"<B{len(state)}I", len(state), *sorted(state))
        bits = sum(1 << place for place in {bit_of(item) for item in state})
        return 1, b"\xff" + bits.to_bytes(24, "little")
    if kind in ("sum", "engaged"):
        return (2 if kind == "sum" else 9), struct.pack("<q", state)
    if kind in ("max", "last", "decayed", "server"):
        return {"max": 3, "last": 4, "decayed": 10, "server": 15}[kind], struct.pack("<dq", *state)
    if kind in ("first_level", "last_level", "server_level"):
        return {"first_level": 5, "last_level": 6, "server_level": 16}[kind], struct.pack("<Iq", *state)
    if kind in ("since_first", "since_last"):
        return (7 if kind == "since_first" else 8), struct.pack("<q", state)
    if kind in ("session", "visits"):
        return (11 if kind == "session" else 12), struct.pack("<II", *state)
    newest = max(state)
    return 13, struct.pack("<I12H", newest, *(state.get(newest - age, 0) for age in range(12)))


def bit_of(item: int) -> int:
    return (item * 0x9E3779B1 % 2**32) * 192 >> 32


def estimate(items: frozenset[int]) -> int:
    if len(items) <= 6:
        return len(items)
    clear = max(192 - len({bit_of(item) for item in items}), 1)
    return int(math.floor(-192.0 * math.log(clear / 192.0) + 0.5))
