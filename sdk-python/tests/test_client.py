"""Clients against a real server, and against one that fails as the test says."""

import asyncio
import base64
import gc
import json
import logging
import os
import subprocess
import sys
import threading
import weakref
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from serving import Server, needs_server

from rapport import (
    AsyncClient,
    Bundle,
    BundleError,
    Client,
    DeliveryError,
    RapportError,
    events,
    testing,
)

RULE = {"key": "hero", "hashVersion": 2, "variations": ["plain", "warm"]}
HERO = {"features": {"hero": {"defaultValue": "plain", "rules": [RULE]}}}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.close()


class Failing:
    """A server that answers each request with the next of `answers`, and then with yes."""

    def __init__(self):
        self.answers, self.batches = [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.batches.append(body)
                status, headers = outer.answers.pop(0) if outer.answers else (200, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b'{"rejected": []}')

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def told(self):
        return [event for batch in self.batches for event in batch["batch"]]


@pytest.fixture
def failing(monkeypatch):
    monkeypatch.setattr(events, "FIRST_PAUSE", 0.001)
    failing = Failing()
    yield failing
    failing.server.shutdown()
    failing.server.server_close()


def nobody(monkeypatch):
    """An address where nothing listens."""
    monkeypatch.setattr(events, "FIRST_PAUSE", 0.001)
    return "http://127.0.0.1:9"


WHO = {"anonymous_id": "a1"}


@needs_server
def test_a_published_bundle_is_taken_and_then_the_next(server, tmp_path):
    server.publish(HERO)
    cache = tmp_path / "bundle.json"
    client = Client(server.url, server.key, cache=cache)
    with pytest.raises(BundleError, match="call refresh"):
        client.feature("hero", WHO)
    heard = []
    stop = client.listen(lambda error, changed: heard.append((error, changed)))
    assert client.refresh() is True
    assert client.feature("hero", WHO).source == "experiment"
    assert client.refresh() is False
    server.publish({"features": {"hero": {"defaultValue": "new"}}})
    assert client.refresh() is True
    assert client.feature("hero", WHO).value == "new"
    assert heard == [(None, True), (None, True)]
    stop()
    offline = Client("http://127.0.0.1:9", server.key, cache=cache)
    assert offline.refresh() is True
    assert offline.feature("hero", WHO).value == "new"


@needs_server
def test_a_bundle_that_another_key_signed_is_refused_and_the_old_one_stays(server):
    server.publish(HERO)
    other = testing.bundle(flags=HERO)
    client = Client(server.url, server.key, public_key=other.public_key, bundle=other)
    with pytest.raises(BundleError, match="not signed by this key"):
        client.refresh()
    assert client.engine.bundle == other.engine().bundle


@needs_server
def test_events_arrive_and_again_they_change_nothing(server):
    client = Client(server.url, server.key)
    for number in range(3):
        assert client.track("Trial Started", {"anonymous_id": "py-1"}, {"seats": number})
    client.page({"anonymous_id": "py-1"}, context={"page": {"path": "/pricing"}})
    client.identify({"anonymous_id": "py-1", "user_id": "u1"}, {"plan": "pro"})
    assert client.waiting == 5
    kept = list(client._outbox._waiting)
    client.flush()
    assert (client.waiting, client.dropped, client._outbox.rejected) == (0, 0, [])
    client._outbox._waiting.extend(kept)
    answers = []
    post = client._post
    client._post = lambda step: answers.append(post(step)) or answers[-1]
    client.flush()
    assert [(one["accepted"], one["duplicates"]) for one in answers] == [(0, 5)]


@needs_server
def test_what_the_server_rejects_is_told_and_the_rest_arrives(server):
    client = Client(server.url, server.key)
    client.track("Too Much", WHO, {f"property {number}": number for number in range(200)})
    client.track("Enough", WHO)
    client.flush()
    assert [one["code"] for one in client._outbox.rejected] == ["too-many-fields"]


@needs_server
def test_a_secret_key_sends_as_proven(server):
    client = Client(server.url, server.key, secret_key=server.secret)
    client.identify({"user_id": "proven-1"}, {"plan": "pro"})
    client.flush()
    assert client._outbox.rejected == []


@needs_server
def test_an_async_client_does_the_same(server):
    server.publish(HERO)

    async def visit():
        async with AsyncClient(server.url, server.key) as client:
            assert await client.refresh() is True
            client.feature("hero", {"anonymous_id": "py-async"})
            client.track("Trial Started", {"anonymous_id": "py-async"})
            assert client.waiting == 2
            await client.flush()
            assert (client.waiting, client._outbox.rejected) == (0, [])
            client.track("Once More", {"anonymous_id": "py-async"})
        return client.waiting

    assert asyncio.run(visit()) == 0


def test_exposures_are_events_once_a_visitor_and_variation(failing):
    client = Client(failing.url, "wk_test", bundle=testing.bundle(flags=HERO))
    for _ in range(3):
        client.feature("hero", WHO)
    client.feature("hero", {"anonymous_id": "a2", "user_id": "u2"})
    client.feature("hero", {"attributes": {"id": "who nobody can tell"}})
    refuses = {"consent": {"analytics": False, "profiling": False}}
    client.feature("hero", {"anonymous_id": "a3", **refuses})
    client.flush()
    first, second = failing.told()
    assert (first["event"], first["anonymousId"]) == ("Experiment Viewed", "a1")
    assert (second["anonymousId"], second["userId"]) == ("a2", "u2")
    assert first["properties"]["experimentId"] == "hero"
    assert first["properties"]["featureId"] == "hero"
    assert first["properties"]["bundle"] == client.engine.bundle
    assert first["context"]["library"]["name"] == "rapport-python"


def test_experiences_that_are_no_experiments_are_events_too(failing):
    shown = {"key": "welcome", "slot": "bar", "content": {"type": "text", "text": "Welcome"}}
    plain = {"defaultValue": 1, "rules": [{"id": "rule", "force": 2}]}
    flags = {"features": {"plain": plain}, "experiences": [shown]}
    client = Client(failing.url, "wk_test", bundle=testing.bundle(flags=flags))
    for _ in range(2):
        assert client.feature("bar", WHO).value["text"] == "Welcome"
        client.feature("plain", WHO)
    client.feature("bar", {})
    client.feature("bar", {"anonymous_id": "a2", "consent": {"personalization": False}})
    client.flush()
    (event,) = failing.told()
    assert (event["event"], event["anonymousId"]) == ("Experience Viewed", "a1")
    assert event["properties"] == {"experienceId": "welcome", "bundle": client.engine.bundle}


def test_an_exposure_to_a_bandit_tells_how_likely_it_was_and_what_it_learns_by(failing):
    rule = {
        "key": "hero",
        "contextualVariations": ["plain", "warm"],
        "contextualBanditRef": "hero",
        "contextAttributes": ["plan", "country"],
    }
    leaf = {"leafId": 0, "condition": {"plan": "team"}, "weights": [0.5, 0.5]}
    flags = {
        "features": {"hero": {"defaultValue": "plain", "rules": [rule]}},
        "contextualBandits": {"hero": {"banditVersion": 3, "contexts": [leaf]}},
    }
    client = Client(failing.url, "wk_test", bundle=testing.bundle(flags=flags))
    client.feature("hero", {"anonymous_id": "a1", "attributes": {"plan": "team", "age": 7}})
    client.flush()
    (event,) = failing.told()
    told = event["properties"]
    assert {name: told[name] for name in ("propensity", "leafId", "banditVersion", "context")} == {
        "propensity": 0.5,
        "leafId": 0,
        "banditVersion": 3,
        "context": {"plan": "team"},
    }


def test_what_fails_is_sent_again_under_the_same_message_ids(failing):
    failing.answers = [(503, {}), (429, {"retry-after": "0"}), (500, {})]
    client = Client(failing.url, "wk_test")
    client.track("A", WHO)
    client.track("B", WHO)
    client.flush()
    ids = [[event["messageId"] for event in batch["batch"]] for batch in failing.batches]
    assert len(ids) == 4
    assert all(one == ids[0] for one in ids) and len(set(ids[0])) == 2
    assert all(batch["key"] == "wk_test" and batch["sentAt"] for batch in failing.batches)
    assert client.waiting == 0


def test_what_does_not_arrive_waits_for_the_next_flush(failing):
    failing.answers = [(503, {})] * 2
    client = Client(failing.url, "wk_test", retries=1)
    client.track("A", WHO)
    with pytest.raises(DeliveryError, match="1 events still wait: the server answered 503"):
        client.flush()
    assert client.waiting == 1
    client.flush()
    assert (client.waiting, client.dropped) == (0, 0)


def test_what_is_refused_for_good_is_not_sent_again(failing):
    failing.answers = [(401, {})]
    client = Client(failing.url, "wk_test")
    client.track("A", WHO)
    with pytest.raises(DeliveryError, match="events were lost: the server answered 401"):
        client.flush()
    assert (client.waiting, client.dropped, len(failing.batches)) == (0, 1, 1)


def test_nobody_answering_is_said_and_closing_raises_nothing(monkeypatch, caplog):
    client = Client(nobody(monkeypatch), "wk_test", retries=1)
    client.track("A", WHO)
    with pytest.raises(DeliveryError, match="does not answer"):
        client.flush()
    with pytest.raises(RapportError, match="does not answer"):
        client.refresh()
    with caplog.at_level(logging.WARNING, "rapport"):
        client.close()
    assert "1 events still wait" in caplog.text


def test_many_events_go_in_batches_that_the_server_takes(failing):
    client = Client(failing.url, "wk_test")
    for number in range(700):
        client.track("A", WHO, {"text": "x" * 1000, "number": number})
    client.flush()
    sizes = [len(batch["batch"]) for batch in failing.batches]
    assert max(sizes) <= events.MOST_EVENTS
    told = failing.told()
    assert [event["properties"]["number"] for event in told] == list(range(700))
    assert all(len(json.dumps(batch)) < 512_000 for batch in failing.batches)


def test_a_client_that_nobody_holds_is_gone(failing):
    client = Client(failing.url, "wk_test", bundle=testing.bundle(flags=HERO))
    client.feature("hero", WHO)
    held = weakref.ref(client)
    del client
    gc.collect()
    assert held() is None


def test_a_full_queue_drops_and_says_so(failing):
    client = Client(failing.url, "wk_test", capacity=2)
    assert [client.track("A", WHO) for _ in range(3)] == [True, True, False]
    assert (client.waiting, client.dropped) == (2, 1)


def test_an_event_of_nobody_is_refused(failing):
    with pytest.raises(ValueError, match="an event is somebody's"):
        Client(failing.url, "wk_test").track("A", {"attributes": {"id": "x"}})
    with pytest.raises(ValueError, match="is no server"):
        Client("rapport.example", "wk_test")


def test_a_thread_runs_only_when_asked_for_and_ends_with_close(failing):
    threads = threading.active_count()
    client = Client(failing.url, "wk_test")
    client.track("A", WHO)
    assert threading.active_count() == threads
    client.start(every=0.01)
    for _ in range(1000):
        if client.waiting == 0:
            break
        threading.Event().wait(0.01)
    client.track("B", WHO)
    client.close()
    assert [event["event"] for event in failing.told()] == ["A", "B"]
    assert not any(thread.name == "rapport" for thread in threading.enumerate())


def test_what_a_started_client_holds_is_sent_when_the_process_ends(failing):
    script = (
        "import rapport, sys;"
        "client = rapport.Client(sys.argv[1], 'wk_test');"
        "client.start(every=60);"
        "client.track('Last', {'anonymous_id': 'a1'})"
    )
    subprocess.run([sys.executable, "-c", script, failing.url], check=True, timeout=60)
    assert [event["event"] for event in failing.told()] == ["Last"]


def test_after_a_fork_each_process_sends_its_own(failing):
    client = Client(failing.url, "wk_test")
    client.start(every=60)
    client.track("Parent", WHO)
    child = os.fork()
    if child == 0:
        try:
            client.track("Child", WHO)
            client.start(every=60)
            client.close()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert [event["event"] for event in failing.told()] == ["Child"]
    client.close()
    assert [event["event"] for event in failing.told()] == ["Child", "Parent"]


def test_a_task_runs_only_when_asked_for(failing):
    async def visit():
        client = AsyncClient(failing.url, "wk_test")
        tasks = len(asyncio.all_tasks())
        client.track("A", WHO)
        assert len(asyncio.all_tasks()) == tasks
        client.start(every=0.01)
        for _ in range(1000):
            if client.waiting == 0:
                break
            await asyncio.sleep(0.01)
        await client.close()
        return len(asyncio.all_tasks()) - tasks

    assert asyncio.run(visit()) == 0
    assert [event["event"] for event in failing.told()] == ["A"]


def test_the_fakes_answer_what_a_test_says():
    fake = testing.FakeClient({"hero": "warm", "size": 3}, score=82, band="qualified")
    assert fake.feature("hero", WHO).value == "warm"
    fake.set("hero", None)
    assert fake.feature("hero", WHO).value is None
    assert (fake.score(WHO), fake.decide(WHO).band) == (82, "qualified")
    assert fake.decide(WHO).features["size"].value == 3
    fake.track("Trial Started", WHO, {"seats": 1})
    assert fake.events[0]["event"] == "Trial Started"
    assert fake.asked == [("hero", WHO), ("hero", WHO)]


def test_a_part_that_a_proxy_damaged_is_refused(tmp_path):
    bundle = testing.bundle(flags=HERO)
    path = tmp_path / "bundle.json"
    bundle.save(path)
    held = json.loads(path.read_text())
    held["parts"] = {hash: base64.b64encode(b"?").decode() for hash in held["parts"]}
    path.write_text(json.dumps(held))
    with pytest.raises(BundleError, match="hash differs"):
        Bundle.read(path).engine()
