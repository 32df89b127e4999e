"""Who the suite `experiences` asks about, and by what they are scored."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from experience_reference import DAY

Json = Any
NOW = 1_795_600_000_000  # 2026-11-25T08:26:40Z
MODEL = "points"

# What models/points.rpm reads.
SIGNALS = [
    {"id": 1, "name": "page views", "label": "Page views", "kind": "count", "when": {"type": "page"}},
    {"id": 2, "name": "pricing visits", "label": "Pricing visits", "kind": "count", "when": {"type": "page", "where": [{"field": "context.page.path", "equals": "/pricing"}]}},
    {"id": 3, "name": "employees", "label": "Employees", "kind": "last", "field": "traits.employees", "when": {"type": "identify"}},
    {"id": 4, "name": "days since last visit", "label": "Days since last visit", "kind": "since_last", "unit": "days", "when": {"type": "page"}},
    {"id": 5, "name": "country", "label": "Country", "kind": "last_level", "field": "traits.country", "when": {"type": "identify"}, "levels": ["DE", "US", "Österreich"]},
    {"id": 6, "name": "role", "label": "Role", "kind": "last_level", "field": "traits.role", "when": {"type": "identify"}, "levels": ["Student", "Buyer"]},
]  # fmt: skip

# Ids as sites have them: numbers, UUIDs, addresses, and letters that are not ASCII.
IDS = ["1", "2", "17", "a", "visitor-3", "5f3e2a10-9d7c-4b1e-8f60-2a4c5d6e7f80", "jürgen@example.com", "zoë", "山田", "😀", "a b&c=d", "U+10FFFF \U0010ffff"]

# What stands beside the flags of every bundle.
BUNDLE = {"workspace": "acme", "environment": "live", "signals": SIGNALS, "models": [{"name": MODEL}]}


def iso(time: int) -> str:
    return datetime.fromtimestamp(time / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def events(views: int = 0, pricing: int = 0, ago: int = 0, **traits: Json) -> list[Json]:
    """So many pages, some of them pricing, the last one so many days ago; and who it is."""
    time = NOW - ago * DAY
    paths = ["/"] * (views - pricing) + ["/pricing"] * pricing
    out: list[Json] = [
        {"type": "page", "messageId": f"p{at}", "timestamp": iso(time - 60_000 * (len(paths) - 1 - at)), "context": {"page": {"path": path, "url": f"https://acme.test{path}"}}}
        for at, path in enumerate(paths)
    ]
    if traits:
        out.append({"type": "identify", "messageId": "i", "timestamp": iso(time), "traits": traits})
    return out


# A customer who is qualified, one who is undecided, and one who is not.
HOT = events(8, 3, employees=250, country="DE", role="Buyer")
WARM = events(6, 2, employees=20)
COLD = events(2)
