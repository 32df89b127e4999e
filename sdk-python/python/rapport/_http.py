"""HTTP by the standard library, one connection a request."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from ._engine import RapportError

# Larger than any part that a server publishes.
MOST_BYTES = 64 * 1024 * 1024


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

    def __init__(self, status: int, detail: str, retry_after: float | None, type: str = "") -> None:
        super().__init__(f"the server answered {status}: {detail}")
        self.status = status
        self.retry_after = retry_after
        self.type = type


class Unreachable(RapportError):
    """No answer came."""


class Slow(Unreachable):
    """None came in time."""


class Garbled(Unreachable):
    """What came is no answer."""


def get(address: Address, path: str, headers: dict[str, str] | None = None) -> bytes:
    return _send(urllib.request.Request(address.at(path), headers=headers or {}), address.timeout)


def post(address: Address, path: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    headers = {"content-type": "application/json", **headers}
    request = urllib.request.Request(address.at(path), body, headers, method="POST")
    try:
        answer = json.loads(_send(request, address.timeout))
    except ValueError as error:
        raise Garbled(f"{request.host} answers what is no JSON: {error}") from error
    return answer if isinstance(answer, dict) else {}


def _send(request: urllib.request.Request, timeout: float) -> bytes:
    ends = time.monotonic() + timeout
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return _read(response, request.host, ends)
    except urllib.error.HTTPError as error:
        with error:
            text = error.read(4096).decode(errors="replace")
        try:
            problem = json.loads(text)
            detail, type = problem.get("detail", text), str(problem.get("type", ""))
        except (ValueError, AttributeError):
            detail, type = text, ""
        after = error.headers.get("Retry-After", "")
        retry_after = float(after) if after.isdigit() else None
        raise Refused(error.code, detail, retry_after, type) from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        why = getattr(error, "reason", error)
        if isinstance(why, TimeoutError):
            raise Slow(f"{request.host} does not answer within {timeout} s") from error
        raise Unreachable(f"{request.host} does not answer: {why}") from error


def _read(response: http.client.HTTPResponse, host: str, ends: float) -> bytes:
    """All of it: a timeout of sockets ends nobody who sends a byte now and then, or for ever."""
    chunks: list[bytes] = []
    size = 0
    while chunk := response.read1(65_536):
        chunks.append(chunk)
        size += len(chunk)
        if size > MOST_BYTES:
            raise Garbled(f"{host} answers more than {MOST_BYTES} bytes")
        if time.monotonic() > ends:
            raise Slow(f"{host} takes too long to say all of its answer")
    if response.length:
        raise Unreachable(f"{host} broke off its answer")
    return b"".join(chunks)
