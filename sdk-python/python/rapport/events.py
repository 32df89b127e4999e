"""Events on their way to the server: a bounded queue, and batches that are tried again.

Nothing here waits or sends: `deliver` says what to do next, and a client does it, blocking or not.
"""

from __future__ import annotations

import json
import random
import uuid
from collections import deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from itertools import islice
from typing import Any

from ._engine import RapportError
from ._http import Refused, Unreachable

# What the server takes in one body, with room for what surrounds the events.
MOST_EVENTS = 250
MOST_BYTES = 400_000

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0


class DeliveryError(RapportError):
    """Events that did not arrive. What may still arrive stays queued for the next flush."""


@dataclass(frozen=True)
class Post:
    """Send this body to `/v1/events`, and answer with what came back, or with what went wrong."""

    body: bytes


@dataclass(frozen=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


Step = Post | Pause
Answer = Mapping[str, Any] | Refused | Unreachable | None


@dataclass
class Outbox:
    """Events that wait, each written when it happened; beyond `capacity` new ones are dropped."""

    key: str
    capacity: int = 10_000
    dropped: int = 0
    rejected: list[Mapping[str, Any]] = field(default_factory=list)
    """Of the last flush: what the server refused for good, as `{"code", "detail", …}`."""
    _waiting: deque[bytes] = field(default_factory=deque)

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, event: Mapping[str, Any]) -> bool:
        """Queues an event under a message id of its own; False where there is no room."""
        if len(self._waiting) >= self.capacity:
            self.dropped += 1
            return False
        whole = {"messageId": str(uuid.uuid4()), "timestamp": _now(), **event}
        self._waiting.append(json.dumps(whole, default=written).encode())
        return True

    def clear(self) -> None:
        self._waiting.clear()

    def deliver(self, retries: int) -> Generator[Step, Answer, None]:
        """Sends all that waits now, batch after batch.

        Message ids make it harmless to send again what may have arrived. Raises DeliveryError.
        """
        self.rejected = []
        refused: Refused | None = None
        left = len(self._waiting)
        while left > 0 and self._waiting:
            batch = self._batch(left)
            answer = yield from self._try(batch, retries)
            if isinstance(answer, Refused):
                refused = answer
                self.dropped += len(batch)
            else:
                self.rejected += answer.get("rejected", [])
            left -= len(batch)
            for _ in batch:
                self._waiting.popleft()
        if refused is not None:
            raise DeliveryError(f"events were lost: {refused}") from refused

    def _try(
        self, batch: list[bytes], retries: int
    ) -> Generator[Step, Answer, Mapping[str, Any] | Refused]:
        attempt = 0
        while True:
            answer = yield Post(self._body(batch))
            if isinstance(answer, Refused) and answer.status != 429 and answer.status < 500:
                return answer
            if not isinstance(answer, Refused | Unreachable):
                return answer or {}
            if attempt == retries:
                raise DeliveryError(f"{len(self)} events still wait: {answer}") from answer
            yield Pause(_pause(attempt, answer))
            attempt += 1

    def _batch(self, most: int) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        # A copy, made at once: other threads put more in meanwhile.
        for event in list(islice(self._waiting, min(most, MOST_EVENTS))):
            size += len(event) + 1
            if batch and size > MOST_BYTES:
                break
            batch.append(event)
        return batch

    def _body(self, batch: list[bytes]) -> bytes:
        head: dict[str, str] = {"sentAt": _now()}
        if not self.key.startswith("sk_"):
            head["key"] = self.key
        return json.dumps(head)[:-1].encode() + b', "batch": [' + b",".join(batch) + b"]}"


def _pause(attempt: int, answer: Refused | Unreachable) -> float:
    """Twice as long each time, and not at the same moment as everybody else."""
    longest: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)
    asked = answer.retry_after if isinstance(answer, Refused) else None
    return max(asked or 0.0, longest * random.uniform(0.5, 1.0))


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def written(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)
