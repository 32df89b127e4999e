"""Published bundles: fetched, kept in a file, opened."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._engine import BundleError, Engine, Exposure
from ._http import Address, get


@dataclass(frozen=True)
class Bundle:
    """A signed manifest and the parts that it names; `engine` checks both."""

    manifest: str
    """The JSON that is signed, as it was signed."""
    signature: str
    """Ed25519, in base 64."""
    public_key: str
    """What the signature is verified with, in base 64."""
    parts: Mapping[str, bytes]
    """By the SHA-256 of each, in hex."""

    @classmethod
    def fetch(
        cls,
        server: str,
        key: str,
        *,
        public_key: str | None = None,
        held: Bundle | None = None,
        timeout: float = 10.0,
        secret_key: str | None = None,
    ) -> Bundle:
        """The bundle that is published now; parts that `held` has already are not fetched again.

        `key` is the write key; with `secret_key` (owner, admin or developer) comes a model that no
        page may have. Where `public_key` is left out, `held`'s counts, and else the one
        that the server names: trust it over https, or pin it.
        """
        address = Address(server, timeout)
        told = _object(get(address, f"/v1/sdk/{key}.json"))
        if told.get("manifest") is None:
            raise BundleError("nothing is published yet: publish a bundle first")
        manifest = _text(told, "manifest")
        known = dict(held.parts) if held else {}
        parts = {}
        secret = {"authorization": f"Bearer {secret_key}"}
        for hash, public in _named(manifest):
            if hash in known:
                parts[hash] = known[hash]
            elif public:
                parts[hash] = get(address, f"/v1/parts/{key}/{hash}.bin")
            elif secret_key is not None:
                parts[hash] = get(address, f"/v1/bundles/parts/{hash}", secret)
        pinned = public_key or (held.public_key if held else None)
        trusted = pinned or _text(told, "publicKey")
        return cls(manifest, _text(told, "signature"), trusted, parts)

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, public_key: str | None = None) -> Bundle:
        """A bundle that `save` wrote; needs no network."""
        held = _object(Path(path).read_bytes())
        parts = held.get("parts")
        if not isinstance(parts, dict):
            raise BundleError(f"{path} is no bundle: it has no `parts`")
        decoded = {hash: base64.b64decode(part) for hash, part in parts.items()}
        trusted = public_key or _text(held, "publicKey")
        return cls(_text(held, "manifest"), _text(held, "signature"), trusted, decoded)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Keeps the bundle in one file, put in place whole, so that no reader sees half of it."""
        held = {
            "manifest": self.manifest,
            "signature": self.signature,
            "publicKey": self.public_key,
            "parts": {hash: base64.b64encode(part).decode() for hash, part in self.parts.items()},
        }
        target = Path(path)
        handle, scratch = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(held, file)
        os.replace(scratch, target)

    def engine(
        self,
        *,
        model: str | None = None,
        locale: str | None = None,
        on_exposure: Callable[[Exposure], object] | None = None,
    ) -> Engine:
        """Checks signature and hashes, and opens what decides. Raises BundleError."""
        return Engine.open(
            self.manifest.encode(),
            self.signature,
            self.public_key,
            dict(self.parts),
            model=model,
            locale=locale,
            on_exposure=on_exposure,
        )


def _named(manifest: str) -> list[tuple[str, bool]]:
    """The hashes of the parts that an engine opens, and whether everybody may read them."""
    parts = _object(manifest).get("parts", [])
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise BundleError("the manifest names no parts")
    # A brought model runs on the server.
    parts = [part for part in parts if part.get("kind") != "brought"]
    named = [(part.get("hash"), part.get("public") is True) for part in parts]
    # They become part of an address before the signature is checked.
    if not all(isinstance(hash, str) and hash.isalnum() for hash, _ in named):
        raise BundleError("the manifest names a part by what is no hash")
    return named


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BundleError(f"this is no bundle: {error}") from error
    if not isinstance(found, dict):
        raise BundleError("this is no bundle: it is no JSON object")
    return found


def _text(held: Mapping[str, Any], name: str) -> str:
    found = held.get(name)
    if not isinstance(found, str):
        raise BundleError(f"this is no bundle: it has no `{name}`")
    return found
