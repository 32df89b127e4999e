import base64
import hashlib
import hmac
import json
from datetime import datetime, timezone

import pytest

from rapport import identity_token

NOW = datetime(2026, 11, 23, 12, tzinfo=timezone.utc).timestamp()


def claims(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def test_a_token_holds_who_until_when_and_for_which_workspace_under_the_secrets_signature():
    token = identity_token("secret", "u1", expires_in=60, workspace="w1", now=NOW)
    version, payload, signature = token.split(".")
    assert version == "v1"
    assert claims(token) == {"sub": "u1", "exp": NOW + 60, "wid": "w1"}
    digest = hmac.new(b"secret", f"v1.{payload}".encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(signature + "=") == digest


def test_the_same_input_gives_the_same_token_on_every_host():
    assert identity_token("secret", "Ünïcode", expires_in=3600, now=NOW) == (
        "v1.eyJzdWIiOiLDnG7Dr2NvZGUiLCJleHAiOjE3OTU0Mzg4MDB9"
        ".f_sg0A2apf_j6heUej4pppC9_Mr99f9IxdUr2Lp6z9s"
    )


def test_a_token_lasts_an_hour_where_nothing_else_is_said():
    assert claims(identity_token("secret", "u1", now=NOW))["exp"] == NOW + 3600


def test_nobody_and_no_secret_are_refused_in_words():
    with pytest.raises(ValueError, match="secret is empty"):
        identity_token("", "u1")
    with pytest.raises(ValueError, match="user id is empty"):
        identity_token("secret", "")
