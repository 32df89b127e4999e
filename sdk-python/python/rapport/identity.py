"""Proofs of who is signed in, made by the customer's own server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time


def identity_token(
    secret: str | bytes,
    user_id: str,
    *,
    expires_in: int = 3600,
    workspace: str | None = None,
    now: float | None = None,
) -> str:
    """A token that proves a `user_id`; the page gives it to `identify(userId, traits, {token})`.

    The secret never leaves the server. `expires_in` is in seconds; `workspace` binds the token to
    one; `now` is in seconds since 1970, the clock where left out.
    """
    if not secret:
        raise ValueError("the identity secret is empty: copy it from the workspace's settings")
    if not user_id:
        raise ValueError("the user id is empty: nobody can be proved by it")
    moment = time.time() if now is None else now
    claims: dict[str, str | int] = {"sub": user_id, "exp": int(moment // 1) + expires_in}
    if workspace is not None:
        claims["wid"] = workspace
    written = json.dumps(claims, ensure_ascii=False, separators=(",", ":"))
    signed = f"v1.{_base64url(written.encode())}"
    key = secret.encode() if isinstance(secret, str) else secret
    signature = hmac.new(key, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64url(signature)}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
