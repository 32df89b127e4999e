"""What experience_reference.py stands on: where visitors fall, conditions, addresses.

Conditions mean here what the cases need of them; GrowthBook's own cases say the rest.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime, timezone
from typing import Any

Json = Any

# ---------------------------------------------------------------- where a visitor falls


def units(text: str) -> list[int]:
    """As JavaScript sees a text."""
    data = text.encode("utf-16-le")
    return [data[at] | data[at + 1] << 8 for at in range(0, len(data), 2)]


def fnv(text: str) -> int:
    value = 0x811C9DC5
    for unit in units(text):
        value = (value ^ unit) * 0x01000193 % 2**32
    return value


def murmur(data: bytes, seed: int) -> int:
    def scrambled(block: int) -> int:
        block = block * 0xCC9E2D51 % 2**32
        return (block << 15 | block >> 17) % 2**32 * 0x1B873593 % 2**32

    value, whole = seed, len(data) // 4 * 4
    for at in range(0, whole, 4):
        value ^= scrambled(int.from_bytes(data[at : at + 4], "little"))
        value = ((value << 13 | value >> 19) % 2**32 * 5 + 0xE6546B64) % 2**32
    value ^= scrambled(int.from_bytes(data[whole:], "little")) ^ len(data)
    value = (value ^ value >> 16) * 0x85EBCA6B % 2**32
    value = (value ^ value >> 13) * 0xC2B2AE35 % 2**32
    return value ^ value >> 16


def place(seed: str, value: str, version: int) -> float | None:
    if version == 1:
        return fnv(value + seed) % 1000 / 1000
    if version == 2:
        return fnv(str(fnv(seed + value))) % 10_000 / 10_000
    if version == 3:
        return murmur(value.encode(), murmur(seed.encode(), 0)) / 2**32
    return None


def ranges_of(count: int, coverage: float, weights: list[float] | None) -> list[tuple[float, float]]:
    if weights is None or len(weights) != count or not 0.99 <= sum(weights) <= 1.01:
        weights = [1 / count] * count if count else []
    out, start = [], 0.0
    for weight in weights:
        out.append((start, start + min(max(coverage, 0), 1) * weight))
        start += weight
    return out


def chosen(ranges: list[Any], at: float) -> int | None:
    return next((number for number, (start, end) in enumerate(ranges) if start <= at < end), None)


# ---------------------------------------------------------------- conditions


def text(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "null" if value is None else str(value)


def truthy(value: Json) -> bool:
    return isinstance(value, (list, dict)) or bool(value)


def instant(value: Json) -> int | None:
    if isinstance(value, (int, float)):
        return int(value)
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return round((time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp() * 1000)


def is_number(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def version(value: Json) -> str:
    parts = re.split(r"[-.]", re.sub(r"(^v|\+.*$)", "", text(value)))
    if len(parts) == 3:
        parts.append("~")
    return "-".join(part.rjust(5) if part.isdigit() else part for part in parts)


def in_network(address: Json, networks: Json) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    # An IPv4 address may be written as an IPv6 one.
    found = getattr(found, "ipv4_mapped", None) or found
    nets = [ipaddress.ip_network(one, strict=False) for one in (networks if isinstance(networks, list) else [networks])]
    return any(found in net for net in nets)


COMPARED = {
    "lt": lambda one, other: one < other,
    "lte": lambda one, other: one <= other,
    "gt": lambda one, other: one > other,
    "gte": lambda one, other: one >= other,
    "eq": lambda one, other: one == other,
    "ne": lambda one, other: one != other,
}


class Refused(Exception):
    """Nothing can be made of an operator: it holds of nobody."""


def holds_operator(name: str, wanted: Json, value: Json, groups: dict[str, list[Json]]) -> bool:
    word = name[1:]
    if word in ("lt", "lte", "gt", "gte"):
        if isinstance(value, str) != isinstance(wanted, str):
            value, wanted = float(value or 0), float(wanted)
        value = 0 if value is None else value
        return COMPARED[word](value, wanted)
    if word in ("eq", "ne"):
        return (value == wanted) == (word == "eq")
    if word.startswith("v") and word[1:] in COMPARED:
        return COMPARED[word[1:]](version(value if value is not None else "0"), version(wanted))
    if word in ("in", "nin", "inGroup", "notInGroup"):
        members = groups.get(wanted, []) if word.endswith("Group") else wanted
        if not isinstance(members, list):
            raise Refused
        met = any(one in members for one in (value if isinstance(value, list) else [value]))
        return met == (word in ("in", "inGroup"))
    if word == "exists":
        return (value is not None) == wanted
    if word in ("regex", "regexi", "notRegex", "notRegexi"):
        if "(?" in wanted or re.search(r"\\\d", wanted):
            raise Refused
        found = re.search(wanted, text(value), re.IGNORECASE if word.endswith("i") else 0)
        return (found is not None) == word.startswith("regex")
    if word in ("cidr", "notCidr"):
        return in_network(value, wanted) == (word == "cidr")
    if word in ("before", "after"):
        time = instant(value)
        return time is not None and (time >= instant(wanted)) == (word == "after")
    if word == "not":
        return not holds_test(wanted, value, groups)
    if word == "size":
        return isinstance(value, list) and holds_test(wanted, len(value), groups)
    if word == "elemMatch":
        def one(item: Json) -> bool:
            operators = all(member.startswith("$") for member in wanted)
            return truthy(item) and (holds_test(wanted, item, groups) if operators else holds(wanted, item, groups))
        return isinstance(value, list) and any(one(item) for item in value)
    if word == "all":
        return isinstance(value, list) and all(any(holds_test(each, item, groups) for item in value) for each in wanted)
    if word == "type":
        return wanted == ("null" if value is None else "array" if isinstance(value, list) else "object" if isinstance(value, dict)
                          else "boolean" if isinstance(value, bool) else "number" if is_number(value) else "string")  # fmt: skip
    raise Refused


def holds_test(wanted: Json, value: Json, groups: dict[str, list[Json]]) -> bool:
    if isinstance(wanted, dict) and wanted and all(name.startswith("$") for name in wanted):
        for name, operand in wanted.items():
            try:
                if not holds_operator(name, operand, value, groups):
                    return False
            except Refused:
                return False
        return True
    return value == wanted and (isinstance(value, bool) == isinstance(wanted, bool))


def at_path(value: Json, path: str) -> Json:
    for name in path.split(".") if path else []:
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, dict):
            value = value.get(name)
        else:
            return None
    return value


def holds(condition: Json, of: Json, groups: dict[str, list[Json]]) -> bool:
    return failing(condition, of, groups) is None


def failing(condition: Json, of: Json, groups: dict[str, list[Json]]) -> str | None:
    """The path of the first test that fails, where the condition does not hold."""
    for name, wanted in condition.items():
        if name == "$and":
            fault = next((fault for one in wanted if (fault := failing(one, of, groups)) is not None), None)
        elif name in ("$or", "$nor"):
            faults = [failing(one, of, groups) for one in wanted]
            met = not faults or None in faults
            fault = None if met else faults[0]
            if name == "$nor":
                fault = first(wanted[0]) if met else None
        elif name == "$not":
            fault = first(wanted) if failing(wanted, of, groups) is None else None
        else:
            fault = None if holds_test(wanted, at_path(of, name), groups) else name
        if fault is not None:
            return fault
    return None


def first(condition: Json) -> str:
    """The path of the first test there is."""
    name, wanted = next(iter(condition.items()))
    if name in ("$and", "$or", "$nor"):
        return first(wanted[0])
    return first(wanted) if name == "$not" else name


# ---------------------------------------------------------------- addresses


def split_address(address: str) -> tuple[str, str, str, list[tuple[str, str]], str]:
    """Scheme, host, path, parameters and fragment."""
    rest, _, fragment = address.partition("#")
    rest, _, query = rest.partition("?")
    scheme, mark, behind = rest.partition("://")
    host, path = "", rest
    if mark:
        host, slash, path = behind.partition("/")
        path = slash + path
    pairs = [(pair.partition("=")[0], pair.partition("=")[2]) for pair in query.split("&") if pair]
    return scheme if mark else "", host, path, pairs, fragment


def like(pattern: str, found: str) -> bool:
    whole = ".*".join(re.escape(piece) for piece in pattern.lower().split("*"))
    return re.fullmatch(whole, found.lower(), re.DOTALL) is not None


def on_page(pattern: Json, address: str) -> bool:
    if pattern["type"] == "regex":
        scheme, host, *_ = split_address(address)
        origin = f"{scheme}://{host}"
        return any(re.search(pattern["pattern"], part) for part in (address, address.removeprefix(origin)))
    simple = pattern["pattern"]
    if "://" not in simple and "." in re.split("[:/?]", simple)[0]:
        simple = f"https://{simple}"
    _, host, path, pairs, _ = split_address(simple)
    _, own_host, own_path, own_pairs, _ = split_address(address)
    return (not host or like(host, own_host)) and like(path.strip("/"), own_path.strip("/")) and all(like(value, dict(own_pairs).get(name, "")) for name, value in pairs)


def on_pages(patterns: list[Json], address: str) -> bool:
    including = [one for one in patterns if one.get("include", True)]
    excluding = [one for one in patterns if not one.get("include", True)]
    return not any(on_page(one, address) for one in excluding) and (not including or any(on_page(one, address) for one in including))


def redirected(start: str, to: str, keep_query: bool) -> str:
    if not keep_query:
        return to
    known = {name for name, _ in split_address(to)[3]}
    more = "&".join(f"{name}={value}" for name, value in split_address(start)[3] if name not in known)
    head, mark, fragment = to.partition("#")
    return head + (("&" if "?" in head else "?") + more if more else "") + mark + fragment
