//! An ONNX file, read without copying what it holds.

use crate::OpenError;
use crate::tensor::{Element, Tensor};
use rapport_core::model::import::protobuf::{Message, Value};
use std::collections::BTreeMap;

/// Bytes that a file may have.
pub const MOST_BYTES: usize = 16 << 20;
/// Nodes, initialisers, inputs and outputs that a graph may have, each.
pub const MOST_PARTS: usize = 4096;
/// Attributes of a node, and dimensions of a tensor.
const MOST_SMALL: usize = 64;

/// A graph with its constants told apart.
pub struct Graph<'a> {
    /// In an order in which each node follows those that it reads.
    pub nodes: Vec<Node<'a>>,
    pub constants: BTreeMap<&'a str, Constant<'a>>,
    /// What a caller gives.
    pub inputs: Vec<Port<'a>>,
    pub outputs: Vec<Port<'a>>,
    /// Messages of the model beside its graph that say how to read it.
    pub versions: Vec<&'a [u8]>,
    pub metadata: BTreeMap<&'a str, &'a str>,
}

pub struct Node<'a> {
    /// What people find it by: its name, else its first output.
    pub name: &'a str,
    pub operator: &'a str,
    pub domain: &'a str,
    /// Empty where an optional one is left out.
    pub inputs: Vec<&'a str>,
    pub outputs: Vec<&'a str>,
    pub message: &'a [u8],
}

/// A value that no input changes, and the message that the file has it in.
pub struct Constant<'a> {
    pub tensor: Tensor<'a>,
    pub message: &'a [u8],
    pub is_node: bool,
}

/// An input or output of the graph.
pub struct Port<'a> {
    pub name: &'a str,
    /// Nothing where it is no tensor.
    pub element: Option<Element>,
    /// Nothing where a dimension is open.
    pub dims: Vec<Option<u64>>,
    /// Whether it says nothing about its dimensions.
    pub unshaped: bool,
}

/// One attribute's values; which of them is filled depends on its type.
#[derive(Default)]
pub struct Attribute<'a> {
    pub integers: Vec<i64>,
    pub numbers: Vec<f64>,
    pub texts: Vec<&'a str>,
    pub tensor: Option<Tensor<'a>>,
}

pub fn broken(what: impl Into<String>) -> OpenError {
    OpenError::Broken(what.into())
}

/// The fields of a message that the file calls `what`.
pub fn fields<'a>(
    bytes: &'a [u8],
    what: &'static str,
) -> impl Iterator<Item = Result<(u64, Value<'a>), OpenError>> {
    let mut message = Message::new(bytes);
    let mut over = false;
    std::iter::from_fn(move || {
        let field = if over { None } else { message.next() }?;
        over = field.is_none();
        let field = field.map(|field| (field.number, field.value));
        Some(field.ok_or_else(|| broken(format!("{what} is damaged or ends early"))))
    })
}

pub fn text(value: Value<'_>) -> Result<&str, OpenError> {
    std::str::from_utf8(value.bytes()).map_err(|_| broken("a name is not UTF-8"))
}

fn push<T>(to: &mut Vec<T>, what: &str, most: usize, value: T) -> Result<(), OpenError> {
    if to.len() >= most {
        let what = what.to_owned();
        return Err(OpenError::TooLarge { what, found: most as u64 + 1, most: most as u64 });
    }
    to.push(value);
    Ok(())
}

