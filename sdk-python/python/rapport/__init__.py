"""Rapport for Python: score, explain, personalize and experiment where your code runs.

bundle = rapport.Bundle.fetch("https://rapport.example", "wk_live_…")
engine = bundle.engine()
engine.feature("hero", {"attributes": {"id": "u1", "plan": "pro"}}).value
"""

from ._engine import (
    BundleError,
    Decision,
    Engine,
    Exposure,
    Feature,
    RapportError,
    Reason,
    Variation,
    VisitorError,
)
from .bundle import Bundle
from .client import AsyncClient, Client
from .events import DeliveryError
from .identity import identity_token
from .visitor import Said, Visitor

__all__ = [
    "AsyncClient",
    "Bundle",
    "BundleError",
    "Client",
    "Decision",
    "DeliveryError",
    "Engine",
    "Exposure",
    "Feature",
    "RapportError",
    "Reason",
    "Said",
    "Variation",
    "Visitor",
    "VisitorError",
    "identity_token",
]
