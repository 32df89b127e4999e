"""Peers of the scoring figures: LightGBM and shap, on the model and the rows that we score.

prepare FOLDER DATA   writes the table to train on and the rows to score, prints where LightGBM's library is
shap FOLDER           explains exported.txt (our stored model) in f64, writes shap.f64, prints its time
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import lightgbm as lgb
import numpy as np
import pandas as pd
import shap

SIGNALS, ROWS, MISSING = 50, 10_000, 0.1
CATEGORIES = ["job", "education", "month", "day_of_week", "poutcome"]


def table(data: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Bank marketing, honest columns, widened by derived ones to 50 signals of which 5 are categories."""
    raw = pd.read_csv(f"{data}/leads/bank_additional_train.csv")
    target = (raw.pop("y") == "yes").to_numpy().astype(float)
    raw = raw.drop(columns=["row_id", "duration"])
    columns = {name: raw.pop(name).astype("category").cat.codes.astype(float) for name in CATEGORIES}
    numbers = {
        name: column.astype(float) if column.dtype.kind in "if" else column.astype("category").cat.codes.astype(float)
        for name, column in raw.items()
    }
    names = [name for name in numbers if raw[name].nunique() > 3]
    random = np.random.default_rng(7)
    columns |= numbers
    while len(columns) < SIGNALS:
        a, b = random.choice(names, 2, replace=False)
        noise = random.normal(0, 0.3 * numbers[a].std(), len(raw))
        kind = len(columns) % 3
        derived = numbers[a] * numbers[b] if kind == 0 else numbers[a] + noise if kind == 1 else numbers[a] / (1 + numbers[b].abs())
        columns[f"{a}_{b}_{len(columns)}"] = derived
    frame = pd.DataFrame(columns)
    frame = frame.mask(random.random(frame.shape) < MISSING)
    return frame, target


def prepare(folder: str, data: str) -> None:
    frame, target = table(data)
    levels = [int(frame[name].max()) + 1 if name in CATEGORIES else 0 for name in frame]
    columns = [f"{count} {name}\n" for count, name in zip(levels, frame)]
    Path(f"{folder}/columns.txt").write_text("".join(columns))
    np.column_stack([target, frame.to_numpy(np.float64)]).tofile(f"{folder}/table.f64")
    frame.drop_duplicates().sample(ROWS, random_state=3).to_numpy(np.float64).tofile(f"{folder}/values.f64")
    print(Path(lgb.__file__).parent / "lib/lib_lightgbm.so")


def explain(folder: str) -> None:
    booster = lgb.Booster(model_file=f"{folder}/exported.txt")
    rows = np.fromfile(f"{folder}/exported_rows.f64").reshape(ROWS, -1)
    explainer = shap.TreeExplainer(booster)
    few = rows[:500]
    best = min(timed(explainer, few) for _ in range(5))
    values = explainer.shap_values(rows)
    np.asarray(values).tofile(f"{folder}/shap.f64")
    print(json.dumps({"us": best / len(few) * 1e6}))


def timed(explainer: shap.TreeExplainer, rows: np.ndarray) -> float:
    # One thread's own time: half a second of the clock is never undisturbed on a busy machine.
    start = time.process_time()
    explainer.shap_values(rows)
    return time.process_time() - start


if __name__ == "__main__":
    command, folder, *rest = sys.argv[1:]
    prepare(folder, *rest) if command == "prepare" else explain(folder)
