"""Sends one call of each kind, and one that no server takes, with Segment's own library."""

import sys
from datetime import datetime, timezone

from segment.analytics.client import Client


def main(host: str, write_key: str, packed: str) -> None:
    failed = []
    client = Client(
        write_key,
        host=host,
        gzip=packed == "gzip",
        on_error=lambda error, _items: failed.append(str(error)),
        max_retries=1,
    )
    person = f"python-{packed}"
    client.identify(person, {"email": "ann@acme.example", "plan": "team", "since": datetime.now(timezone.utc)})
    client.track(person, "Trial Started", {"seats": 12, "price": 9.5, "tags": ["a", "b"], "nested": {"deep": True}})
    client.page(person, "Docs", "Quickstart", {"url": "https://acme.example/docs"})
    client.screen(person, "App", "Settings")
    client.group(person, "acme", {"industry": "logistics"})
    client.alias("somebody-before", person)
    client.track(None, "Anonymous", anonymous_id="python-anonymous", timestamp=datetime.now(timezone.utc))
    client.track(person, "Too Much", {f"property {number}": number for number in range(200)})
    client.shutdown()
    if failed:
        sys.exit(f"the library reported: {failed}")


main(*sys.argv[1:])
