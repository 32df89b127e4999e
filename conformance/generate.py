"""Writes the cases of the suites `score`, `explain` and `import`, and the models they run on.

    generate.py FOREIGN     where FOREIGN is the built example `foreign` of core

Models are trained here on synthetic data; expected values come from LightGBM, XGBoost, ONNX's
reference evaluator, scikit-learn, shap, or formulas written out below. What only this project
defines (exact bits) is recorded by `RAPPORT_BLESS=1 cargo test --test conformance` instead.
"""

import json
import math
import struct
import subprocess
import sys
import tempfile
import warnings
import zlib
from itertools import combinations
from pathlib import Path

import lightgbm as lgb
import numpy as np
import onnx
import shap
import sklearn
import xgboost as xgb
from onnx.reference import ReferenceEvaluator
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.linear_model import LogisticRegression

warnings.filterwarnings("ignore")
HERE = Path(__file__).parent
MODELS, CASES = HERE / "models", HERE / "cases"
FOREIGN = sys.argv[1] if len(sys.argv) > 1 else ""
TEMPORARY = Path(tempfile.mkdtemp())
BANDS = (0.3, 0.7)
LIGHTGBM, XGBOOST = f"LightGBM {lgb.__version__}", f"XGBoost {xgb.__version__}"
SHAP = f"shap {shap.__version__}"
ONNX = f"onnx {onnx.__version__} reference evaluator"
random = np.random.default_rng(20)
suites: dict[str, dict[str, list]] = {"score": {}, "explain": {}, "import": {}}


# Rows and cases


def table(rows: int, numbers: int = 8, levels: tuple[int, ...] = (3, 7, 20), missing: float = 0.1) -> np.ndarray:
    x = random.normal(size=(rows, numbers)).round(3)
    x[:, 0] = x[:, 0].round(1)
    x[:, 1] = random.integers(0, 4, rows)
    codes = [random.integers(0, count, rows) for count in levels]
    x = np.column_stack([x, *codes]).astype(float)
    return np.where(random.random(x.shape) < missing, np.nan, x)


def labels(x: np.ndarray) -> np.ndarray:
    known = np.nan_to_num(x)
    logit = known[:, 0] - known[:, 2] * known[:, 3] + (known[:, 1] == 2) + 0.5 * (known[:, -1] % 3) - 1
    return (random.random(len(x)) < 1 / (1 + np.exp(-logit))).astype(float)


def odd_rows(x: np.ndarray, categories: int) -> np.ndarray:
    """The first rows become: all missing, far beyond every cut, levels never seen, exactly on cuts."""
    x = x.copy()
    numbers = x.shape[1] - categories
    x[0] = np.nan
    x[1, :numbers], x[2, :numbers] = np.inf, -np.inf
    x[3, :numbers], x[4, :numbers] = 1e300, -1e300
    x[5, :numbers], x[6, :numbers] = 0.0, -0.0
    if categories:
        x[7, numbers:] = 99
        x[8, numbers:] = np.nan
    x[9:12, 1] = 0.5, 1.5, 2.5  # between whole numbers, where compact files cut
    return x


def spelled(value: float):
    if math.isnan(value):
        return None
    return ("inf" if value > 0 else "-inf") if math.isinf(value) else float(value)


def logistic(margin: float) -> float:
    return 1 / (1 + math.exp(-margin)) if margin > -700 else 0.0


def add(suite: str, file: str, provenance: str, model: str, row: np.ndarray, expect: dict, **more) -> None:
    cases = suites[suite].setdefault(file, [])
    name = f"{suite} {file} {len(cases)}"
    cases.append({"name": name, "provenance": provenance, "model": f"models/{model}", "row": [spelled(v) for v in row], **more, "expect": expect})


def add_scores(file, provenance, model, rows, margins, within=1e-9, probability=logistic, score=lambda p: 100 * p):
    """Cases with margin, probability, score and band; scores that rounding could tip are left out."""
    for row, margin in zip(rows, margins):
        chance = probability(float(margin))
        fine = score(chance)
        if abs(fine % 1 - 0.5) < 1e-4 or min(abs(chance - band) for band in BANDS) < 1e-6:
            continue
        band = "qualified" if chance >= BANDS[1] else "not" if chance < BANDS[0] else "undecided"
        expect = {"margin": float(margin), "probability": chance, "within": within, "score": math.floor(fine + 0.5), "band": band}
        add("score", file, provenance, model, row, expect)


