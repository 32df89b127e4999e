"""Ours, as the peers' bench takes it: `make` gives what answers for user number i."""

from rapport import Engine


def make(users, fx):
    exposures = 0

    def exposed(exposure):
        nonlocal exposures
        exposures += 1

    engine = Engine.from_payload(fx("growthbook.json"), on_exposure=exposed)

    def answer(i):
        # A raw user that nobody saw before, as a request brings one.
        return engine.feature("exp", {"attributes": users[i].copy()}).value

    check(engine, users, answer)
    assert exposures >= len(users), "the callback is on"
    return answer


def check(engine, users, answer):
    """Nothing is remembered between calls: order and what was asked before change nothing."""
    forwards = [answer(i) for i in range(len(users))]
    backwards = [answer(i) for i in reversed(range(len(users)))]
    assert forwards == backwards[::-1]
    counts = {value: forwards.count(value) for value in set(forwards)}
    assert counts == {"control": 331, "b": 320, "c": 349}, counts
    for at, user in enumerate(users[:100]):
        changed = dict(user, country="FR")
        assert engine.feature("exp", {"attributes": changed}).source == "defaultValue"
        changed["country"] = "US"
        assert engine.feature("exp", {"attributes": changed}).value == forwards[at]
        changed["id"] = users[-1]["id"]
        assert engine.feature("exp", {"attributes": changed}).value == forwards[-1]
