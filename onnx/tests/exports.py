"""Writes onnx/tests/exports: real exports of other software, and what onnxruntime makes of rows.

    ~/.cache/rapport/venv/requirements/bin/python onnx/tests/exports.py

The packages are those of xtask/peers/requirements.txt. Each model has NAME.json beside it: the signals of
its card, rows as a model reads them, and the probability of each.
"""

import json
import warnings
from pathlib import Path

import lightgbm
import numpy as np
import onnxmltools
import onnxruntime
import pandas as pd
import skl2onnx
import xgboost
from onnx import TensorProto, helper, numpy_helper
from onnxmltools.convert.common.data_types import FloatTensorType as MlFloats
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, OneHotEncoder, StandardScaler

warnings.filterwarnings("ignore")
FOLDER = Path(__file__).parent / "exports"
ROWS = 60
rng = np.random.default_rng(20261123)
floats = np.float32


def numbers(count):
    return [{"name": f"n{at}", "kind": "number"} for at in range(count)]


def run(model, feed, pick):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [pick(session.run(None, one)) for one in feed]


def save(name, model, signals, rows, probabilities):
    (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString())
    rows = [[None if np.isnan(value) else float(value) for value in row] for row in rows]
    lines = [
        f"{json.dumps(row)[:-1]}, {float(p)!r}]" for row, p in zip(rows, np.ravel(probabilities), strict=True)
    ]
    text = f'{{"signals": {json.dumps(signals)},\n"rows": [\n' + ",\n".join(lines) + "\n]}\n"
    (FOLDER / f"{name}.json").write_text(text)


def matrix(name, model, rows, pick, dtype=floats, signals=None):
    """A model of one matrix; each row alone, as visitors come."""
    key = model.graph.input[0].name
    feed = [{key: row[None].astype(dtype)} for row in rows]
    save(name, model, signals or numbers(rows.shape[1]), rows, run(model, feed, pick))


def table(count=6, rows=400):
    x = rng.normal(size=(rows, count)).astype(floats)
    return x, (x[:, 0] + x[:, 1] * x[:, 2] + 0.3 * rng.normal(size=rows) > 0).astype(int)


def second(outputs):
    return outputs[1][0, 1]


def zipped(outputs):
    return outputs[1][0][1]


def classifiers():
    x, y = table()
    plain = {"zipmap": False}
    mlp = make_pipeline(StandardScaler(), MLPClassifier((9, 4), max_iter=60, random_state=1)).fit(x, y)
    matrix("mlp_zipmap", skl2onnx.to_onnx(mlp, x[:1]), x[:ROWS], zipped)
    matrix("mlp", skl2onnx.to_onnx(mlp, x[:1], options=plain), x[:ROWS], second)
    wide = x.astype(np.float64)
    double = make_pipeline(StandardScaler(), MLPClassifier((5,), activation="tanh", max_iter=60, random_state=1))
    matrix("mlp_double", skl2onnx.to_onnx(double.fit(wide, y), wide[:1], options=plain), wide[:ROWS], second, np.float64)
    logistic = make_pipeline(SimpleImputer(), MinMaxScaler(), LogisticRegression()).fit(x, y)
    holes = x[:ROWS].copy()
    holes[rng.random(holes.shape) < 0.2] = np.nan
    matrix("logistic", skl2onnx.to_onnx(logistic, x[:1], options=plain), holes, second)
    normal = make_pipeline(Normalizer(), LogisticRegression()).fit(x, y)
    matrix("normalizer", skl2onnx.to_onnx(normal, x[:1], options=plain), x[:ROWS], second)
    forest = RandomForestClassifier(5, max_depth=4, random_state=1).fit(x, y)
    matrix("forest", skl2onnx.to_onnx(forest, x[:1], options=plain, target_opset={"": 17, "ai.onnx.ml": 1}), x[:ROWS], second)
    inputs = [("input", MlFloats([None, 6]))]
    trees = lightgbm.LGBMClassifier(n_estimators=10, num_leaves=7, verbose=-1).fit(x, y)
    matrix("lightgbm", onnxmltools.convert_lightgbm(trees, initial_types=inputs), x[:ROWS], zipped)
    trees = xgboost.XGBClassifier(n_estimators=10, max_depth=3).fit(x, y)
    matrix("xgboost", onnxmltools.convert_xgboost(trees, initial_types=inputs), x[:ROWS], second)
    scaled = make_pipeline(StandardScaler(), RandomForestClassifier(4, max_depth=3, random_state=2)).fit(x, y)
    matrix("scaled_forest", skl2onnx.to_onnx(scaled, x[:1], options=plain, target_opset={"": 17, "ai.onnx.ml": 1}), x[:ROWS], second)


