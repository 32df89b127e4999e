"""The code is typed, and the stubs say what the engine has."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent
SCRIPTS = ("run.py", "experiences.py", "gbstats.py", "growthbook.py")
CASES = [str(FOLDER.parent / "conformance" / name) for name in SCRIPTS]

# What `testing` is stands in the stub as a class, and what a stub exports it does not say.
KNOWN = r"rapport\._engine\.(testing.*|__all__)"

CALLER = """
import rapport

visitor: rapport.Visitor = {"anonymous_id": "a1", "attributes": {"plan": "pro"}}
engine = rapport.Bundle.fetch("https://rapport.example", "wk_live_1").engine()
decision = engine.decide(visitor)
score: int | None = decision.score
why: list[str] = decision.why
reveal_type(engine.feature("hero", visitor).source)
wrong: rapport.Visitor = {"atributes": {}}
"""


def ran(*command):
    run = subprocess.run(
        [sys.executable, "-m", *command], cwd=FOLDER, capture_output=True, text=True, timeout=300
    )
    return run.returncode, run.stdout + run.stderr


@pytest.mark.parametrize("check", [["check"], ["format", "--check"]])
def test_the_code_is_clean(check):
    code, said = ran(
        "ruff", *check, "--quiet", "--no-cache", "--config", "pyproject.toml", ".", *CASES
    )
    assert code == 0, said


def test_the_package_is_typed_strictly(tmp_path):
    code, said = ran("mypy", "--cache-dir", str(tmp_path))
    assert code == 0, said


def test_the_stubs_say_what_the_engine_has(tmp_path):
    known = tmp_path / "known.txt"
    known.write_text(KNOWN)
    code, said = ran("mypy.stubtest", "rapport._engine", "--allowlist", str(known))
    assert code == 0, said


def test_a_callers_mistakes_are_found(tmp_path):
    caller = tmp_path / "caller.py"
    caller.write_text(CALLER)
    code, said = ran("mypy", "--cache-dir", str(tmp_path), "--config-file", "", str(caller))
    errors = [line for line in said.splitlines() if "error:" in line]
    assert code == 1
    assert len(errors) == 1 and "atributes" in errors[0], said
    assert "unknownFeature" in said
