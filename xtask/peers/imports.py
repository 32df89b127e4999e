"""Imported models against the software that made them: 500 trees, depth over 8, categories, missing
values, 10,000 rows of which many lie exactly on cuts.

    imports.py FOREIGN FOLDER

FOREIGN is the example of core by that name. Prints one JSON object a model: the largest
difference of margins. Synthetic data only.
"""

import json
import subprocess
import sys

import lightgbm as lgb
import numpy as np
import onnx
import onnxruntime
import xgboost as xgb
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

ROWS, TREES = 10_000, 500
program, folder = sys.argv[1:]
random = np.random.default_rng(11)


def table(rows: int, categories: bool) -> np.ndarray:
    numbers = random.normal(size=(rows, 12))
    numbers[:, :4] = np.round(numbers[:, :4], 1)  # many rows lie on cuts
    numbers[:, 4] = random.integers(0, 3, rows) * (random.random(rows) < 0.5)  # many zeros
    numbers[:, 5] *= 1e6
    codes = np.column_stack([random.integers(0, levels, rows) for levels in (3, 12, 40)])
    x = np.column_stack([numbers, codes]) if categories else numbers
    return np.where(random.random(x.shape) < 0.1, np.nan, x.astype(float))


def labels(x: np.ndarray) -> np.ndarray:
    known = np.nan_to_num(x)
    logit = known[:, 0] - 0.5 * known[:, 1] * known[:, 2] + (known[:, 4] == 1) + 0.3 * known[:, -1] % 3 - 1
    return (random.random(len(x)) < 1 / (1 + np.exp(-logit))).astype(float)


def report(name: str, form: str, model: str, x: np.ndarray, theirs: np.ndarray, depth: int) -> None:
    x.astype(np.float64).tofile(f"{folder}/rows.f64")
    subprocess.run([program, "margins", form, model, f"{folder}/rows.f64", f"{folder}/ours.f64"], check=True)
    ours = np.fromfile(f"{folder}/ours.f64")
    difference = float(np.abs(ours - np.asarray(theirs, np.float64).ravel()).max())
    print(json.dumps({"model": name, "rows": len(x), "deepest": depth, "max_abs_diff": difference}), flush=True)


def lightgbm_depth(booster: lgb.Booster) -> int:
    return int(booster.trees_to_dataframe().node_depth.max()) - 1


def lightgbm(name: str, categories: bool, trees: int = TREES, **parameters) -> lgb.Booster:
    x = table(ROWS, categories)
    columns = list(range(12, 15)) if categories else []
    train = lgb.Dataset(x, labels(x), categorical_feature=columns, free_raw_data=False, params=parameters)
    settings = {"objective": "binary", "verbosity": -1, "num_threads": 2, "num_leaves": 31, **parameters}
    booster = lgb.train(settings, train, trees)
    booster.save_model(f"{folder}/{name}.txt")
    rows = table(ROWS, categories)
    if categories:
        rows[::7, 12] = 77  # a level never seen
        rows[1::7, 13] = -1
    # A random forest's raw score is not averaged, though the probability is made from the average.
    margins = booster.predict(rows, raw_score=True) / (trees if parameters.get("boosting") == "rf" else 1)
    report(f"lightgbm {name}", "lightgbm", f"{folder}/{name}.txt", rows, margins, lightgbm_depth(booster))
    return booster


def xgboost(name: str, categories: bool, trees: int = TREES, **parameters) -> xgb.Booster:
    x = table(ROWS, categories)
    types = ["q"] * 12 + ["c"] * (x.shape[1] - 12)
    data = xgb.DMatrix(x, labels(x), feature_types=types, enable_categorical=True)
    settings = {"objective": "binary:logistic", "max_depth": 10, "nthread": 2, "max_cat_to_onehot": 4, **parameters}
    booster = xgb.train(settings, data, trees)
    booster.save_model(f"{folder}/{name}.json")
    rows = table(ROWS, categories)
    theirs = exact_margins(booster, rows, types)
    report(f"xgboost {name}", "xgboost", f"{folder}/{name}.json", rows, theirs, 10)
    single = booster.predict(xgb.DMatrix(rows, feature_types=types, enable_categorical=True), output_margin=True)
    print(json.dumps({"model": f"xgboost {name}", "their own f32 sum differs from the exact one by": float(np.abs(single - theirs).max())}))
    return booster


