"""For tests: engines that answer what a test says, and core's smaller functions."""

from __future__ import annotations

from ._engine import testing as _core

Folding = _core.Folding
Scorer = _core.Scorer
chosen_of = _core.chosen_of
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
