"""Models that only the server can run: the same score as it says, else the fallback's."""

import asyncio
import base64
import json
import logging
import os
import threading
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from serving import Server, needs_server

from rapport import AsyncClient, Bundle, Client, VisitorError

ROOT = Path(__file__).parents[2]
NOW = 1_795_435_200_000
SIGNALS = json.loads((ROOT / "examples/demo/signals.json").read_text())
FLAGS = {
    "features": {
        "hot": {
            "defaultValue": "no",
            "rules": [{"condition": {"$score": {"$exists": True}}, "force": "yes"}],
        },
        "plain": {"defaultValue": "plain"},
    }
}
MODELS = {
    "visits": (
        "conformance/brought/visits.wasm",
        ["pricing_views", "page_views"],
        [[0, 1], [1, 4]],
    ),
    "net": (
        "onnx/tests/exports/mlp.onnx",
        "page_views visits engaged_seconds visit_pages pricing_views product_views".split(),
        [[0, 1, 2, 3, 0, 1], [1, 4, 9, 2, 2, 0]],
    ),
}


def looks(count, path="/pricing"):
    return [
        {
            "type": "page",
            "timestamp": f"2026-11-23T11:{at // 60:02}:{at % 60:02}Z",
            "messageId": f"m{path}{at}",
            "context": {"page": {"path": path, "url": f"https://example.com{path}"}},
        }
        for at in range(count)
    ]


VISITOR = {"anonymous_id": "a1", "events": looks(3), "now": NOW}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("brought"))
    authored = {"signals": SIGNALS, "flags": FLAGS}
    leads = base64.b64encode((ROOT / "conformance/brought/leads.rpm").read_bytes()).decode()
    authored["models"] = [{"name": "leads", "score_in_page": "edge"}]
    server.ask("/v1/bundles", {"bundle": authored, "models": {"leads": leads}})
    yield server
    server.close()


def bring(server, name):
    file, signals, background = MODELS[name]
    card = {
        "name": name,
        "bands": {"not_below": 0.25, "qualified_from": 0.45},
        "signals": [{"name": signal, "missing": 0} for signal in signals],
        "background": background,
    }
    bytes = base64.b64encode((ROOT / file).read_bytes()).decode()
    server.ask("/v1/models", {"card": card, "file": bytes})
    server.ask(f"/v1/models/{name}/promote", {})


def told(server, **more):
    question = {"anonymousId": "a1", "events": VISITOR["events"], "now": NOW, **more}
    return server.ask("/v1/decide", question)


def adds_up(decision):
    points = sum(reason.points for reason in decision.reasons)
    assert decision.base + points + decision.rest == decision.score


@needs_server
def test_a_private_model_scores_here_as_on_the_server(server):
    client = Client(server.url, server.key, secret_key=server.secret)
    client.refresh()
    assert not client.engine.asks
    assert client.ask(VISITOR) is VISITOR
    decision, said = client.decide(VISITOR), told(server)
    assert (decision.score, decision.band) == (said["score"], said["band"])
    assert decision.probability == said["probability"]
    assert (decision.scored_by, decision.fault) == (None, None)
    public = Client(server.url, server.key)
    public.refresh()
    assert public.score(VISITOR) is None
    assert public.feature("hot", VISITOR).value == "no"


@needs_server
@pytest.mark.parametrize("name", MODELS)
def test_the_servers_score_decides(server, name):
    bring(server, name)
    client = Client(server.url, server.key, secret_key=server.secret, patience=30)
    client.refresh()
    assert client.engine.asks and client.engine.reads_score("hot")
    assert not client.engine.reads_score("plain")
    said, decision = told(server), client.decide(VISITOR)
    assert said["scoredBy"] == name
    assert (decision.score, decision.band) == (said["score"], said["band"])
    assert (decision.probability, decision.base) == (said["probability"], said["base"])
    assert (decision.scored_by, decision.fault) == (name, None)
    found = [(one.signal, one.text, one.points, one.error) for one in decision.reasons]
    wanted = [
        tuple(one[key] for key in ("signal", "text", "points", "error")) for one in said["reasons"]
    ]
    assert found == wanted[:5]
    adds_up(decision)
    adds_up(client.decide(VISITOR, reasons=0))
    assert client.score(VISITOR) == said["score"]
    assert [one.text for one in client.explain(VISITOR)][: len(wanted)] == [
        one[1] for one in wanted
    ]
    assert client.feature("hot", VISITOR).value == decision.features["hot"].value == "yes"
    # What is kept goes on as it does with a model of one's own.
    later = {"anonymous_id": "a1", "profile": decision.profile, "now": NOW}
    assert client.score(later) == said["score"]
    many = {**VISITOR, "events": looks(150, "/") + looks(2)}
    assert client.decide(many).scored_by == name
    if name == "visits":
        assert client.score(many) == 40
    large = [{**look, "properties": {"text": "x" * 1200}} for look in looks(60, "/")]
    assert client.decide({**VISITOR, "events": large}).scored_by == name
    assert client.score({**VISITOR, "consent": {"profiling": False}}) is None


