"""What the usual trainers reach on the same folds, untuned, with native categoricals.

    train.py DATA_DIR OUT.npz [--sets xeducation,shoppers,bank] [--peers lightgbm,...]

Writes one array of out-of-fold probabilities per (set, seed, peer), and prints one JSON object a
line with AUC, log loss and calibration error, each the mean over the committed seeds.

A fold is a rule, not a file: within a class, rows are ordered by splitmix64(seed, row) and dealt
out in turn. `folds.rs` of the trainer follows the same rule.
"""
import argparse
import json
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


def main():
    args = argparse.ArgumentParser()
    args.add_argument("data", type=Path)
    args.add_argument("out", type=Path)
    args.add_argument("--sets", default=",".join(SETS))
    args.add_argument("--peers", default="lightgbm,xgboost,catboost,perpetual")
    args = args.parse_args()
    arrays = {}
    for name in args.sets.split(","):
        x, y, categories = table(args.data, name)
        for peer in args.peers.split(","):
            fit, started = globals()[peer], time.process_time()
            scores = []
            for seed in SEEDS:
                fold, p = folds(y, seed), np.zeros(len(y))
                for k in range(FOLDS):
                    test = fold == k
                    p[test] = fit(x[~test], y[~test], x[test], categories)
                arrays[f"{name}/{seed}/{peer}"] = p
                p = np.clip(p, 1e-15, 1 - 1e-15)
                scores.append((roc_auc_score(y, p), log_loss(y, p), calibration_error(y, p)))
            auc, loss, ece = np.mean(scores, axis=0)
            line = dict(set=name, peer=peer, auc=auc, logloss=loss, ece=ece, cpu_s=time.process_time() - started)
            print(json.dumps(line), flush=True)
    np.savez_compressed(args.out, **arrays)


if __name__ == "__main__":
    main()
