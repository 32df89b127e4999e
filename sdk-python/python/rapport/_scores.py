"""Scores from the workspace's server, of models that this host cannot run."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ._engine import Engine
from ._http import Address, Garbled, Refused, Slow, Unreachable, post
from .events import written

if TYPE_CHECKING:
    from .visitor import Said, Visitor

log = logging.getLogger("rapport")

# Seconds in which a server that failed is not asked again, so that it slows no request down.
PAUSE = 5.0
# As many events as the server takes with a question, and their bytes, with room for the rest of it.
MOST_UNSEEN = 100
MOST_BYTES = 60_000
# More than a model has signals.
ALL_REASONS = 256
# Nothing scores, or the visitor refuses.
NOBODY = ("urn:rapport:problem:no-bundle", "urn:rapport:problem:not-found")
BANDS = ("not", "undecided", "qualified")
NAMES = {"scored_by": "scoredBy", "fault": "fault"}


class Scores:
    """Asks; never raises for what a server does."""

    def __init__(self, address: Address, secret_key: str) -> None:
        self._address = address
        self._headers = {"authorization": f"Bearer {secret_key}"}
        self._failed: tuple[Said, float] | None = None

    def ask(self, body: bytes) -> Said:
        """What the server says to a question of `question`; blocks."""
        failed = self._failed
        if failed is not None and time.monotonic() < failed[1]:
            return failed[0]
        self._failed = None
        try:
            verdict = _verdict(post(self._address, "/v1/decide", body, self._headers))
        except Refused as refused:
            if refused.status == 404 and refused.type in NOBODY:
                return {}
            return self.fail("absent", refused)
        except Slow as slow:
            return self.fail("time", slow)
        except Garbled as garbled:
            return self.fail("nonsense", garbled)
        except Unreachable as unreachable:
            return self.fail("absent", unreachable)
        if verdict is None:
            return self.fail("nonsense", "the server answered what is no score")
        return {"verdict": verdict}

    def fail(self, fault: str, why: object) -> Said:
        """From now on, for a while, nobody is asked."""
        said: Said = {"fault": fault}
        self._failed = said, time.monotonic() + PAUSE
        log.warning("no score by the server: %s", why)
        return said


def question(engine: Engine, visitor: Visitor) -> bytes:
    """Whom the server is asked about; what it could not take or put together is folded here."""
    events = visitor.get("events") or []
    asked: dict[str, Any] = {"reasons": ALL_REASONS, "now": visitor.get("now")}
    much = len(events) > MOST_UNSEEN or len(json.dumps(events, default=written)) > MOST_BYTES
    folded = engine.fold(visitor) if much or visitor.get("profile") is not None else None
    if folded is not None:
        asked["profile"] = base64.b64encode(folded).decode()
    else:
        asked["anonymousId"] = visitor.get("anonymous_id") or None
        asked["events"] = events
    known = {name: value for name, value in asked.items() if value is not None}
    return json.dumps(known, default=written).encode()


def _verdict(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The answer, or None where it is no score, or its points do not add up."""
    try:
        reasons = [_reason(reason) for reason in answer["reasons"]]
        score, base, rest = (_whole(answer[name]) for name in ("score", "base", "rest"))
        probability = float(answer["probability"])
        points = sum(reason["points"] for reason in reasons)
        if base + points + rest != score or not 0 <= probability <= 1:
            return None
        if not (0 <= score <= 100 and 0 <= base <= 100 and answer["band"] in BANDS):
            return None
        names = {name: answer.get(said) for name, said in NAMES.items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    verdict = {"score": score, "probability": probability, "band": answer["band"], "base": base}
    told = {name: said for name, said in names.items() if isinstance(said, str)}
    return {**verdict, "reasons": reasons, "rest": rest, **told}


def _reason(said: Mapping[str, Any]) -> dict[str, Any]:
    known = {"signal": _whole(said["signal"], 2**32), "points": _whole(said["points"])}
    error = said.get("error")
    if known["signal"] < 0 or not isinstance(said["text"], str):
        raise ValueError("this is no reason")
    return {**known, "text": said["text"], "error": None if error is None else float(error)}


def _whole(number: object, end: int = 2**31) -> int:
    if type(number) is not int or abs(number) >= end:
        raise ValueError("this is no whole number")
    return number
