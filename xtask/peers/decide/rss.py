"""How far memory grows between 100,000 and 1,000,000 decisions about visitors nobody saw before.

rss.py ROOT: prints the figure as JSON. Score, features and exposures included.
"""

import json
import os
import sys
from pathlib import Path

from rapport import Client, testing

RULE = {"key": "hero", "hashVersion": 2, "variations": ["plain", "warm"]}
HOT = {"force": True, "condition": {"$score": {"$gte": 50}}}
FEATURES = {
    "hero": {"defaultValue": "plain", "rules": [RULE]},
    "hot": {"defaultValue": False, "rules": [HOT]},
}


def main():
    root = Path(sys.argv[1])
    bundle = testing.bundle(
        signals=json.loads((root / "examples/demo/signals.json").read_text()),
        models={"leads": (root / "sdk-js/dist/test/leads.rpm").read_bytes()},
        flags={"features": FEATURES},
    )
    client = Client("http://127.0.0.1:9", "wk_none", bundle=bundle)
    page = {"path": "/pricing", "url": "https://example.com/pricing"}
    profile = None

    def decide(number):
        nonlocal profile
        visitor = {"anonymous_id": f"visitor-{number}", "attributes": {"plan": "free"}}
        if number % 10 == 0:
            event = {"type": "page", "messageId": f"m{number}", "context": {"page": page}}
            profile = client.decide({**visitor, "events": [event]}).profile
        client.feature("hero", visitor)
        client.feature("hot", {**visitor, "profile": profile})

    for number in range(100_000):
        decide(number)
    before = resident()
    for number in range(100_000, 1_000_000):
        decide(number)
    grown = resident() - before
    print(json.dumps({"name": "rss_growth_bytes_python", "value": grown, "unit": "bytes"}))


def resident():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


main()
