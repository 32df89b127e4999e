"""Runs the README's code where nothing but the wheel is installed."""

import importlib.util
import re
from pathlib import Path

import rapport

readme = Path(__file__).parent.parent / "README.md"
blocks = re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
assert blocks, "the README shows no code"
for block in blocks:
    exec(compile(block, str(readme), "exec"), {})
package = Path(rapport.__file__).parent
assert (package / "py.typed").exists() and (package / "_engine.pyi").exists(), "it is not typed"
for other in ("cryptography", "openfeature"):
    assert importlib.util.find_spec(other) is None, f"{other} is installed: nothing here is clean"
print(f"ok      sdk-python clean: {len(blocks)} blocks of the README ran")
