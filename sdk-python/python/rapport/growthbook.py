"""For who comes from GrowthBook: its payloads, also where they are encrypted."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any


def decrypt(text: str, key: str) -> str:
    """What GrowthBook encrypted (AES-CBC, `iv.text`), under a workspace's decryption key.

    Needs the package `cryptography`. Raises ValueError where the key or the text is wrong.
    """
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        from cryptography.hazmat.primitives.padding import PKCS7
    except ImportError as error:
        raise ImportError("decryption needs cryptography: pip install cryptography") from error
    iv, dot, sealed = text.partition(".")
    if not dot:
        raise ValueError("the encrypted text has no `.` between its IV and the rest")
    try:
        key_bytes, iv_bytes, body = (
            base64.b64decode(part, validate=True) for part in (key, iv, sealed)
        )
    except binascii.Error as error:
        raise ValueError("the key or the encrypted text is not base 64") from error
    cipher = Cipher(algorithms.AES(key_bytes), modes.CBC(iv_bytes)).decryptor()
    padded = cipher.update(body) + cipher.finalize()
    padding = PKCS7(128).unpadder()
    return (padding.update(padded) + padding.finalize()).decode()


def decrypted(payload: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A payload with its encrypted members (`encryptedFeatures` …) decrypted."""
    plain = dict(payload)
    for name in ("Features", "Experiments", "SavedGroups"):
        sealed = plain.pop(f"encrypted{name}", None)
        if sealed is not None:
            plain[name[0].lower() + name[1:]] = json.loads(decrypt(sealed, key))
    return plain
