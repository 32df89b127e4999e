"""For tests: an engine and a client that answer what a test says; and core's smaller functions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ._engine import Engine, Feature, Reason
from ._engine import testing as _core
from .bundle import Bundle

if TYPE_CHECKING:
    from .visitor import Visitor

Folding = _core.Folding
Scorer = _core.Scorer
bandit_weights = _core.bandit_weights
chosen_of = _core.chosen_of
compare_variations = _core.compare_variations
encode_event = _core.encode_event
equal_weights_of = _core.equal_weights_of
event_time = _core.event_time
history_of = _core.history_of
import_model = _core.import_model
in_namespace = _core.in_namespace
place_of = _core.place_of
query_override_of = _core.query_override_of
ranges_of = _core.ranges_of
redirect_to = _core.redirect_to
through = _core.through


def bundle(
    *,
    flags: Mapping[str, Any] | None = None,
    models: Mapping[str, bytes] | None = None,
    seed: bytes | None = None,
    **authored: Any,
) -> Bundle:
    """Compiles a bundle (docs/bundle-format.md) and signs it, by a key of its own or `seed`'s.

    Raises ValueError where something of it would do nothing.
    """
    files = dict(models or {})
    wire = {
        "workspace": "test",
        "environment": "test",
        "signals": [],
        "models": [{"name": name} for name in files],
        **({"flags": flags} if flags is not None else {}),
        **authored,
    }
    manifest, signature, key, parts, problems = _core.compile_bundle(
        wire, files, seed or os.urandom(32)
    )
    if problems:
        raise ValueError(f"the bundle has problems: {'; '.join(problems)}")
    return Bundle(manifest, signature, key, parts)


@dataclass(frozen=True)
class FakeDecision:
    """What `Decision` has, as a test says it."""

    score: int | None
    band: str | None
    features: dict[str, Feature]
    probability: float | None = None
    base: int | None = None
    reasons: list[Reason] = field(default_factory=list)
    rest: int = 0
    as_of: int = 0
    next_change_at: int | None = None
    profile: bytes | None = None
    changes: list[Any] = field(default_factory=list)
    audiences: list[str] = field(default_factory=list)
    why: list[str] = field(default_factory=list)
    bundle: str | None = None
    scored_by: str | None = None
    fault: str | None = None


class FakeEngine:
    """Takes the place of an `Engine`: features and score are the same for everybody.

    `asked` lists which feature was asked about whom.
    """

    bundle: str | None = None
    asks = False

    def __init__(
        self,
        features: Mapping[str, Any] | None = None,
        *,
        score: int | None = None,
        band: str | None = None,
    ) -> None:
        self.asked: list[tuple[str, Visitor]] = []
        self._values = dict(features or {})
        self._score, self._band = score, band
        self._open()

    def set(self, key: str, value: Any) -> None:
        """From now on a feature has this value."""
        self._values[key] = value
        self._open()

    @property
    def features(self) -> list[str]:
        return self._engine.features

    def reads_score(self, key: str) -> bool:
        return False

    def is_fixed(self, key: str) -> bool:
        return self._engine.is_fixed(key)

    def feature(self, key: str, visitor: Visitor) -> Feature:
        self.asked.append((key, visitor))
        return self._engine.feature(key, visitor)

    def why(self, key: str, visitor: Visitor) -> list[str]:
        return self._engine.why(key, visitor)

    def decide(self, visitor: Visitor, *, reasons: int = 5) -> FakeDecision:
        features = {key: self._engine.feature(key, visitor) for key in self.features}
        return FakeDecision(self._score, self._band, features)

    def score(self, visitor: Visitor) -> int | None:
        return self._score

    def explain(self, visitor: Visitor) -> list[Reason]:
        return []

    def track(
        self, event: str, visitor: Visitor, properties: Mapping[str, Any] | None = None
    ) -> bool:
        """An engine tells nobody; see `FakeClient`."""
        return True

    def _open(self) -> None:
        features = {key: {"defaultValue": value} for key, value in self._values.items()}
        self._engine = Engine.from_payload({"features": features})


class FakeClient(FakeEngine):
    """Takes the place of a `Client`: sends nothing; `events` lists what was tracked."""

    def __init__(self, features: Mapping[str, Any] | None = None, **more: Any) -> None:
        super().__init__(features, **more)
        self.events: list[dict[str, Any]] = []
        self.engine = self

    def track(
        self,
        event: str,
        visitor: Visitor,
        properties: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> bool:
        told = {"type": "track", "event": event, "properties": dict(properties or {}), **more}
        self.events.append({**told, "visitor": visitor})
        return True

    def page(
        self, visitor: Visitor, properties: Mapping[str, Any] | None = None, **more: Any
    ) -> bool:
        told = {"type": "page", "properties": dict(properties or {}), **more}
        self.events.append({**told, "visitor": visitor})
        return True

    def identify(
        self, visitor: Visitor, traits: Mapping[str, Any] | None = None, **more: Any
    ) -> bool:
        told = {"type": "identify", "traits": dict(traits or {}), **more}
        self.events.append({**told, "visitor": visitor})
        return True

    def ask(self, visitor: Visitor) -> Visitor:
        return visitor

    def refresh(self) -> bool:
        return False

    def flush(self) -> None: ...

    def start(self, *, every: float = 1.0, refresh_every: float = 60.0) -> None: ...

    def close(self) -> None: ...