def add_explanations(file, provenance, model, rows, contributions, bases, within=1e-6):
    bases = np.broadcast_to(bases, len(rows))
    for row, values, base in zip(rows, contributions, bases):
        add("explain", file, provenance, model, row, {"contributions": [float(v) for v in values], "base": float(base), "within": within})


def store(name: str, form: str, source: Path, packing: str) -> Path:
    """Packs a foreign model as NAME.rpm; returns what was stored, as LightGBM's text."""
    exported = TEMPORARY / f"{name}.txt"
    subprocess.run([FOREIGN, "store", form, source, packing, MODELS / f"{name}.rpm", exported], check=True)
    return exported


# Trees


def lightgbm(name: str, x: np.ndarray, trees: int, categories: list[int], **parameters) -> tuple[lgb.Booster, Path]:
    settings = {"objective": "binary", "verbosity": -1, "num_threads": 1, "seed": 3, "min_data_in_leaf": 5, **parameters}
    booster = lgb.train(settings, lgb.Dataset(x, labels(x), categorical_feature=categories, params=settings), trees)
    path = MODELS / f"{name}.txt"
    booster.save_model(path)
    return booster, path


def for_exported(x: np.ndarray, levels: dict[int, int]) -> np.ndarray:
    """Rows for an exported model: missing and unseen levels have codes of their own."""
    x = x.copy()
    for column, count in levels.items():
        codes = x[:, column]
        x[:, column] = np.where(np.isnan(codes), count + 1, np.where((codes < 0) | (codes >= count), count, codes))
    return x


def level_counts(exported: Path, columns: list[int]) -> dict[int, int]:
    infos = next(line for line in exported.read_text().splitlines() if line.startswith("feature_infos="))
    infos = infos.removeprefix("feature_infos=").split()
    return {column: len(infos[column].split(":")) - 2 for column in columns}


