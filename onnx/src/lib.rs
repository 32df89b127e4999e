//! Lead models that are ONNX graphs, run by tract.