@needs_server
def test_where_the_model_fails_the_servers_fallback_scores(server):
    server.ask("/v1/models/visits/promote", {})
    client = Client(server.url, server.key, secret_key=server.secret, patience=30)
    client.refresh()
    decision = client.decide({**VISITOR, "events": looks(14)})
    assert (decision.scored_by, decision.fault) == ("leads", "trap")
    adds_up(decision)


@needs_server
def test_an_async_client_asks_once_and_decides_by_it(server):
    async def visit():
        client = AsyncClient(server.url, server.key, secret_key=server.secret, patience=30)
        await client.refresh()
        known, _ = await asyncio.gather(client.ask(VISITOR), client.ask({"anonymous_id": "a2"}))
        return client.decide(known), client.feature("hot", known), client.decide(VISITOR)

    decision, hot, unasked = asyncio.run(visit())
    assert (decision.score, decision.scored_by) == (told(server)["score"], "visits")
    assert hot.value == "yes"
    assert (unasked.scored_by, unasked.fault) == ("leads", "absent")


@needs_server
def test_offline_the_fallback_scores_and_without_a_key_nobody(server, tmp_path):
    cache = tmp_path / "bundle.json"
    Client(server.url, server.key, secret_key=server.secret, cache=cache).refresh()
    engine = Bundle.read(cache).engine()
    decision = engine.decide(VISITOR)
    assert (decision.scored_by, decision.fault) == ("leads", "absent")
    assert isinstance(decision.score, int)
    adds_up(decision)
    public = Bundle.fetch(server.url, server.key).engine()
    decision = public.decide(VISITOR)
    assert (decision.score, decision.fault) == (None, "absent")
    assert public.feature("hot", VISITOR).value == "no"
    with pytest.raises(VisitorError, match="answer of a server"):
        engine.decide({**VISITOR, "said": {"verdict": {"score": 7}}})


@contextmanager
def stand_in(server, answer):
    """Stands before the server, and answers questions for scores by `answer`."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            request = urllib.request.Request(server.url + self.path)
            if self.headers["authorization"]:
                request.add_header("authorization", self.headers["authorization"])
            with urllib.request.urlopen(request, timeout=30) as real:
                self.reply(200, real.read())

        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            asked.append(self.path)
            answer(self)

        def reply(self, status, body):
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}", asked
    http.shutdown()
    http.server_close()


def slow(handler):
    threading.Event().wait(5)


def drips(handler):
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(500):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            threading.Event().wait(0.01)
    except OSError:
        pass


SCORE = b'{"score":250,"probability":1,"band":"qualified","base":0,"reasons":[],"rest":250}'
REASON = (
    b'{"score":9,"probability":0.5,"band":"not","base":9,"rest":%s,'
    b'"reasons":[{"signal":%s,"text":"","points":%s}]}'
)
SUM = b'{"score":50,"probability":0.5,"band":"qualified","base":0,"reasons":[],"rest":3}'
FAULTS = [
    ("time", slow),
    ("time", drips),
    ("absent", lambda handler: handler.reply(503, b"")),
    ("absent", lambda handler: handler.reply(401, b'{"detail":"no such key"}')),
    ("absent", lambda handler: handler.reply(404, b"<html>")),
    ("absent", lambda handler: handler.connection.close()),
    ("nonsense", lambda handler: handler.reply(200, b"<html>")),
    ("nonsense", lambda handler: handler.reply(200, b"[]")),
    ("nonsense", lambda handler: handler.reply(200, b"\xff\xfe")),
    ("nonsense", lambda handler: handler.reply(200, SCORE)),
    ("nonsense", lambda handler: handler.reply(200, SUM)),
    ("nonsense", lambda handler: handler.reply(200, REASON % (b"-1", b"-1", b"1"))),
    (
        "nonsense",
        lambda handler: handler.reply(200, REASON % (b"-9999999999", b"1", b"9999999999")),
    ),
]


@needs_server
@pytest.mark.parametrize(("fault", "answer"), FAULTS)
def test_a_server_that_fails_costs_one_wait_and_the_fallback_scores(server, caplog, fault, answer):
    with stand_in(server, answer) as (url, asked), caplog.at_level(logging.WARNING, "rapport"):
        patience = 0.2 if fault == "time" else 30
        client = Client(url, server.key, secret_key=server.secret, patience=patience)
        client.refresh()
        for _ in range(3):
            decision = client.decide(VISITOR)
            assert (decision.scored_by, decision.fault) == ("leads", fault)
        assert client.feature("plain", VISITOR).value == "plain"
        assert asked == ["/v1/decide"]
        assert len(caplog.records) == 1 and "no score by the server" in caplog.text
        assert server.secret not in caplog.text

        async def visit():
            client = AsyncClient(url, server.key, secret_key=server.secret, patience=patience)
            await client.refresh()
            return client.decide(await client.ask(VISITOR))

        assert asyncio.run(visit()).fault == fault


@needs_server
def test_a_child_of_a_fork_asks_by_itself(server):
    client = Client(server.url, server.key, secret_key=server.secret, patience=30)
    client.refresh()
    client.score(VISITOR)
    child = os.fork()
    if child == 0:
        same = client.decide(VISITOR).scored_by == "visits"
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0