def contributions_by_lightgbm(exported: Path, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    booster = lgb.Booster(model_file=exported)
    explainer = shap.TreeExplainer(booster)
    values = np.asarray(explainer.shap_values(x))
    return values, booster.predict(x, pred_contrib=True)[:, -1]


def trees_of(exported: Path) -> list[dict]:
    """The trees of an exported model without categories, in the arrays that shap takes."""
    trees = []
    for block in exported.read_text().split("\nTree=")[1:]:
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        column = lambda key, kind: np.array(fields.get(key, "").split(), dtype=kind)  # noqa: E731
        leaves, splits = int(fields["num_leaves"]), int(fields["num_leaves"]) - 1
        child = lambda key: np.where(column(key, int) >= 0, column(key, int), splits + ~column(key, int))  # noqa: E731
        left, right = child("left_child"), child("right_child")
        none = np.full(leaves, -1)
        default = np.where(column("decision_type", int) & 2, left, right)
        trees.append({
            "children_left": np.concatenate([left, none]),
            "children_right": np.concatenate([right, none]),
            "children_default": np.concatenate([default, none]),
            "features": np.concatenate([column("split_feature", int), none]),
            "thresholds": np.concatenate([column("threshold", float), np.zeros(leaves)]),
            "values": np.concatenate([np.zeros(splits), column("leaf_value", float)])[:, None],
            "node_sample_weight": np.concatenate([column("internal_count", float), column("leaf_count", float)]),
        })  # fmt: skip
    return trees


def contributions_by_shap(exported: Path, x: np.ndarray) -> tuple[np.ndarray, float]:
    model = {"trees": trees_of(exported), "base_offset": 0.0, "tree_output": "raw_value", "objective": "binary", "input_dtype": np.float64, "internal_dtype": np.float64}
    explainer = shap.TreeExplainer(model)
    return explainer.shap_values(x, check_additivity=False), float(np.ravel(explainer.expected_value)[0])


def expected(tree: dict, row: np.ndarray, known: frozenset, node: int = 0) -> float:
    left, right = tree["children_left"][node], tree["children_right"][node]
    if left < 0:
        return float(tree["values"][node, 0])
    feature = tree["features"][node]
    if feature in known:
        value = row[feature]
        side = tree["children_default"][node] if math.isnan(value) else left if value <= tree["thresholds"][node] else right
        return expected(tree, row, known, side)
    weights = tree["node_sample_weight"]
    both = weights[left] + weights[right]
    return (weights[left] * expected(tree, row, known, left) + weights[right] * expected(tree, row, known, right)) / both


def shapley(players: int, worth) -> tuple[list[float], float]:
    """Over all subsets, as the definition says."""
    values = {frozenset(s): worth(frozenset(s)) for size in range(players + 1) for s in combinations(range(players), size)}
    total = math.factorial(players)
    contributions = []
    for player in range(players):
        others = [s for s in values if player not in s]
        weight = lambda s: math.factorial(len(s)) * math.factorial(players - len(s) - 1) / total  # noqa: E731
        contributions.append(sum(weight(s) * (values[s | {player}] - values[s]) for s in others))
    return contributions, values[frozenset()]


def make_trees() -> None:
    categories = [8, 9, 10]
    x = table(3000)
    booster, source = lightgbm("mixed", x, 50, categories, num_leaves=24, max_depth=6, cat_smooth=1, min_data_per_group=5)
    rows = odd_rows(table(90), 3)
    store("mixed-exact", "lightgbm", source, "exact")
    margins = booster.predict(rows[:50], raw_score=True)
    add_scores("lightgbm", f"{LIGHTGBM} predict", "mixed-exact.rpm", rows[:50], margins)
    add_imports("lightgbm", f"{LIGHTGBM} predict", source.name, rows[:20], margins)
    exported = store("mixed", "lightgbm", source, "compact")
    coded = for_exported(rows, level_counts(exported, categories))
    stored = lgb.Booster(model_file=exported)
    add_scores("lightgbm", f"{LIGHTGBM} predict on the stored model", "mixed.rpm", rows, stored.predict(coded, raw_score=True))
    values, bases = contributions_by_lightgbm(exported, coded[:50])
    add_explanations("lightgbm", f"{SHAP} TreeExplainer on {LIGHTGBM}", "mixed.rpm", rows[:50], values, bases)

    deep, source = lightgbm("leaf-wise", x, 8, categories, num_leaves=150, min_data_in_leaf=1, min_sum_hessian_in_leaf=1e-4, learning_rate=0.3)
    exported = store("leaf-wise", "lightgbm", source, "compact")
    coded = for_exported(rows, level_counts(exported, categories))
    stored = lgb.Booster(model_file=exported)
    add_scores("lightgbm-deep", f"{LIGHTGBM} predict on the stored model", "leaf-wise.rpm", rows[:30], stored.predict(coded[:30], raw_score=True))
    values, bases = contributions_by_lightgbm(exported, coded[:30])
    add_explanations("lightgbm-deep", f"{SHAP} TreeExplainer on {LIGHTGBM}", "leaf-wise.rpm", rows[:30], values, bases)

    for name, settings in [("zero-as-missing", {"zero_as_missing": True}), ("no-missing", {"use_missing": False})]:
        x = table(2000, 6, ())
        x[random.random(x.shape) < 0.2] = 0.0
        booster, source = lightgbm(name, x, 20, [], max_depth=9, **settings)
        rows = odd_rows(np.where(random.random((30, 6)) < 0.2, 0.0, table(30, 6, ())), 0)
        store(name, "lightgbm", source, "exact")
        margins = booster.predict(rows, raw_score=True)
        add_scores("lightgbm", f"{LIGHTGBM} predict", f"{name}.rpm", rows, margins)
        add_imports("lightgbm", f"{LIGHTGBM} predict", source.name, rows[:10], margins)

    x = table(2500, 12, (), 0.15)
    _, source = lightgbm("twelve", x, 12, [], max_depth=12, num_leaves=100, learning_rate=0.3)
    exported = store("twelve", "lightgbm", source, "compact")
    source.unlink()
    rows = odd_rows(table(40, 12, (), 0.15), 0)
    values, base = contributions_by_shap(exported, rows)
    add_explanations("shap", f"{SHAP} TreeExplainer in f64", "twelve.rpm", rows, values, base)

    x = table(800, 5, (), 0.15)
    _, source = lightgbm("small", x, 3, [], max_depth=5, learning_rate=0.5)
    exported = store("small", "lightgbm", source, "compact")
    source.unlink()
    trees = trees_of(exported)
    rows = odd_rows(table(30, 5, (), 0.15), 0)
    for row in rows:
        values, base = shapley(5, lambda known: sum(expected(tree, row, known) for tree in trees))
        add_explanations("all-subsets", "generate.py: all subsets, in Python", "small.rpm", [row], [values], base)


def make_xgboost() -> None:
    x = table(3000)
    types = ["q"] * 8 + ["c"] * 3
    matrix = lambda x: xgb.DMatrix(x, feature_types=types, enable_categorical=True)  # noqa: E731
    data = xgb.DMatrix(x, labels(x), feature_types=types, enable_categorical=True)
    booster = xgb.train({"objective": "binary:logistic", "max_depth": 9, "max_cat_to_onehot": 4, "nthread": 1}, data, 12)
    source = MODELS / "xgboost.json"
    booster.save_model(source)
    store("xgboost", "xgboost", source, "exact")
    rows = odd_rows(table(50), 3)
    rows = np.clip(rows, -1e30, 1e30)  # XGBoost takes nothing that no f32 holds
    margins = booster.predict(matrix(rows), output_margin=True)
    add_scores("xgboost", f"{XGBOOST} predict", "xgboost.rpm", rows, margins, 2e-6)
    add_imports("xgboost", f"{XGBOOST} predict", source.name, rows[:20], margins)

    plain = xgb.train({"objective": "binary:logistic", "max_depth": 5, "nthread": 1}, xgb.DMatrix(x[:, :8], labels(x)), 10)
    graph = convert_xgboost(plain, initial_types=[("x", FloatTensorType([None, 8]))])
    source = MODELS / "ensemble.onnx"
    onnx.save(graph, source)
    store("onnx", "onnx", source, "exact")
    rows = np.nan_to_num(table(35, 8, ()))
    raw = onnx.load(source)
    for node in raw.graph.node:
        for attribute in node.attribute:
            if attribute.name == "post_transform":
                attribute.s = b"NONE"
    scores = np.asarray(ReferenceEvaluator(raw).run(None, {"x": rows.astype(np.float32)})[-1])
    theirs = plain.predict(xgb.DMatrix(rows), output_margin=True)
    margins = scores[:, -1] if np.abs(scores[:, -1] - theirs).max() < 1e-4 else theirs
    source_of = ONNX if margins is not theirs else f"{XGBOOST} predict, before the conversion to ONNX"
    add_scores("onnx", source_of, "onnx.rpm", rows, margins, 2e-6)
    add_imports("onnx", source_of, source.name, rows[:10], margins)


def add_imports(form, provenance, model, rows, margins, within=2e-6):
    for row, margin in zip(rows, margins):
        add("import", form, provenance, model, row, {"margin": float(margin), "within": within}, format=form)


def make_refusals() -> None:
    x = table(300, 4, ())
    linear, _ = lightgbm("linear", np.nan_to_num(x), 2, [], linear_tree=True)
    many = lgb.train({"objective": "multiclass", "num_class": 3, "verbosity": -1}, lgb.Dataset(x, random.integers(0, 3, 300)), 1)
    many.save_model(MODELS / "multiclass.txt")
    several = xgb.train({"objective": "multi:softprob", "num_class": 3}, xgb.DMatrix(x, random.integers(0, 3, 300)), 1)
    several.save_model(MODELS / "multiclass.json")
    line = xgb.train({"booster": "gblinear", "objective": "binary:logistic"}, xgb.DMatrix(x, labels(x)), 1)
    line.save_model(MODELS / "gblinear.json")
    xgb.train({"objective": "binary:logistic", "max_depth": 2}, xgb.DMatrix(x, labels(x)), 1).save_model(MODELS / "binary.ubj")
    for form, model, words in [
        ("lightgbm", "linear.txt", "linear leaves"), ("lightgbm", "multiclass.txt", "several classes"),
        ("xgboost", "multiclass.json", "several outputs"), ("xgboost", "gblinear.json", "gblinear"),
        ("xgboost", "binary.ubj", "UBJSON"), ("lightgbm", "xgboost.json", "no LightGBM text model"),
        ("xgboost", "mixed.txt", "no XGBoost JSON model"), ("onnx", "mixed.txt", "no ONNX tree ensemble model"),
    ]:  # fmt: skip
        add("import", "refused", "generate.py: the format's own limits", model, np.array([]), {"refused": words}, format=form)


# Hand-made models, packed here after docs/model-format.md

POINTS, LOGISTIC = 1, 2
INFINITY = math.inf


def text(value: str) -> bytes:
    return struct.pack("<H", len(value.encode())) + value.encode()


def level_hash(level: str) -> int:
    value = 0x811C9DC5
    for byte in level.strip().encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def pack_model(name: str, kind: int, signals: list, bias: float, groups: list, calibration: bytes, scale: list) -> None:
    body = text(name) + calibration + struct.pack("<H", len(scale))
    body += b"".join(struct.pack("<2d", *knot) for knot in scale) + struct.pack("<3d", *BANDS, math.nan)
    body += struct.pack("<I", len(signals))
    for number, (label, levels) in enumerate(signals):
        body += struct.pack("<I", number + 1) + text(label) + struct.pack("<B", 0 if levels is None else 2)
        if levels is not None:
            body += struct.pack(f"<I{len(levels)}I", len(levels), *map(level_hash, levels)) + b"".join(map(text, levels))
    body += struct.pack("<dI", bias, len(groups))
    for least, most, terms in groups:
        body += struct.pack("<2dI", least, most, len(terms))
        for signal, missing, usual, effect in terms:
            body += struct.pack("<H2d", signal, missing, usual)
            if effect[0] == "per unit":
                body += struct.pack("<B3d", 0, *effect[1:])
            elif effect[0] == "steps":
                body += struct.pack("<BI", 1, len(effect[1])) + b"".join(struct.pack("<2d", *step) for step in effect[1])
            else:
                body += struct.pack("<Bd", 2, effect[2]) + struct.pack(f"<{len(effect[1])}d", *effect[1])
    sealed = b"RPM1" + struct.pack("<BBHI", 1, kind, 8 | 16, 12 + len(body) + 4) + body
    (MODELS / f"{name}.rpm").write_bytes(sealed + struct.pack("<I", zlib.crc32(sealed)))


def held(value: float, least: float, most: float) -> float:
    return max(least, min(most, value))


def addend(term: tuple, row: np.ndarray) -> float:
    signal, missing, _, effect = term
    value = row[signal]
    if math.isnan(value):
        return missing
    if effect[0] == "per unit":
        return effect[1] * held(held(value, effect[2], effect[3]), -1e15, 1e15)
    if effect[0] == "steps":
        return next((points for start, points in reversed(effect[1]) if start <= value), 0.0)
    return effect[1][int(value)] if -1 < value < len(effect[1]) else effect[2]


def worth(bias: float, groups: list, row: np.ndarray, known: frozenset) -> float:
    total = bias
    for least, most, terms in groups:
        total += held(sum(addend(term, row) if term[0] in known else term[2] for term in terms), least, most)
    return total


def make_points() -> None:
    signals = [("page views", None), ("pricing visits", None), ("employees", None), ("days since last visit", None), ("country", ["DE", "US", "Österreich"]), ("role", ["Student", "Buyer"])]
    groups = [
        (-INFINITY, 40.0, [(0, 0.0, 0.0, ("per unit", 1.5, 0.0, 20.0)), (1, 0.0, 0.0, ("per unit", 8.0, 0.0, INFINITY)), (3, -5.0, -5.0, ("steps", [(0.0, 10.0), (7.0, 4.0), (30.0, -6.0)]))]),
        (0.0, INFINITY, [(4, 0.0, 0.0, ("levels", [12.0, 9.5, 7.0], -3.0)), (5, 0.0, 0.0, ("levels", [-25.0, 20.0], 0.0))]),
        (-INFINITY, INFINITY, [(2, 0.0, 0.0, ("steps", [(10.0, 5.0), (50.0, 10.0), (200.0, 18.0)])), (0, 0.0, 0.0, ("steps", [(3.0, 2.0)]))]),
    ]  # fmt: skip
    share = struct.pack("<B2d", 3, 0.0, 100.0)
    pack_model("points", POINTS, signals, 5.0, groups, share, [])
    rows = np.column_stack([random.integers(0, 30, 70), random.integers(0, 6, 70), random.integers(1, 400, 70), random.integers(0, 50, 70), random.integers(0, 4, 70), random.integers(0, 3, 70)]).astype(float)
    rows = odd_rows(np.where(random.random(rows.shape) < 0.15, np.nan, rows), 2)
    provenance = "generate.py: the rules written out in Python"
    everything = frozenset(range(6))
    margins = [worth(5.0, groups, row, everything) for row in rows]
    add_scores("points", provenance, "points.rpm", rows, margins, probability=lambda m: held(m / 100, 0.0, 1.0))
    for row in rows[:45]:
        values, base = shapley(6, lambda known: worth(5.0, groups, row, known))
        add_explanations("points", "generate.py: all subsets, in Python", "points.rpm", [row], [values], base, 1e-9)


def make_logistic() -> None:
    x = table(800, 4, (3,), 0.0)
    hot = np.column_stack([x[:, :4], *[(x[:, 4] == level).astype(float) for level in range(3)]])
    model = LogisticRegression(C=2.0).fit(hot, labels(x))
    weights, means = model.coef_[0], hot.mean(axis=0)
    terms = [(i, weights[i] * means[i], weights[i] * means[i], ("per unit", weights[i], -INFINITY, INFINITY)) for i in range(4)]
    level_weights = [float(w) for w in weights[4:]]
    usual = float(sum(weights[4 + level] * means[4 + level] for level in range(3)))
    terms.append((4, usual, usual, ("levels", level_weights, 0.0)))
    bias = float(model.intercept_[0])
    groups = [(-INFINITY, INFINITY, terms)]
    signals = [(f"number {i}", None) for i in range(4)] + [("category", ["a", "b", "c"])]
    platt = struct.pack("<B2d", 0, 1.0, 0.0)
    pack_model("logistic", LOGISTIC, signals, bias, groups, platt, [])
    rows = table(45, 4, (3,), 0.0)
    hot = np.column_stack([rows[:, :4], *[(rows[:, 4] == level).astype(float) for level in range(3)]])
    add_scores("logistic", f"scikit-learn {sklearn.__version__} LogisticRegression", "logistic.rpm", rows, model.decision_function(hot))
    explainer = shap.LinearExplainer((weights, bias), shap.maskers.Independent(means[None, :]))
    values = explainer.shap_values(hot)
    values = np.column_stack([values[:, :4], values[:, 4:].sum(axis=1)])
    add_explanations("logistic", f"{SHAP} LinearExplainer", "logistic.rpm", rows[:30], values, float(explainer.expected_value), 1e-9)

    # The same margins through every calibration and a bent scale.
    scale = [(0.0, 0.0), (0.2, 0.35), (0.7, 0.6), (1.0, 1.0)]
    knots = [(-3.0, -2.5), (-0.5, -1.0), (0.25, 0.0), (2.0, 3.5)]
    bent = lambda p: 100 * float(np.interp(p, *zip(*scale)))  # noqa: E731

    def beta(m: float) -> float:
        s = 1 / (1 + np.exp(-np.float64(m)))
        return logistic(1.3 * math.log(s) - 0.6 * math.log1p(-s) + 0.2)

    def pieces(m: float) -> float:
        at = min(max(sum(x <= m for x, _ in knots), 1), len(knots) - 1)
        (x0, y0), (x1, y1) = knots[at - 1], knots[at]
        return logistic(y0 + (y1 - y0) * (m - x0) / (x1 - x0))

    calibrations = {
        "platt": (struct.pack("<B2d", 0, 0.7, -0.4), lambda m: logistic(0.7 * m - 0.4)),
        "beta": (struct.pack("<B3d", 1, 1.3, 0.6, 0.2), beta),
        "knots": (struct.pack("<BH", 2, 4) + b"".join(struct.pack("<2d", *k) for k in knots), pieces),
    }
    for name, (packed, probability) in calibrations.items():
        pack_model(f"calibrated-{name}", LOGISTIC, signals, bias, groups, packed, scale)
        add_scores("calibrations", "generate.py: the formula, with numpy", f"calibrated-{name}.rpm", rows[:20], model.decision_function(hot[:20]), probability=probability, score=bent)


def main() -> None:
    for folder in [MODELS, *(CASES / suite for suite in suites)]:
        folder.mkdir(parents=True, exist_ok=True)
    make_trees()
    make_xgboost()
    make_points()
    make_logistic()
    make_refusals()
    for suite, files in suites.items():
        for file, cases in files.items():
            lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
            (CASES / suite / f"{file}.json").write_text(f'{{"cases": [\n{lines}\n]}}\n')
            print(f"{suite:8} {file:14} {len(cases):4}")


main()
