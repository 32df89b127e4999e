"""What `rapport train` and the usual trainers reach on the same folds: one figure a line, as JSON.

    train.py DATA_DIR --rapport BINARY [--timing BINARY] [--sets xeducation,shoppers,bank] [--peers ...]

The peers are untuned, with native categoricals. Each fold's rows go to `rapport` as CSV files with
the lines of the original, so that what is measured is what a user gets.

A fold is a rule, not a file: within a class, rows are ordered by splitmix64(seed, row) and dealt
out in turn.
"""
import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score

FOLDS, SEEDS, THREADS = 5, (1, 2, 3), 2
MASK = (1 << 64) - 1

SETS = {
    "xeducation": dict(
        file="leads/xeducation_train.csv",
        target="Converted",
        positive="1",
        missing=["", "Select"],
        exclude=[
            "row_id", "Prospect ID", "Lead Number", "Tags", "Lead Quality", "Lead Profile",
            "Asymmetrique Activity Index", "Asymmetrique Profile Index", "Asymmetrique Activity Score",
            "Asymmetrique Profile Score", "Last Notable Activity",
        ],
    ),
    "shoppers": dict(
        file="leads/online_shoppers_train.csv", target="Revenue", positive="TRUE", missing=[""], exclude=["row_id"]
    ),
    "bank": dict(
        file="leads/bank_additional_train.csv", target="y", positive="yes", missing=[""], exclude=["row_id", "duration"]
    ),
}


