"""Rapport as a provider of OpenFeature: `pip install rapport-sdk[openfeature]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import (
    FlagNotFoundError,
    GeneralError,
    InvalidContextError,
    ProviderFatalError,
    ProviderNotReadyError,
    TypeMismatchError,
)
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.hook import Hook
from openfeature.provider import AbstractProvider, Metadata
from openfeature.track import TrackingEventDetails

from ._engine import BundleError, Engine, Feature, RapportError
from .client import Client

if TYPE_CHECKING:
    from .testing import FakeEngine
    from .visitor import Visitor

T = TypeVar("T")

REASONS = {
    "defaultValue": Reason.DEFAULT,
    "force": Reason.TARGETING_MATCH,
    "experiment": Reason.SPLIT,
    "prerequisite": Reason.TARGETING_MATCH,
    "cyclicPrerequisite": Reason.ERROR,
}


class RapportProvider(AbstractProvider):
    """Resolves features by an engine, or by a client, which also tracks and takes new bundles.

    Each evaluation is an exposure. A client is refreshed once where it has no bundle yet, and
    closed with the provider.
    """

    def __init__(self, source: Engine | Client | FakeEngine, hooks: Sequence[Hook] = ()) -> None:
        super().__init__()
        self._source = source
        self._hooks = list(hooks)
        self._stop: Callable[[], None] | None = None

    def get_metadata(self) -> Metadata:
        return Metadata("rapport")

    def get_provider_hooks(self) -> list[Hook]:
        return self._hooks

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        if not isinstance(self._source, Client):
            return
        try:
            if self._source.bundle is None:
                self._source.refresh()
        except BundleError as error:
            # A bundle that is refused stays so, however often it is opened.
            raise ProviderFatalError(str(error)) from error
        except RapportError as error:
            raise GeneralError(str(error)) from error
        self._stop = self._source.listen(self._heard)

    def shutdown(self) -> None:
        if self._stop is not None:
            self._stop()
            self._stop = None
        if isinstance(self._source, Client):
            self._source.close()

    def _heard(self, error: RapportError | None, changed: bool) -> None:
        if error is not None:
            self.emit_provider_stale(ProviderEventDetails(message=str(error)))
            return
        self.emit_provider_ready(ProviderEventDetails())
        if changed and isinstance(self._source, Client):
            flags = self._source.engine.features
            self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=flags))

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        visitor = _visitor(evaluation_context)
        somebody = visitor.get("anonymous_id") or visitor.get("user_id")
        # Nobody can be counted, and tracking may not raise.
        if not somebody or isinstance(self._source, Engine):
            return
        details = tracking_event_details
        properties: dict[str, Any] = dict(details.attributes) if details else {}
        if details is not None and details.value is not None:
            properties["value"] = details.value
        self._source.track(tracking_event_name, visitor, properties)

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        return self._resolve(flag_key, default_value, evaluation_context, _boolean)

    def resolve_string_details(
        self,
        flag_key: str,
        default_value: str,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        return self._resolve(flag_key, default_value, evaluation_context, _string)

    def resolve_integer_details(
        self,
        flag_key: str,
        default_value: int,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[int]:
        return self._resolve(flag_key, default_value, evaluation_context, _integer)

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        return self._resolve(flag_key, default_value, evaluation_context, _float)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        return self._resolve(flag_key, default_value, evaluation_context, _object)

    def _resolve(
        self,
        key: str,
        otherwise: T,
        context: EvaluationContext | None,
        typed: Callable[[Any], T | None],
    ) -> FlagResolutionDetails[T]:
        source = self._source
        if isinstance(source, Client):
            if source.bundle is None:
                raise ProviderNotReadyError("no bundle is open yet")
            engine: Engine | FakeEngine = source.engine
        else:
            engine = source
        try:
            # A client also reports what is seen.
            asked = source if isinstance(source, Client) else engine
            feature = asked.feature(key, _visitor(context))
        except RapportError as error:
            raise InvalidContextError(str(error)) from error
        if feature.source == "unknownFeature":
            raise FlagNotFoundError(f"no feature has the key `{key}`")
        if feature.value is None:
            # Features that are null say nothing.
            return FlagResolutionDetails(otherwise, reason=Reason.DEFAULT)
        value = typed(feature.value)
        if value is None:
            found, wanted = type(feature.value).__name__, typed.__name__.strip("_")
            raise TypeMismatchError(f"the feature `{key}` is a {found}, not a {wanted}")
        return FlagResolutionDetails(
            value,
            reason=Reason.STATIC if engine.is_fixed(key) else REASONS[feature.source],
            variant=_variant(feature),
            flag_metadata=_metadata(feature, engine),
        )


def _variant(feature: Feature) -> str | None:
    return feature.variation or feature.rule_id or None


def _metadata(feature: Feature, engine: Engine | FakeEngine) -> dict[str, str | int | float | bool]:
    tested = feature.source == "experiment" and engine.bundle is not None
    return {"bundle": str(engine.bundle)} if tested else {}


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _float(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None


def _object(value: Any) -> Sequence[FlagValueType] | Mapping[str, FlagValueType] | None:
    return value if isinstance(value, dict | list) else None


def _visitor(context: EvaluationContext | None) -> Visitor:
    """OpenFeature's context, with the ids in our places."""
    if context is None:
        return {}
    given = context.attributes
    key = context.targeting_key
    anonymous = _string(given.get("anonymousId")) or key
    attributes: dict[str, Any] = {}
    if anonymous:
        attributes["id"] = anonymous
    if key is not None:
        attributes["targetingKey"] = key
    attributes.update(given)
    return {
        "anonymous_id": anonymous or None,
        "user_id": _string(given.get("userId")) or None,
        "url": _string(given.get("url")) or None,
        "attributes": attributes,
    }