def columns():
    """An input a column, of text, whole and decimal numbers."""
    x, y = table(3)
    levels = ["Ads", "E-Mail", "Référence"]
    frame = pd.DataFrame(x, columns=["visits", "time on site", "depth"])
    frame["depth"] = np.rint(frame["depth"] * 3).astype(np.int64)
    codes = rng.integers(0, 3, len(frame))
    frame["source"] = [levels[code] for code in codes]
    y = y ^ (codes == 2)
    steps = ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["visits", "time on site"]),
        ("whole", StandardScaler(), ["depth"]),
        ("words", OneHotEncoder(handle_unknown="ignore"), ["source"]),
    ])
    model = make_pipeline(steps, MLPClassifier((8,), max_iter=60, random_state=1)).fit(frame, y)
    kinds = [
        ("visits", FloatTensorType([None, 1])),
        ("time on site", FloatTensorType([None, 1])),
        ("depth", Int64TensorType([None, 1])),
        ("source", StringTensorType([None, 1])),
    ]
    model = skl2onnx.convert_sklearn(model, initial_types=kinds, options={"zipmap": False})
    rows, feed = [], []
    for at in range(ROWS):
        code = at % 4
        visits = np.nan if at % 7 == 0 else x[at, 0]
        rows.append([code, frame["depth"][at], visits, x[at, 1]])
        words = [*levels, "Elsewhere"]
        feed.append({
            "visits": np.array([[visits]], floats),
            "time_on_site": np.array([[x[at, 1]]], floats),
            "depth": np.array([[frame["depth"][at]]], np.int64),
            "source": np.array([[words[code]]], object),
        })
    names = {port.name for port in model.graph.input}
    feed = [{next(name for name in names if name.replace(" ", "_") == key): value for key, value in one.items()} for one in feed]
    # The card's order is its own.
    signals = [
        {"name": "source", "kind": "category", "levels": levels},
        {"name": "depth", "kind": "number"},
        {"name": "visits", "kind": "number"},
        {"name": "time on site", "kind": "number"},
    ]
    save("columns", model, signals, np.array(rows, float), run(model, feed, second))


def weights(*shape):
    return (rng.normal(size=shape) / np.sqrt(shape[0])).astype(floats)


def graph(nodes, constants, width, output="p", out_shape=(None, 1), opset=17, element=TensorProto.FLOAT):
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    inputs = [helper.make_tensor_value_info("x", element, [None, width])]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, list(out_shape))]
    made = helper.make_graph(nodes, "hand", inputs, outputs, initializers)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def by_hand():
    node = helper.make_node
    x, _ = table(50, ROWS)
    only = lambda outputs: np.ravel(outputs[0])[-1]
    dense = {"w1": weights(50, 64), "b1": weights(64), "w2": weights(64, 1), "b2": weights(1)}
    chain = [
        node("Gemm", ["x", "w1", "b1"], ["h"]),
        node("Relu", ["h"], ["r"]),
        node("Gemm", ["r", "w2", "b2"], ["z"]),
    ]
    matrix("mlp_50_64_1", graph([*chain, node("Sigmoid", ["z"], ["p"])], dense, 50), x, only)
    sigmoid = lambda outputs: 1 / (1 + np.exp(-np.float64(np.ravel(outputs[0])[0])))
    matrix("logit", graph(chain, dense, 50, output="z"), x, sigmoid)

    x, _ = table(8, ROWS)
    # As torch writes it: matrices turned, each activation, a normalisation, two classes.
    constants = {"w1": weights(12, 8), "b1": weights(12), "w2": weights(12, 12), "b2": weights(12), "w3": weights(2, 12), "b3": weights(2)}
    constants |= {"scale": weights(12) + 1, "shift": weights(12), "mean": weights(12), "variance": np.abs(weights(12)) + 0.5}
    torch = [
        node("Gemm", ["x", "w1", "b1"], ["a"], transB=1),
        node("BatchNormalization", ["a", "scale", "shift", "mean", "variance"], ["b"]),
        node("LeakyRelu", ["b"], ["c"], alpha=0.02),
        node("Gemm", ["c", "w2", "b2"], ["d"], transB=1, alpha=0.5, beta=2.0),
        node("Elu", ["d"], ["e"]),
        node("Add", ["e", "c"], ["f"]),
        node("Gemm", ["f", "w3", "b3"], ["g"], transB=1),
        node("Softmax", ["g"], ["p"], axis=-1),
    ]
    matrix("torch", graph(torch, constants, 8, out_shape=(None, 2)), x, only)

    # What is no chain: layer normalisation, attention of columns on columns, means.
    constants = {"w": weights(1, 4), "scale": weights(4) + 1, "shift": weights(4), "w2": weights(4, 1), "axis": np.array([2], np.int64)}
    attention = [
        node("Unsqueeze", ["x", "axis"], ["u"]),
        node("MatMul", ["u", "w"], ["tokens"]),
        node("LayerNormalization", ["tokens", "scale", "shift"], ["n"], axis=-1),
        node("Transpose", ["n"], ["t"], perm=[0, 2, 1]),
        node("MatMul", ["n", "t"], ["s"]),
        node("Softmax", ["s"], ["a"], axis=-1),
        node("MatMul", ["a", "tokens"], ["m"]),
        node("ReduceMean", ["m"], ["o"], axes=[1], keepdims=0),
        node("MatMul", ["o", "w2"], ["z"]),
        node("Sigmoid", ["z"], ["p"]),
    ]
    matrix("attention", graph(attention, constants, 8), x, only)

    # Categories as whole numbers into a table of vectors.
    constants = {"table": weights(5, 3), "w": weights(6, 1)}
    embedding = [
        node("Gather", ["table", "x"], ["e"], axis=0),
        node("Flatten", ["e"], ["f"], axis=1),
        node("MatMul", ["f", "w"], ["z"]),
        node("Sigmoid", ["z"], ["p"]),
    ]
    signals = [{"name": name, "kind": "category", "levels": list("abcd")} for name in ("one", "two")]
    rows = rng.integers(0, 5, (ROWS, 2)).astype(float)
    model = graph(embedding, constants, 2, element=TensorProto.INT64)
    matrix("embedding", model, rows, only, np.int64, signals)


FOLDER.mkdir(exist_ok=True)
classifiers()
columns()
by_hand()