def exact_margins(booster: xgb.Booster, rows: np.ndarray, types: list[str]) -> np.ndarray:
    """XGBoost's leaves, summed in f64: its own sum in f32 is off by more than 1e-6."""
    data = xgb.DMatrix(rows, feature_types=types, enable_categorical=True)
    leaves = booster.predict(data, pred_leaf=True).astype(int)
    model = json.loads(booster.save_raw("json"))["learner"]
    inner = model["gradient_booster"]
    trees = inner.get("gbtree", inner)["model"]["trees"]
    weights = inner.get("weight_drop", [1.0] * len(trees))
    base = np.float32(model["learner_model_param"]["base_score"].strip("[]"))
    sums = np.full(len(rows), float(-np.log(np.float32(1) / base - np.float32(1))))
    for tree, weight in enumerate(weights):
        values = np.array(trees[tree]["split_conditions"], np.float32).astype(np.float64)
        sums += values[leaves[:, tree]] * weight
    return sums


def onnx_margins(path: str, rows: np.ndarray, few: int = 5) -> np.ndarray:
    """onnxruntime adds up in f32, so it gets a few trees at a time and their sums are added in f64."""
    model = onnx.load(path)
    ensemble = next(node for node in model.graph.node if node.op_type.startswith("TreeEnsemble"))
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in ensemble.attribute}
    trees = max(attributes["nodes_treeids"]) + 1
    sums = np.full(len(rows), float(sum(attributes.get("base_values", []))))
    for start in range(0, trees, few):
        part = {"post_transform": "NONE"}
        for name, value in attributes.items():
            ids = attributes[f"{name.split('_')[0]}_treeids"] if name.split("_")[0] in ("nodes", "class") else None
            if ids is not None and name != "class_labels":
                value = [item for item, tree in zip(value, ids) if start <= tree < start + few]
            if name not in ("post_transform", "base_values"):
                part[name] = value
        node = onnx.helper.make_node(ensemble.op_type, ensemble.input, ensemble.output, domain="ai.onnx.ml", **part)
        graph = onnx.helper.make_graph([node], "part", model.graph.input, [
            onnx.helper.make_tensor_value_info(ensemble.output[0], onnx.TensorProto.INT64, [None]),
            onnx.helper.make_tensor_value_info(ensemble.output[1], onnx.TensorProto.FLOAT, None),
        ])  # fmt: skip
        imports = [onnx.helper.make_opsetid("ai.onnx.ml", 3), onnx.helper.make_opsetid("", 17)]
        session = onnxruntime.InferenceSession(onnx.helper.make_model(graph, opset_imports=imports, ir_version=8).SerializeToString())
        sums += session.run(None, {model.graph.input[0].name: rows.astype(np.float32)})[1][:, -1].astype(np.float64)
    return sums


lightgbm("missing values and categories", True, max_depth=12)
lightgbm("leaf-wise", True, num_leaves=127, min_data_in_leaf=2, learning_rate=0.05)
lightgbm("zero as missing", False, zero_as_missing=True, max_depth=12)
lightgbm("no missing values", False, use_missing=False, max_depth=12)
lightgbm("dart", True, trees=100, boosting="dart", max_depth=9)
lightgbm("random forest", False, boosting="rf", bagging_freq=1, bagging_fraction=0.6)
xgboost("categories", True)
xgboost("dart", False, trees=60, booster="dart", rate_drop=0.1, max_depth=9)
plain = lightgbm("plain", False, max_depth=10)
graph = convert_lightgbm(plain, initial_types=[("x", FloatTensorType([None, 12]))], zipmap=False)
onnx.save(graph, f"{folder}/lightgbm.onnx")
rows = table(ROWS, False)
report("onnx of lightgbm", "onnx", f"{folder}/lightgbm.onnx", rows, onnx_margins(f"{folder}/lightgbm.onnx", rows), 10)
