"""HTTP by the standard library, one connection a request."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from ._engine import RapportError


@dataclass(frozen=True)
class Address:
    server: str
    timeout: float

    def __post_init__(self) -> None:
        if not self.server.startswith(("https://", "http://")):
            raise ValueError(f"`{self.server}` is no server: write it as https://rapport.example")

    def at(self, path: str) -> str:
        return self.server.rstrip("/") + path


class Refused(RapportError):
    """The server answered, and not with yes."""

    def __init__(self, status: int, detail: str, retry_after: float | None) -> None:
        super().__init__(f"the server answered {status}: {detail}")
        self.status = status
        self.retry_after = retry_after


class Unreachable(RapportError):
    """No answer came."""


def get(address: Address, path: str) -> bytes:
    return _send(urllib.request.Request(address.at(path)), address.timeout)


def post(address: Address, path: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    headers = {"content-type": "application/json", **headers}
    request = urllib.request.Request(address.at(path), body, headers, method="POST")
    answer = json.loads(_send(request, address.timeout))
    return answer if isinstance(answer, dict) else {}


def _send(request: urllib.request.Request, timeout: float) -> bytes:
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            body: bytes = response.read()
            return body
    except urllib.error.HTTPError as error:
        with error:
            text = error.read(4096).decode(errors="replace")
        try:
            detail = json.loads(text).get("detail", text)
        except (ValueError, AttributeError):
            detail = text
        after = error.headers.get("Retry-After", "")
        retry_after = float(after) if after.isdigit() else None
        raise Refused(error.code, detail, retry_after) from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        why = getattr(error, "reason", error)
        raise Unreachable(f"{request.host} does not answer: {why}") from error
