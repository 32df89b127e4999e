"""OpenFeature's SDK with our provider: the specification's scenarios, and what they do not say."""

import asyncio
import json
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from gherkin.parser import Parser
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext, set_evaluation_context
from openfeature.event import ProviderEvent
from openfeature.flag_evaluation import FlagEvaluationOptions
from openfeature.hook import Hook
from openfeature.provider import ProviderStatus
from openfeature.track import TrackingEventDetails
from openfeature.transaction_context import ContextVarsTransactionContextPropagator

from rapport import Client, Engine, testing
from rapport._http import Unreachable
from rapport.openfeature import RapportProvider

SUITE = Path(__file__).parent.parent.parent / "conformance/suites/openfeature"

# What the suite writes in CEL.
CONDITIONS = {
    "email == 'ballmer@macrosoft.com' ? 'zero' : ''": (
        "zero",
        {"email": "ballmer@macrosoft.com"},
    ),
    "!customer && email == 'ballmer@macrosoft.com' && age > 10 ? 'internal' : ''": (
        "internal",
        {"customer": {"$ne": True}, "email": "ballmer@macrosoft.com", "age": {"$gt": 10}},
    ),
}


def payload():
    features = {}
    for key, flag in json.loads((SUITE / "test-flags.json").read_text()).items():
        if flag.get("disabled"):
            continue  # a payload holds what is switched on
        variants, default = flag["variants"], flag.get("defaultVariant")
        value = variants.get(default)
        rules = [] if value is None else [{"id": default, "force": value}]
        if "contextEvaluator" in flag:
            variant, condition = CONDITIONS[flag["contextEvaluator"]]
            rules = [{"id": variant, "force": variants[variant], "condition": condition}]
        features[key] = {"defaultValue": value, "rules": rules}
    # Of the older suite, which gives no file.
    asked = {"fn": "Sulisław", "ln": "Świętopełk", "age": 29, "customer": False}
    rules = [{"id": "internal", "force": "INTERNAL", "condition": asked}]
    features["context-aware"] = {"defaultValue": "EXTERNAL", "rules": rules}
    return {"features": features}


BUNDLE = testing.bundle(flags=payload())

# Why a scenario does not apply, and how many do not for that reason.
OTHERS = {
    "a bundle holds no features that are switched off": 5,
    "every evaluation is made anew": 2,
    "a bundle says nothing of a feature but its rules": 2,
}


def reason_against(tags, steps):
    if "@reason-codes-disabled" in tags:
        return "a bundle holds no features that are switched off"
    if "@reason-codes-cached" in tags:
        return "every evaluation is made anew"
    if any("metadata should contain" in text for text, _ in steps):
        return "a bundle says nothing of a feature but its rules"
    return None


def scenarios():
    """Every scenario of the suite, outlines filled in."""
    for file in sorted(SUITE.glob("*.feature")):
        feature = Parser().parse(file.read_text())["feature"]
        background = []
        for child in feature["children"]:
            if "background" in child:
                background = child["background"]["steps"]
                continue
            if "scenario" in child:
                yield from filled(file.name, feature, background, child["scenario"])


def filled(file, feature, background, scenario):
    tags = [tag["name"] for tag in feature["tags"] + scenario["tags"]]
    steps = background + scenario["steps"]
    if not scenario["examples"]:
        yield file, scenario["name"], tags, [(step["text"], table(step, {})) for step in steps]
    for examples in scenario["examples"]:
        names = [cell["value"] for cell in examples["tableHeader"]["cells"]]
        own = tags + [tag["name"] for tag in examples["tags"]]
        for row in examples["tableBody"]:
            values = dict(zip(names, [cell["value"] for cell in row["cells"]], strict=True))
            told = [(fill(step["text"], values), table(step, values)) for step in steps]
            yield file, scenario["name"], own, told


def fill(text, values):
    for name, value in values.items():
        text = text.replace(f"<{name}>", value)
    return text


def table(step, values):
    rows = step.get("dataTable", {}).get("rows", [])
    return [[fill(cell["value"], values) for cell in row["cells"]] for row in rows]


ALL = list(scenarios())
APPLYING = [one for one in ALL if reason_against(one[2], one[3]) is None]


class Seeing(RapportProvider):
    """Shows the context that it was asked with."""

    seen = None

    def resolve_string_details(self, flag_key, default_value, evaluation_context=None):
        self.seen = evaluation_context
        return super().resolve_string_details(flag_key, default_value, evaluation_context)


class Offline(Client):
    def _fetch(self):
        raise Unreachable("nobody answers")


