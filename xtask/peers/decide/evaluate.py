"""Microseconds an evaluation in Python, ours and the peers' in one run; prints figures as JSON.

evaluate.py FOLDER: the peers' bench, of which a copy is made with ours in it.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PEERS = {"eppo-server-sdk": "eppo", "growthbook": "set_attributes per user"}


def main():
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "sdk"
        shutil.copytree(sys.argv[1], copy, ignore=shutil.ignore_patterns("node_modules"))
        (copy / "ours").mkdir(exist_ok=True)
        shutil.copy(Path(__file__).parent / "py_bench.py", copy / "ours")
        command = [sys.executable, "eval/bench.py", "OURS", *PEERS.values()]
        said = subprocess.run(command, cwd=copy, check=True, stdout=subprocess.PIPE, text=True)
        print(said.stdout, file=sys.stderr)
        results = json.loads((copy / "eval/results-py.json").read_text())
    took = {result["name"]: result["us"] for result in results}
    [ours] = [us for name, us in took.items() if name == "OURS"]
    for peer, word in PEERS.items():
        [theirs] = [us for name, us in took.items() if word in name]
        name = "evaluate_python_us" if peer == "eppo-server-sdk" else f"evaluate_python_us_{peer}"
        figure = {"name": name, "value": ours, "unit": "us", "peer": peer}
        print(json.dumps({**figure, "peer_value": theirs, "ratio": ours / theirs}))


main()
