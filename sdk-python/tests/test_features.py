import gc
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from datetime import datetime, timezone
from decimal import Decimal

import pytest

from rapport import Engine, VisitorError, testing

PAYLOAD = {
    "features": {
        "hero": {
            "defaultValue": "plain",
            "rules": [
                {"id": "pro", "condition": {"plan": "pro"}, "force": {"title": "Hello", "size": 2}},
                {
                    "id": "warm",
                    "key": "warm-hero",
                    "hashVersion": 2,
                    "variations": ["plain", "warm"],
                    "meta": [{"key": "control"}, {"key": "warm", "name": "Warm"}],
                },
            ],
        },
        "big": {
            "defaultValue": False,
            "rules": [{"condition": {"seats": {"$gte": 10}}, "force": True}],
        },
        "late": {
            "defaultValue": False,
            "rules": [{"condition": {"since": {"$after": "2026-01-01T00:00:00Z"}}, "force": True}],
        },
    }
}


@pytest.fixture
def engine():
    return Engine.from_payload(PAYLOAD)


def user(number):
    return {"attributes": {"id": f"u{number}", "plan": "free"}}


def test_a_feature_says_its_value_and_why(engine):
    pro = engine.feature("hero", {"attributes": {"id": "u1", "plan": "pro"}})
    assert (pro.value, pro.on, pro.source, pro.rule_id) == (
        {"title": "Hello", "size": 2},
        True,
        "force",
        "pro",
    )
    free = engine.feature("hero", user(1))
    assert free.source == "experiment"
    assert free.why == "the visitor's place falls to this variation"
    assert free.variation in ("control", "warm")
    assert free.experiment_result["hashValue"] == "u1"


def test_a_feature_that_nobody_knows_is_none(engine):
    found = engine.feature("nothing", {})
    assert (found.value, found.on, found.source) == (None, False, "unknownFeature")


def test_a_value_is_the_callers_own(engine):
    visitor = {"attributes": {"plan": "pro"}}
    engine.feature("hero", visitor).value["title"] = "changed"
    assert engine.feature("hero", visitor).value["title"] == "Hello"


def test_exposures_say_what_results_need():
    seen = []
    engine = Engine.from_payload(PAYLOAD, on_exposure=seen.append)
    visitor = next(user(i) for i in range(99) if engine.feature("hero", user(i)).value == "warm")
    seen.clear()
    engine.feature("hero", visitor)
    [exposure] = seen
    assert exposure.visitor is visitor
    assert exposure.properties == {
        "experimentId": "warm-hero",
        "variationId": "warm",
        "variationName": "Warm",
        "featureId": "hero",
    }


def test_a_listener_that_fails_costs_nobody_a_decision(monkeypatch):
    heard = []
    monkeypatch.setattr(sys, "unraisablehook", lambda fault: heard.append(str(fault.exc_value)))

    def fails(_):
        raise RuntimeError("no")

    engine = Engine.from_payload(PAYLOAD, on_exposure=fails)
    assert engine.feature("hero", user(1)).source == "experiment"
    assert heard == ["no"]


def test_attributes_may_be_any_value_that_json_has_and_numbers_and_times_besides(engine):
    def big(seats):
        return engine.feature("big", {"attributes": {"seats": seats}}).value

    assert [big(seats) for seats in (12, 12.5, "12", Decimal(12), True, None, 10**400)] == [
        True,
        True,
        True,
        True,
        False,
        False,
        True,
    ]
    assert big(-(10**400)) is False
    since = datetime(2026, 3, 1, tzinfo=timezone.utc)
    assert engine.feature("late", {"attributes": {"since": since}}).value is True
    assert engine.feature("hero", {"attributes": {"plan": "\ud800"}}).value == "plain"


def test_only_attributes_that_a_feature_reads_are_looked_at(engine):
    visitor = {"attributes": {"id": "u1", "seats": object(), "other": object()}}
    assert engine.feature("hero", visitor).source == "experiment"
    with pytest.raises(VisitorError, match=r"attribute `seats`: .*a object is no value"):
        engine.feature("big", visitor)


def test_what_is_wrong_with_a_visitor_is_said(engine):
    with pytest.raises(TypeError, match="a visitor is a dict"):
        engine.feature("hero", "u1")
    with pytest.raises(TypeError, match="a visitor has no `plan`"):
        engine.feature("hero", {"plan": "pro"})
    with pytest.raises(TypeError, match="`attributes` are a dict"):
        engine.feature("hero", {"attributes": []})
    with pytest.raises(VisitorError, match="`url` is no text"):
        engine.feature("hero", {"attributes": {}, "url": 7})
    ring = []
    ring.append(ring)
    with pytest.raises(VisitorError, match="nests deeper than 48"):
        engine.feature("big", {"attributes": {"seats": ring}})


def test_a_payloads_faults_are_said_and_the_rest_works():
    broken = {
        "features": {
            **PAYLOAD["features"],
            "odd": {"rules": [{"force": 1, "condition": {"a": {"$huh": 1}}}]},
        }
    }
    engine = Engine.from_payload(broken)
    assert any("$huh" in problem for problem in engine.problems)
    assert engine.feature("hero", {"attributes": {"plan": "pro"}}).on


def test_values_come_through_unchanged():
    value = {"b": [1, 2.5, None, True, "ü"], "a": {"x": -3}}
    assert testing.through(value) == value
    assert type(testing.through(3.0)) is int
    assert testing.through((1, 2)) == [1, 2]


def test_a_forked_child_decides_as_its_parent(engine):
    expected = [engine.feature("hero", user(i)).value for i in range(50)]
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        found = [engine.feature("hero", user(i)).value for i in range(50)]
        os.write(write, pickle.dumps(found))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert pickle.loads(pipe.read()) == expected
    assert os.waitpid(child, 0)[1] == 0


def answers(_):
    return [ENGINE.feature("hero", user(i)).value for i in range(20)]


ENGINE = Engine.from_payload(PAYLOAD)


@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing_decide_alike(way):
    with multiprocessing.get_context(way).Pool(2) as pool:
        first, second = pool.map(answers, range(2))
    assert first == second == answers(0)


def test_threads_share_an_engine(engine):
    expected = [engine.feature("hero", user(i)).value for i in range(200)]
    found = {}

    def ask(name):
        found[name] = [engine.feature("hero", user(i)).value for i in range(200)]

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answer == expected for answer in found.values())


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_no_thread_is_started():
    asks = (
        "import os, rapport;"
        "engine = rapport.Engine.from_payload({'features': {'a': {'defaultValue': 1}}});"
        "engine.feature('a', {}), engine.decide({});"
        "print(len(os.listdir('/proc/self/task')))"
    )
    found = subprocess.run([sys.executable, "-c", asks], capture_output=True, check=True)
    assert found.stdout == b"1\n"


def test_nothing_is_kept_of_what_was_asked():
    seen = []
    engine = Engine.from_payload(
        PAYLOAD, on_exposure=lambda exposure: seen.append(exposure.hash_value)
    )
    visitor = user(1)
    held = sys.getrefcount(visitor), sys.getrefcount(visitor["attributes"])
    for _ in range(100):
        engine.feature("hero", visitor)
    gc.collect()
    assert (sys.getrefcount(visitor), sys.getrefcount(visitor["attributes"])) == held
