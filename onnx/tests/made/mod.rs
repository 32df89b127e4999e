//! What the tests share: exports with what onnxruntime makes of them, and a writer of small graphs.
#![allow(dead_code, clippy::unwrap_used)]

use rapport_core::model::{Signal, SignalKind};
use serde_json::Value;
use std::path::PathBuf;

pub fn exports() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/exports")
}

/// A model with the signals of its card, rows, and the probability of each.
pub struct Export {
    pub name: String,
    pub file: Vec<u8>,
    pub signals: Vec<Signal>,
    pub rows: Vec<(Vec<f64>, f64)>,
}

impl Export {
    pub fn all() -> Vec<Export> {
        let files = std::fs::read_dir(exports()).unwrap().map(|entry| entry.unwrap().path());
        let models = files.filter(|path| path.extension().is_some_and(|kind| kind == "onnx"));
        let mut names: Vec<String> =
            models.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
        names.sort();
        names.iter().map(|name| Export::read(name)).collect()
    }

    pub fn read(name: &str) -> Export {
        let file = std::fs::read(exports().join(format!("{name}.onnx"))).unwrap();
        let text = std::fs::read_to_string(exports().join(format!("{name}.json"))).unwrap();
        let card: Value = serde_json::from_str(&text).unwrap();
        let row = |row: &Value| {
            let mut row: Vec<f64> =
                row.as_array().unwrap().iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect();
            let probability = row.pop().unwrap();
            (row, probability)
        };
        Export {
            name: name.to_owned(),
            file,
            signals: card["signals"].as_array().unwrap().iter().map(signal).collect(),
            rows: card["rows"].as_array().unwrap().iter().map(row).collect(),
        }
    }
}

fn signal(card: &Value) -> Signal {
    let kind = match card["levels"].as_array() {
        None => SignalKind::Number,
        Some(levels) => SignalKind::Category {
            levels: levels.iter().map(|level| level.as_str().unwrap().to_owned()).collect(),
        },
    };
    Signal::new(card["name"].as_str().unwrap(), kind)
}

pub fn numbers(count: usize) -> Vec<Signal> {
    (0..count).map(|at| Signal::new(format!("n{at}"), SignalKind::Number)).collect()
}

/// A message of the file format, field by field.
#[derive(Clone, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    pub fn whole(mut self, field: u64, value: u64) -> Message {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    pub fn bytes(mut self, field: u64, value: impl AsRef<[u8]>) -> Message {
        self.varint(field << 3 | 2);
        self.varint(value.as_ref().len() as u64);
        self.0.extend_from_slice(value.as_ref());
        self
    }

    fn varint(&mut self, mut value: u64) {
        while value > 127 {
            self.0.push(value as u8 | 128);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A graph of an input `x` of floats and an output `p`.
#[derive(Clone)]
pub struct Made {
    graph: Message,
    pub outside: Message,
}

impl Made {
    /// With an input of those dimensions; 0 is an open one.
    pub fn new(input: &[u64]) -> Made {
        let graph =
            Message::default().bytes(11, port("x", 1, input)).bytes(12, port("p", 1, &[0, 1]));
        Made { graph, outside: Message::default() }
    }

    pub fn node(self, operator: &str, inputs: &[&str], output: &str) -> Made {
        self.node_with(operator, inputs, output, &[])
    }

    /// With attributes that are whole numbers.
    pub fn node_with(
        mut self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, u64)],
    ) -> Made {
        let mut node = Message::default();
        for input in inputs {
            node = node.bytes(1, input);
        }
        node = node.bytes(2, output).bytes(3, format!("the {output}")).bytes(4, operator);
        for (name, value) in attributes {
            node = node.bytes(5, Message::default().bytes(1, name).whole(3, *value).whole(20, 2));
        }
        self.graph = self.graph.bytes(1, node);
        self
    }

    /// A constant of floats, all of them 0.1.
    pub fn weights(self, name: &str, dims: &[u64]) -> Made {
        let count = dims.iter().product::<u64>();
        let values: Vec<u8> = (0..count).flat_map(|_| 0.1f32.to_le_bytes()).collect();
        self.constant(name, 1, dims, &values)
    }

    pub fn whole(self, name: &str, values: &[i64]) -> Made {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, 7, &[values.len() as u64], &bytes)
    }

    pub fn constant(self, name: &str, kind: u64, dims: &[u64], raw: &[u8]) -> Made {
        self.tensor(tensor(name, kind, dims).bytes(9, raw))
    }

    pub fn tensor(mut self, tensor: Message) -> Made {
        self.graph = self.graph.bytes(5, tensor);
        self
    }

    /// Anything else of the graph.
    pub fn also(mut self, field: u64, value: Message) -> Made {
        self.graph = self.graph.bytes(field, value);
        self
    }

    pub fn file(&self) -> Vec<u8> {
        let version = Message::default().bytes(1, "").whole(2, 17);
        let model = Message::default().whole(1, 8).bytes(8, version).bytes(7, &self.graph);
        [model.0, self.outside.0.clone()].concat()
    }
}

pub fn tensor(name: &str, kind: u64, dims: &[u64]) -> Message {
    let mut tensor = Message::default();
    for dim in dims {
        tensor = tensor.whole(1, *dim);
    }
    tensor.whole(2, kind).bytes(8, name)
}

pub fn port(name: &str, kind: u64, dims: &[u64]) -> Message {
    let mut shape = Message::default();
    for dim in dims {
        let size = Message::default();
        shape = shape.bytes(1, if *dim == 0 { size } else { size.whole(1, *dim) });
    }
    let tensor = Message::default().whole(1, kind).bytes(2, shape);
    Message::default().bytes(1, name).bytes(2, Message::default().bytes(1, tensor))
}
