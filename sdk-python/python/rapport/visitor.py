"""Who is asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class Said(TypedDict, total=False):
    """What the workspace's server says of a score; nothing where nobody may score them."""

    verdict: Mapping[str, Any]
    """The score with its reasons."""
    fault: str
    """Why there is no answer: `time`, `absent` (not reached, or it refuses) or `nonsense`."""


class Visitor(TypedDict, total=False):
    """A visitor, as a request brings one; every member may be left out, or be None."""

    attributes: Mapping[str, Any] | None
    """What conditions read: str, int, float, bool, None, lists, dicts, datetimes."""
    url: str | None
    """The page's address."""
    anonymous_id: str | None
    """The browser's id, as the page's tracker keeps it."""
    user_id: str | None
    """Who is signed in."""
    profile: bytes | None
    """What is known so far: `Decision.profile`, or the backend's."""
    events: list[dict[str, Any]] | None
    """What happened since, in Segment's shape, oldest first."""
    consent: Mapping[str, bool] | None
    """What the visitor chose (`personalization`, `profiling`, `analytics`); the rest is allowed."""
    shown: Mapping[str, Mapping[str, float]] | None
    """By the keys of experiences `{"times", "last"}`, for those that are capped."""
    grade: str | None
    """How well the visitor's company fits, where that is known."""
    now: float | None
    """Milliseconds since 1970; the clock where left out."""
    sticky: Mapping[str, Any] | Sequence[Any] | None
    """GrowthBook's sticky bucket documents; see `Feature.sticky`."""
    forced_variations: Mapping[str, int] | None
    """Variations chosen by hand, by the keys of experiments."""
    enabled: bool | None
    """False: no experiment runs."""
    qa_mode: bool | None
    """True: only what is forced happens."""
    said: Said | None
    """What the server said of them: `Client.ask` puts it there."""