class World:
    def __init__(self):
        self.calls, self.levels, self.context, self.options = [], {}, {}, None

    def provide(self, status):
        api.clear_providers()
        server = "http://127.0.0.1:9"
        if status == "stable":
            self.provider = Seeing(BUNDLE.engine())
        elif status == "not ready":
            self.provider = Waiting(BUNDLE.engine())
        elif status == "error":
            self.provider = Seeing(Offline(server, "wk_test"))
        elif status == "fatal":
            self.provider = Seeing(Refused(server, "wk_test"))
        elif status == "stale":
            self.provider = Seeing(Client(server, "wk_test", bundle=BUNDLE, timeout=1))
        if status == "not ready":
            api.set_provider(self.provider)
        else:
            try:
                api.set_provider_and_wait(self.provider)
            except Exception:
                assert status in ("error", "fatal")
        if status == "stale":
            with pytest.raises(Unreachable):
                self.provider._source.refresh()
        self.client = api.get_client()

    def evaluate(self, kind, key, otherwise, details, options=None, later=False):
        self.kind, self.fallback = kind, otherwise
        self.given = dict(self.context)
        context = EvaluationContext(None, self.context)
        if "targetingKey" in self.context:
            rest = {name: held for name, held in self.context.items() if name != "targetingKey"}
            context = EvaluationContext(self.context["targetingKey"], rest)
        name = f"get_{kind}_details" + ("_async" if later else "")
        ask = getattr(self.client, name)
        arguments = [key, otherwise, context]
        if options is not None:
            arguments.append(options)
        found = ask(*arguments)
        self.details = asyncio.run(found) if later else found
        if not details:
            assert getattr(self.client, f"get_{kind}_value")(*arguments) == self.details.value


class Waiting(Seeing):
    """Opens when the scenario is over."""

    over = threading.Event()

    def initialize(self, evaluation_context):
        self.over.wait(60)


class Refused(Client):
    def _newest(self):
        other = testing.bundle(flags=payload())
        return replace(BUNDLE, public_key=other.public_key)


class Noting(Hook):
    def __init__(self, calls, name):
        self.calls, self.name = calls, name

    def before(self, hook_context, hints):
        self.calls.append(("before", self.name, None))

    def after(self, hook_context, details, hints):
        self.calls.append(("after", self.name, details))

    def error(self, hook_context, exception, hints):
        self.calls.append(("error", self.name, exception))

    def finally_after(self, hook_context, details, hints):
        self.calls.append(("finally", self.name, details))


class Hooked(Hook):
    def __init__(self, entries):
        self.entries = entries

    def before(self, hook_context, hints):
        return EvaluationContext(None, self.entries)


def typed(kind, text):
    if kind.lower() == "string":
        return text
    if text == "null":
        return None
    return json.loads(text.replace('\\"', '"'))


STEPS = []


def step(pattern):
    def keep(action):
        STEPS.append((re.compile(pattern), action))
        return action

    return keep


@step(r"^a (stable|not ready|error|fatal|stale) provider$")
def _(world, table, status):
    world.provide(status)


@step(r"^a stable provider with retrievable context is registered$")
def _(world, table):
    world.provide("stable")


@step(r'^the provider status should be "(\w+)"$')
def _(world, table, status):
    assert world.client.get_provider_status() == ProviderStatus[status]


@step(r'^[aA]n? (\w+)-flag with key "(.+)" and a fallback value "(.*)"$')
def _(world, table, kind, key, otherwise):
    world.kind, world.key, world.otherwise = kind.lower(), key, typed(kind, otherwise)


@step(r'^a context containing a key "(\w+)", with type "(\w+)" and with value "(.*)"$')
def _(world, table, name, kind, value):
    world.context[name] = typed(kind, value)


@step(r'^a context containing a key "(\w+)" with null value$')
def _(world, table, name):
    world.context[name] = None


@step(r"^an evaluation context with modifiable data$")
def _(world, table):
    world.context = {"email": "a@example.com", "nested": {"list": [1, 2]}}


@step(r"^the flag was evaluated with details( asynchronously)?$")
def _(world, table, later):
    world.evaluate(world.kind, world.key, world.otherwise, True, later=later is not None)


@step(r"^the evaluation should complete without blocking$")
def _(world, table):
    assert world.details is not None


@step(r"^the original evaluation context should remain unmodified$")
def _(world, table):
    assert world.context == world.given


@step(r"^the evaluation details should be immutable$")
def _(world, table):
    try:
        world.details.flag_metadata["changed"] = True
    except TypeError:
        return
    # Where it can be written to, it is nobody else's.
    world.evaluate(world.kind, world.key, world.otherwise, True)
    assert "changed" not in world.details.flag_metadata


@step(r'^the resolved details value should be "(.*)"$')
def _(world, table, expected):
    assert world.details.value == typed(world.kind, expected)


@step(r'^the flag key should be "(.+)"$')
def _(world, table, key):
    assert world.details.flag_key == key