impl<'a> Graph<'a> {
    /// Reads a file: all there is is counted before memory is taken for it.
    pub fn read(bytes: &'a [u8]) -> Result<Graph<'a>, OpenError> {
        if bytes.len() > MOST_BYTES {
            return Err(OpenError::TooLarge {
                what: "bytes of the file".to_owned(),
                found: bytes.len() as u64,
                most: MOST_BYTES as u64,
            });
        }
        let mut graph = None;
        let (mut versions, mut metadata) = (Vec::new(), BTreeMap::new());
        for field in fields(bytes, "the file") {
            let (number, value) = field?;
            match number {
                7 if graph.is_none() => graph = Some(value.bytes()),
                7 => return Err(broken("it has two graphs")),
                8 => push(&mut versions, "operator sets", MOST_SMALL, value.bytes())?,
                14 => {
                    let (mut key, mut told) = ("", "");
                    for field in fields(value.bytes(), "a note of the file") {
                        match field? {
                            (1, value) => key = text(value)?,
                            (2, value) => told = text(value)?,
                            _ => {}
                        }
                    }
                    // The rest are the exporter's own notes.
                    if key.starts_with("rapport.") {
                        metadata.insert(key, told);
                    }
                }
                20 => {
                    return unsupported("a graph for training", "export the model for inference");
                }
                25 => {
                    return unsupported(
                        "a function that the file defines",
                        "export with functions inlined (onnx.inliner.inline_local_functions)",
                    );
                }
                _ => {}
            }
        }
        let graph = graph.ok_or_else(|| broken("it has no graph"))?;
        let mut found = Graph {
            nodes: Vec::new(),
            constants: BTreeMap::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            versions,
            metadata,
        };
        for field in fields(graph, "the graph") {
            let (number, value) = field?;
            match number {
                1 => found.node(value.bytes())?,
                5 => {
                    let (name, tensor) = Tensor::named(value.bytes())?;
                    let constant = Constant { tensor, message: value.bytes(), is_node: false };
                    found.constant(name, constant)?;
                }
                11 => push(&mut found.inputs, "inputs", MOST_PARTS, Port::read(value.bytes())?)?,
                12 => push(&mut found.outputs, "outputs", MOST_PARTS, Port::read(value.bytes())?)?,
                15 => {
                    return unsupported("a sparse initialiser", "export dense weights");
                }
                _ => {}
            }
        }
        // Old exporters name initialisers among the inputs.
        found.inputs.retain(|port| !found.constants.contains_key(port.name));
        found.sort()?;
        Ok(found)
    }

    fn constant(&mut self, name: &'a str, constant: Constant<'a>) -> Result<(), OpenError> {
        if self.constants.len() >= MOST_PARTS {
            let (found, most) = (MOST_PARTS as u64 + 1, MOST_PARTS as u64);
            return Err(OpenError::TooLarge { what: "constants".to_owned(), found, most });
        }
        match self.constants.insert(name, constant) {
            None => Ok(()),
            Some(_) => Err(broken(format!("it defines \"{name}\" twice"))),
        }
    }

    fn node(&mut self, message: &'a [u8]) -> Result<(), OpenError> {
        let node = Node::read(message)?;
        if node.operator == "Constant" && node.domain.is_empty() {
            let name = node.outputs.first().copied().unwrap_or_default();
            let tensor = node.constant()?;
            return self.constant(name, Constant { tensor, message, is_node: true });
        }
        push(&mut self.nodes, "nodes", MOST_PARTS, node)
    }

    /// Brings the nodes in order; refuses what is defined twice, nowhere, or by itself.
    fn sort(&mut self) -> Result<(), OpenError> {
        let mut makers: BTreeMap<&str, Option<usize>> =
            self.constants.keys().map(|&name| (name, None)).collect();
        let twice = |name: &str| broken(format!("it defines \"{name}\" twice"));
        for port in &self.inputs {
            if makers.insert(port.name, None).is_some() {
                return Err(twice(port.name));
            }
        }
        for (at, node) in self.nodes.iter().enumerate() {
            for &output in node.outputs.iter().filter(|output| !output.is_empty()) {
                if makers.insert(output, Some(at)).is_some() {
                    return Err(twice(output));
                }
            }
        }
        let mut waits = vec![0usize; self.nodes.len()];
        let mut readers: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            for &input in node.inputs.iter().filter(|input| !input.is_empty()) {
                match makers.get(input) {
                    None => {
                        return Err(node.wrong(format!(
                            "it reads \"{input}\", which nothing makes: export the whole model"
                        )));
                    }
                    Some(None) => {}
                    Some(&Some(maker)) => {
                        waits[at] += 1;
                        readers[maker].push(at);
                    }
                }
            }
        }
        let mut order: Vec<usize> = (0..waits.len()).filter(|&at| waits[at] == 0).collect();
        let mut next = 0;
        while let Some(&at) = order.get(next) {
            next += 1;
            for &reader in &readers[at] {
                waits[reader] -= 1;
                if waits[reader] == 0 {
                    order.push(reader);
                }
            }
        }
        if let Some(stuck) = (0..waits.len()).find(|&at| waits[at] > 0) {
            let what = "it waits for its own result: the graph has a circle, export it again";
            return Err(self.nodes[stuck].wrong(what.to_owned()));
        }
        let mut place = vec![0; order.len()];
        for (to, &at) in order.iter().enumerate() {
            place[at] = to;
        }
        let mut nodes: Vec<(usize, Node<'a>)> =
            place.into_iter().zip(std::mem::take(&mut self.nodes)).collect();
        nodes.sort_by_key(|(place, _)| *place);
        self.nodes = nodes.into_iter().map(|(_, node)| node).collect();
        Ok(())
    }
}

pub fn unsupported<T>(what: impl Into<String>, instead: &'static str) -> Result<T, OpenError> {
    Err(OpenError::Unsupported { what: what.into(), instead })
}

impl<'a> Node<'a> {
    fn read(message: &'a [u8]) -> Result<Node<'a>, OpenError> {
        let (inputs, outputs) = (Vec::new(), Vec::new());
        let mut node = Node { name: "", operator: "", domain: "", inputs, outputs, message };
        let mut attributes = 0;
        for field in fields(message, "a node") {
            let (number, value) = field?;
            match number {
                1 => push(&mut node.inputs, "inputs of a node", MOST_PARTS, text(value)?)?,
                2 => push(&mut node.outputs, "outputs of a node", MOST_PARTS, text(value)?)?,
                3 => node.name = text(value)?,
                4 => node.operator = text(value)?,
                5 => attributes += 1,
                7 => node.domain = text(value)?,
                _ => {}
            }
        }
        if node.name.is_empty() {
            node.name = node.outputs.first().copied().unwrap_or_default();
        }
        if node.domain == "ai.onnx" {
            node.domain = "";
        }
        if attributes > MOST_SMALL {
            return Err(node.wrong(format!("{attributes} attributes are more than {MOST_SMALL}")));
        }
        Ok(node)
    }

    pub fn wrong(&self, what: impl Into<String>) -> OpenError {
        OpenError::Node { node: self.name.to_owned(), what: what.into() }
    }

    /// The attribute of that name, or one without values.
    pub fn attribute(&self, name: &str) -> Result<Attribute<'a>, OpenError> {
        for field in fields(self.message, "a node") {
            if let (5, value) = field? {
                let (called, attribute) = Attribute::read(value.bytes())?;
                if called == name {
                    return Ok(attribute);
                }
            }
        }
        Ok(Attribute::default())
    }

