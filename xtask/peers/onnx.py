"""onnxruntime beside our engine for ONNX: microseconds a probability of one row, best of many rounds.

    onnx.py MODEL.onnx ROWS.json

One thread, as a server has for a request; the row stands ready as onnxruntime reads it.
"""

import json
import sys
import time

# Not this file, which stands first on the path.
sys.path.pop(0)
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402

model, rows = sys.argv[1:]
with open(rows) as file:
    card = json.load(file)
width = len(card["signals"])
rows = [np.array([row[:width]], np.float32) for row in card["rows"]]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
best = float("inf")
for _ in range(200):
    start = time.perf_counter()
    for row in rows:
        session.run(None, {name: row})
    best = min(best, (time.perf_counter() - start) * 1e6 / len(rows))
print(best)
