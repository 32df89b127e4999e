"""Writes the cases of the suite `experiences`: python3 conformance/experience_cases.py [--write]

Expected values come from experience_reference.py. With --write the bundles beside the cases are compiled
and signed anew as well, which takes the Python SDK.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

from experience_suites import SUITES, Json, Suite
from experience_visitors import BUNDLE, MODEL

HERE = Path(__file__).parent
CASES = HERE / "cases" / "experiences"


def listed(cases: list[Json]) -> str:
    return "[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]"


def main() -> int:
    writes = "--write" in sys.argv[1:]
    suites = [make() for make in SUITES]
    files = {"bundle.json": json.dumps(BUNDLE, ensure_ascii=False, indent=1) + "\n"}
    for suite in suites:
        names = [case["name"] for case in suite.cases]
        assert len(set(names)) == len(names), f"{suite.name}: two cases of one name"
        head = json.dumps({"about": suite.about, "flags": suite.flags, "problems": suite.problems}, ensure_ascii=False, indent=1)
        files[f"{suite.name}.json"] = f'{head[:-2]},\n "cases": {listed(suite.cases)}\n}}\n'
    stale = [name for name, text in files.items() if not (CASES / name).exists() or (CASES / name).read_text(encoding="utf-8") != text]
    if writes:
        for name in stale:
            (CASES / name).write_text(files[name], encoding="utf-8")
        for suite in suites:
            write_bundle(suite)
    total = sum(len(suite.cases) for suite in suites)
    listed_cases = next(one["cases"] for one in json.loads((HERE / "index.json").read_text())["suites"] if one["name"] == "experiences")
    print(f"{total} cases" + (f"; stale: {', '.join(stale)}: run with --write" if stale and not writes else "") + (f"; index.json lists {listed_cases}" if listed_cases != total else ""))
    return 1 if stale and not writes or listed_cases != total else 0


def write_bundle(suite: Suite) -> None:
    # What is broken is wanted here, which `rapport.testing.bundle` refuses.
    from rapport._engine import testing

    model = (HERE / "models" / f"{MODEL}.rpm").read_bytes()
    manifest, signature, public_key, parts, _ = testing.compile_bundle(BUNDLE | {"flags": suite.flags}, {MODEL: model}, bytes(32))
    encoded = {hash: base64.b64encode(part).decode() for hash, part in sorted(parts.items())}
    file = {"manifest": manifest, "signature": signature, "publicKey": public_key, "parts": encoded}
    (CASES / f"{suite.name}.rapport").write_text(json.dumps(file) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
