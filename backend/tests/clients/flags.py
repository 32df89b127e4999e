"""Reads flags with GrowthBook's and OpenFeature's own libraries; says `change` where one may be pushed."""

import sys
import time


def growthbook(url: str, key: str) -> None:
    from growthbook import GrowthBook, feature_repo

    exposed = []
    client = GrowthBook(
        attributes={"id": "1", "country": "DE"},
        api_host=url,
        client_key=key,
        streaming=True,
        on_experiment_viewed=lambda experiment, result, **_: exposed.append((experiment.key, result.value)),
    )
    client.load_features()
    assert client.get_feature_value("banner", "?") == "on"
    hero = client.get_feature_value("hero", "?")
    assert exposed == [("headline", hero)], exposed
    print("change", flush=True)
    end = time.monotonic() + 20
    while client.get_feature_value("banner", "?") != "pushed":
        assert time.monotonic() < end, "nothing was pushed for 20 s"
        time.sleep(0.02)
    feature_repo.stopAutoRefresh(timeout=5)
    client.destroy()


def ofrep(url: str, key: str) -> None:
    from openfeature import api
    from openfeature.contrib.provider.ofrep import OFREPProvider
    from openfeature.evaluation_context import EvaluationContext

    api.set_provider(OFREPProvider(url, headers_factory=lambda: {"Authorization": f"Bearer {key}"}))
    client = api.get_client()
    german = EvaluationContext("1", {"country": "DE"})
    banner = client.get_string_details("banner", "?", german)
    assert (banner.value, banner.reason, banner.variant) == ("on", "TARGETING_MATCH", "germans"), banner
    hero = client.get_string_details("hero", "?", german)
    assert hero.reason == "SPLIT" and hero.flag_metadata["experimentId"] == "headline", hero
    assert client.get_object_value("layout", {}, german) == {"columns": 2}
    missing = client.get_boolean_details("nothing", True, german)
    assert missing.value is True and missing.error_code == "FLAG_NOT_FOUND", missing
    api.shutdown()


{"growthbook": growthbook, "ofrep": ofrep}[sys.argv[1]](*sys.argv[2:])