    pub fn integer(&self, name: &str, usual: i64) -> Result<i64, OpenError> {
        Ok(self.attribute(name)?.integers.first().copied().unwrap_or(usual))
    }

    pub fn number(&self, name: &str, usual: f64) -> Result<f64, OpenError> {
        Ok(self.attribute(name)?.numbers.first().copied().unwrap_or(usual))
    }

    /// Whether a graph hangs inside the node: loops and branches.
    pub fn has_graphs(&self) -> Result<bool, OpenError> {
        for field in fields(self.message, "a node") {
            if let (5, value) = field? {
                for field in fields(value.bytes(), "an attribute") {
                    if matches!(field?.0, 6 | 11 | 21 | 22 | 23) {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    fn constant(&self) -> Result<Tensor<'a>, OpenError> {
        for name in ["value", "value_float", "value_int", "value_floats", "value_ints"] {
            let attribute = self.attribute(name)?;
            if let Some(tensor) = attribute.tensor {
                return Ok(tensor);
            }
            let is_list = name.ends_with('s');
            let (element, numbers) = if name.starts_with("value_float") {
                (Element::F32, attribute.numbers)
            } else {
                (Element::I64, attribute.integers.iter().map(|&number| number as f64).collect())
            };
            if !numbers.is_empty() {
                return Ok(Tensor::of(element, numbers, is_list));
            }
        }
        for name in ["value_string", "value_strings"] {
            let texts = self.attribute(name)?.texts;
            if !texts.is_empty() {
                return Ok(Tensor::texts(texts.len(), name.ends_with('s')));
            }
        }
        Err(self.wrong("the constant has no value that can be read: export it as a dense tensor"))
    }
}

impl<'a> Attribute<'a> {
    fn read(bytes: &'a [u8]) -> Result<(&'a str, Attribute<'a>), OpenError> {
        let mut attribute = Attribute::default();
        let mut name = "";
        for field in fields(bytes, "an attribute") {
            let (number, value) = field?;
            match number {
                1 => name = text(value)?,
                2 | 7 => attribute.numbers.extend(value.floats().into_iter().map(f64::from)),
                3 | 8 => attribute.integers.extend(value.integers()),
                4 | 9 => attribute.texts.push(text(value)?),
                5 => attribute.tensor = Some(Tensor::named(value.bytes())?.1),
                _ => {}
            }
        }
        Ok((name, attribute))
    }
}

impl<'a> Port<'a> {
    fn read(bytes: &'a [u8]) -> Result<Port<'a>, OpenError> {
        let mut port = Port { name: "", element: None, dims: Vec::new(), unshaped: true };
        for field in fields(bytes, "an input or output") {
            match field? {
                (1, value) => port.name = text(value)?,
                (2, value) => {
                    for field in fields(value.bytes(), "a type") {
                        if let (1, value) = field? {
                            port.tensor(value.bytes())?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(port)
    }

    fn tensor(&mut self, bytes: &'a [u8]) -> Result<(), OpenError> {
        for field in fields(bytes, "a tensor's type") {
            match field? {
                (1, Value::Varint(code)) => self.element = Element::of(code),
                (2, value) => {
                    self.unshaped = false;
                    for field in fields(value.bytes(), "a shape") {
                        let mut size = None;
                        for field in fields(field?.1.bytes(), "a dimension") {
                            if let (1, Value::Varint(dim)) = field? {
                                size = Some(dim).filter(|&dim| dim > 0 && dim < 1 << 62);
                            }
                        }
                        push(&mut self.dims, "dimensions", MOST_SMALL, size)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}