def splitmix64(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def folds(y, seed):
    """Fold number of every row."""
    out = np.zeros(len(y), dtype=int)
    for label in (0, 1):
        rows = np.flatnonzero(y == label)
        start = splitmix64(seed)
        keys = [splitmix64(start ^ int(row)) for row in rows]
        order = sorted(range(len(rows)), key=lambda i: (keys[i], rows[i]))
        for place, i in enumerate(order):
            out[rows[i]] = place % FOLDS
    return out


def table(data, name):
    spec = SETS[name]
    raw = pd.read_csv(data / spec["file"], dtype=str, keep_default_na=False)
    y = (raw[spec["target"]] == spec["positive"]).to_numpy().astype(int)
    x = raw.drop(columns=[spec["target"], *spec["exclude"]])
    categories = []
    for column in x:
        values = x[column].mask(x[column].isin(spec["missing"]))
        try:
            x[column] = pd.to_numeric(values).astype(float)
        except ValueError:
            x[column] = values.astype("category")
            categories.append(column)
    return x, y, categories


def rapport(binary, data, name, train, test, folder):
    """Probabilities and bands of the rows `test`, learnt from the rows `train`."""
    spec = SETS[name]
    lines = (data / spec["file"]).read_text().splitlines(keepends=True)
    parts = [folder / "train.csv", folder / "test.csv"]
    for path, rows in zip(parts, (train, test)):
        path.write_text(lines[0] + "".join(lines[row + 1] for row in np.flatnonzero(rows)))
    model, scores = folder / "model.rpm", folder / "scores.csv"
    command = [binary, "train", "--input", parts[0], "--target", spec["target"], "--out", model]
    subprocess.run([*command, "--exclude", ",".join(spec["exclude"])], check=True, stderr=subprocess.DEVNULL)
    subprocess.run([binary, "score", "--model", model, "--input", parts[1], "--out", scores], check=True)
    table = pd.read_csv(scores)
    return table["probability"].to_numpy(), table["band"].to_numpy()


def lightgbm(x, y, test, categories):
    import lightgbm as lgb

    model = lgb.LGBMClassifier(n_jobs=THREADS, verbosity=-1).fit(x, y)
    return model.predict_proba(test)[:, 1]


def xgboost(x, y, test, categories):
    import xgboost as xgb

    model = xgb.XGBClassifier(enable_categorical=True, n_jobs=THREADS).fit(x, y)
    return model.predict_proba(test)[:, 1]


def catboost(x, y, test, categories):
    from catboost import CatBoostClassifier

    def text(frame):
        frame = frame.copy()
        for column in categories:
            frame[column] = frame[column].astype(object).where(frame[column].notna(), "missing")
        return frame

    model = CatBoostClassifier(thread_count=THREADS, verbose=0, allow_writing_files=False, cat_features=categories)
    model.fit(text(x), y)
    return model.predict_proba(text(test))[:, 1]


def perpetual(x, y, test, categories):
    from perpetual import PerpetualBooster

    model = PerpetualBooster(objective="LogLoss", num_threads=THREADS)
    model.fit(x, y)
    return np.asarray(model.predict_proba(test))[:, 1]


def calibration_error(y, p, bins=10):
    """Mean |observed − predicted| over ten equally wide bins, weighted by rows."""
    at = np.minimum((p * bins).astype(int), bins - 1)
    return sum(abs(y[at == b].mean() - p[at == b].mean()) * (at == b).sum() for b in range(bins) if (at == b).any()) / len(y)


def quality(y, p):
    p = np.clip(p, 1e-15, 1 - 1e-15)
    return dict(auc=roc_auc_score(y, p), logloss=log_loss(y, p), ece=calibration_error(y, p))


def decisions(y, band):
    """What the bands do: the same words as `rapport evaluate` uses."""
    qualified, undecided = band == "qualified", band == "undecided"
    right = np.where(undecided, False, qualified == (y == 1))
    return dict(
        fpr=qualified[y == 0].mean(),
        recall=qualified[y == 1].mean(),
        accuracy=(qualified == (y == 1)).mean(),
        decided=1 - undecided.mean(),
        decided_accuracy=right.sum() / (~undecided).sum(),
    )


def mean(rows):
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def figure(name, value, unit, peer=None, peer_value=None):
    ratio = value / peer_value if peer else None
    print(json.dumps(dict(suite="train", name=name, value=value, unit=unit, peer=peer, peer_value=peer_value, ratio=ratio)), flush=True)


def cross_validate(args, name):
    """Figures of one set, ours and each peer's, means over the committed seeds."""
    x, y, categories = table(args.data, name)
    ours, bands, peers = [], [], {peer: [] for peer in args.peers}
    for seed in SEEDS:
        fold = folds(y, seed)
        p, band = np.zeros(len(y)), np.zeros(len(y), dtype=object)
        others = {peer: np.zeros(len(y)) for peer in peers}
        for k in range(FOLDS):
            test = fold == k
            with tempfile.TemporaryDirectory() as folder:
                p[test], band[test] = rapport(args.rapport, args.data, name, ~test, test, Path(folder))
            for peer, scores in others.items():
                scores[test] = globals()[peer](x[~test], y[~test], x[test], categories)
            print(f"{name}: seed {seed}, fold {k + 1} of {FOLDS}", file=sys.stderr, flush=True)
        ours.append(quality(y, p))
        bands.append(decisions(y, band))
        for peer, scores in others.items():
            peers[peer].append(quality(y, scores))
    ours, bands = mean(ours), mean(bands)
    peers = {peer: mean(rows) for peer, rows in peers.items()}
    for key, best in (("auc", max), ("logloss", min), ("ece", min)):
        peer = best(peers, key=lambda peer: peers[peer][key]) if peers else None
        figure(f"cv_{name}_{key}", ours[key], "", peer, peers[peer][key] if peer else None)
    if name == "shoppers":
        for key in ("fpr", "accuracy", "recall"):
            figure(f"nested_shoppers_{key}", bands[key], "")
    if name == "xeducation":
        for key, value in (("decided", "decided"), ("accuracy", "decided_accuracy"), ("fpr", "fpr")):
            figure(f"bands_xeducation_{key}", bands[value], "")


def race(args, rounds=5, trees=200):
    """Seconds to fit as many trees of 31 leaves on one thread, binning included, turn by turn."""
    import lightgbm as lgb

    x, y, categories = table(args.data, "bank")
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "table.txt"
        codes = x.copy()
        for column in categories:
            codes[column] = x[column].cat.codes
        kinds = " ".join(str(len(x[c].cat.categories)) if c in categories else "0" for c in x)
        np.savetxt(plain, np.column_stack([y, codes.to_numpy()]), fmt="%.9g", header=kinds, comments="")
        ours, theirs = [], []
        for _ in range(rounds):
            out = subprocess.run([args.timing, plain, str(trees)], check=True, capture_output=True, text=True)
            ours.append(float(out.stdout))
            started = time.perf_counter()
            lgb.LGBMClassifier(n_estimators=trees, n_jobs=1, verbosity=-1).fit(x, y)
            theirs.append(time.perf_counter() - started)
    figure("train_s", float(np.median(ours)), "s", "lightgbm", float(np.median(theirs)))


def main():
    args = argparse.ArgumentParser()
    args.add_argument("data", type=Path)
    args.add_argument("--rapport", type=Path, required=True)
    args.add_argument("--timing", type=Path)
    args.add_argument("--sets", type=lambda text: text.split(","), default=list(SETS))
    args.add_argument("--peers", type=lambda text: [peer for peer in text.split(",") if peer],
                      default=["lightgbm", "xgboost", "catboost", "perpetual"])
    args = args.parse_args()
    if args.timing:
        race(args)
    for name in args.sets:
        cross_validate(args, name)


if __name__ == "__main__":
    main()