@step(r'^the variant should be "([^"]+)"$')
def _(world, table, variant):
    assert world.details.variant == variant


@step(r'^the reason should be "(\w+)"$')
def _(world, table, reason):
    assert world.details.reason == reason


@step(r'^the error-code should be "(\w+)"$')
def _(world, table, code):
    assert world.details.error_code == code


@step(r"^the resolved metadata is empty$")
def _(world, table):
    assert world.details.flag_metadata == {}


@step(r"^a client with added hook$")
def _(world, table):
    world.client.add_hooks([Noting(world.calls, "client")])


@step(r'^the "([\w, ]+)" hooks? should (?:have been executed|be called with evaluation details)$')
def _(world, table, stages):
    for stage in stages.split(", "):
        calls = [call for call in world.calls if call[0] == stage]
        assert calls, f"{stage} was called"
        for kind, key, value in table[1:]:
            expected = None if value == "null" else typed(kind, value)
            assert getattr(calls[0][2], key) == expected, f"{stage}: {key}"


@step(r"^evaluation options containing specific hooks$")
def _(world, table):
    hooks = [Noting(world.calls, "first"), Noting(world.calls, "second")]
    world.options = FlagEvaluationOptions(hooks=hooks)


@step(r"^the flag was evaluated with details using the evaluation options$")
def _(world, table):
    world.evaluate(world.kind, world.key, world.otherwise, True, world.options)


@step(r"^the specified hooks should execute during evaluation$")
def _(world, table):
    assert {stage for stage, _, _ in world.calls} == {"before", "after", "finally"}


@step(r"^the hook order should be maintained$")
def _(world, table):
    assert [f"{stage} {name}" for stage, name, _ in world.calls] == [
        "before first",
        "before second",
        "after second",
        "after first",
        "finally second",
        "finally first",
    ]


@step(r'^A context entry with key "(.+)" and value "(.+)" is added to the "(.+)" level$')
def _(world, table, key, value, level):
    world.levels.setdefault(level, {})[key] = value


@step(r"^A table with levels of increasing precedence$")
def _(world, table):
    world.precedence = [row[0] for row in table]


@step(
    r'^Context entries for each level from API level down to the "(.+)" level, '
    r'with key "(.+)" and value "(.+)"$'
)
def _(world, table, last, key, value):
    for level in world.precedence[: world.precedence.index(last) + 1]:
        world.levels.setdefault(level, {})[key] = level


@step(r"^Some flag was evaluated$")
def _(world, table):
    def level(name):
        return EvaluationContext(None, world.levels.get(name, {}))

    api.set_transaction_context_propagator(ContextVarsTransactionContextPropagator())
    set_evaluation_context(level("API"))
    api.set_transaction_context(level("Transaction"))
    world.client.context = level("Client")
    hooks = FlagEvaluationOptions(hooks=[Hooked(world.levels.get("Before Hooks", {}))])
    world.client.get_string_value("string-flag", "", level("Invocation"), hooks)


@step(r'^The merged context contains an entry with key "(.+)" and value "(.+)"$')
def _(world, table, key, value):
    assert world.provider.seen.attributes[key] == value


# The older suite.


@step(
    r'^an? (\w+) flag with key "([^"]+)" is evaluated with (details and )?(?:a )?(?:null )?'
    r'default value ?"?([^"]*)"?$'
)
def _(world, table, kind, key, details, otherwise):
    value = {} if otherwise == "" else typed(kind, otherwise)
    world.evaluate(kind.lower(), key, value, details is not None)


@step(r'^the resolved (boolean|string|integer|float) value should be "?([^"]*)"?$')
def _(world, table, kind, value):
    assert world.details.value == typed(kind, value)


@step(
    r'^the resolved \w+ details value should be "?([^",]*)"?, '
    r'the variant should be "(\w+)", and the reason should be "(\w+)"$'
)
def _(world, table, value, variant, reason):
    found = world.details
    expected = (typed(world.kind, value), variant, reason)
    assert (found.value, found.variant, found.reason) == expected


@step(r"^the resolved object (?:details )?value should be contain fields")
def _(world, table):
    title = "Check out these pics!"
    assert world.details.value == {"showImages": True, "title": title, "imagesPerPage": 100}


@step(r'^the variant should be "(\w+)", and the reason should be "(\w+)"$')
def _(world, table, variant, reason):
    assert (world.details.variant, world.details.reason) == (variant, reason)


@step(
    r'^context contains keys "fn", "ln", "age", "customer" '
    r'with values "(.+)", "(.+)", (\d+), "(\w+)"$'
)
def _(world, table, fn, ln, age, customer):
    world.context = {"fn": fn, "ln": ln, "age": int(age), "customer": customer == "true"}


@step(r'^a flag with key "(.+)" is evaluated with default value "(.+)"$')
def _(world, table, key, otherwise):
    world.key, world.otherwise = key, otherwise
    world.evaluate("string", key, otherwise, False)


@step(r'^the resolved string response should be "(.+)"$')
def _(world, table, value):
    assert world.details.value == value


@step(r'^the resolved flag value is "(.+)" when the context is empty$')
def _(world, table, value):
    world.context = {}
    world.evaluate("string", world.key, world.otherwise, False)
    assert world.details.value == value


@step(
    r'^a non-existent string flag with key "(.+)" is evaluated '
    r'with details and a fallback value "(.+)"$'
)
def _(world, table, key, otherwise):
    world.evaluate("string", key, otherwise, True)


@step(
    r'^a string flag with key "(.+)" is evaluated as an integer, '
    r"with details and a fallback value (\d+)$"
)
def _(world, table, key, otherwise):
    world.evaluate("integer", key, int(otherwise), True)


@step(r"^the default \w+ value should be returned$")
def _(world, table):
    assert world.details.value == world.fallback


@step(
    r"^the reason should indicate an error and the error code should indicate .+ "
    r'with "(\w+)"$'
)
def _(world, table, code):
    assert (world.details.reason, world.details.error_code) == ("ERROR", code)


@pytest.fixture(autouse=True)
def nobody_elses_state():
    Waiting.over.clear()
    yield
    Waiting.over.set()
    api.shutdown()


@pytest.mark.parametrize(
    "told", APPLYING, ids=[f"{one[0]}: {one[1]} {at}" for at, one in enumerate(APPLYING)]
)
def test_scenario(told):
    world = World()
    for text, rows in told[3]:
        found = next(((m, act) for pattern, act in STEPS if (m := pattern.search(text))), None)
        assert found, f"nobody knows how to: {text}"
        match, act = found
        act(world, rows, *match.groups())


def test_every_scenario_ran_or_does_not_apply_for_a_reason():
    against = [reason for one in ALL if (reason := reason_against(one[2], one[3]))]
    counted = {reason: against.count(reason) for reason in OTHERS}
    assert counted == OTHERS
    assert len(APPLYING) == 123


def test_an_exposure_is_told_and_an_event_tracked():
    client = testing.FakeClient({"hero": "warm"})
    api.set_provider_and_wait(RapportProvider(client))
    asked = api.get_client()
    context = EvaluationContext("a1", {"userId": "u1", "plan": "pro"})
    assert asked.get_string_value("hero", "plain", context) == "warm"
    key, visitor = client.asked[0]
    assert key == "hero"
    assert (visitor["anonymous_id"], visitor["user_id"]) == ("a1", "u1")
    assert visitor["attributes"]["plan"] == "pro"
    asked.track("Trial Started", context, TrackingEventDetails(12.5, {"seats": 3}))
    asked.track("Nobody did", EvaluationContext())
    assert [(one["event"], one["properties"]) for one in client.events] == [
        ("Trial Started", {"seats": 3, "value": 12.5})
    ]


def test_a_split_names_the_variation_and_the_bundle():
    rule = {"key": "test", "variations": ["a", "b"], "meta": [{"key": "x"}, {"key": "y"}]}
    bundle = testing.bundle(flags={"features": {"f": {"defaultValue": "a", "rules": [rule]}}})
    api.set_provider_and_wait(RapportProvider(bundle.engine()))
    found = api.get_client().get_string_details("f", "", EvaluationContext("u1"))
    assert (found.reason, found.variant in ("x", "y")) == ("SPLIT", True)
    assert found.flag_metadata == {"bundle": bundle.engine().bundle}


def test_a_context_that_cannot_be_read_costs_the_default_not_an_exception():
    rule = {"force": True, "condition": {"plan": "pro"}}
    engine = Engine.from_payload({"features": {"f": {"defaultValue": False, "rules": [rule]}}})
    api.set_provider_and_wait(RapportProvider(engine))
    found = api.get_client().get_boolean_details(
        "f", True, EvaluationContext(None, {"plan": object})
    )
    assert (found.value, found.error_code) == (True, "INVALID_CONTEXT")


def test_a_new_bundle_is_news():
    class Renewed(Client):
        def _newest(self):
            return testing.bundle(flags={"features": {"f": {"defaultValue": 1}}})

    heard = []
    client = Renewed("http://127.0.0.1:9", "wk_test", bundle=BUNDLE)
    api.set_provider_and_wait(RapportProvider(client))
    asked: OpenFeatureClient = api.get_client()
    asked.add_handler(
        ProviderEvent.PROVIDER_CONFIGURATION_CHANGED,
        lambda details: heard.append(details.flags_changed),
    )
    client.refresh()
    assert heard == [["f"]]
    assert asked.get_integer_value("f", 0) == 1
