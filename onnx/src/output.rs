//! Which of a graph's outputs is the probability, and how it is written.

use crate::OpenError;
use crate::graph::{Graph, Node};
use crate::tensor::Element;

/// Where the probability stands, before it is known how wide the value is.
pub struct Wanted<'a> {
    pub value: &'a str,
    /// The class that counts, where the graph names classes.
    pub column: Option<usize>,
    pub is_logit: bool,
}

/// Says which output of the file to read; else it is found.
pub const OUTPUT: &str = "rapport.output";
/// Says `logit` or `probability` where the graph does not show it.
pub const SCALE: &str = "rapport.scale";

pub fn wanted<'a>(graph: &Graph<'a>) -> Result<Wanted<'a>, OpenError> {
    let wrong = |what: String| Err(OpenError::Output(what));
    let can_be = |name: &str| {
        let port = graph.outputs.iter().find(|port| port.name == name);
        port.is_some_and(|port| {
            matches!(port.element, Some(Element::F32 | Element::F64))
                // Exporters leave types out; a map has none.
                || port.element.is_none()
        })
    };
    let candidates: Vec<&str> =
        graph.outputs.iter().map(|port| port.name).filter(|name| can_be(name)).collect();
    let told = graph.metadata.get(OUTPUT).copied();
    let name = match (told, candidates.as_slice()) {
        (Some(told), _) => match graph.outputs.iter().find(|port| port.name == told) {
            Some(port) => port.name,
            None => {
                let names: Vec<&str> = graph.outputs.iter().map(|port| port.name).collect();
                return wrong(format!(
                    "the card names \"{told}\", but the graph has {}",
                    names.join(", ")
                ));
            }
        },
        (None, []) => {
            return wrong(
                "none holds decimal numbers: export a classifier with its probabilities".to_owned(),
            );
        }
        (None, &[one]) => one,
        (None, several) => {
            let mut like =
                several.iter().copied().filter(|name| name.to_lowercase().contains("prob"));
            match (like.next(), like.next()) {
                (Some(one), None) => one,
                _ => {
                    return wrong(format!(
                        "several could be the probability ({}): name one in the card",
                        several.join(", ")
                    ));
                }
            }
        }
    };
    let (mut value, mut column) = (name, None);
    if let Some(node) = maker(graph, name)
        && node.operator == "ZipMap"
    {
        value = node.inputs.first().copied().unwrap_or_default();
        let numbers = node.attribute("classlabels_int64s")?.integers;
        let texts = node.attribute("classlabels_strings")?.texts;
        if numbers.len().max(texts.len()) != 2 {
            return wrong(format!(
                "\"{name}\" has {} classes: export a model of two",
                numbers.len().max(texts.len())
            ));
        }
        // Exporters sort classes, so that the one that counts comes second, unless they say otherwise.
        column = Some(numbers.iter().position(|&class| class == 1).unwrap_or(1));
    }
    let is_logit = match graph.metadata.get(SCALE).copied() {
        Some("logit") => true,
        Some("probability") => false,
        Some(other) => {
            return wrong(format!("the scale \"{other}\" is unknown: say logit or probability"));
        }
        None => match nature(graph, value, 0)? {
            Nature::Probability => false,
            Nature::Unknown(last) => {
                return wrong(format!(
                    "\"{name}\" comes from {last}, which gives any number: end the graph in Sigmoid or \
                     Softmax, or say in the card that it is a logit"
                ));
            }
        },
    };
    Ok(Wanted { value, column, is_logit })
}

pub fn maker<'g, 'a>(graph: &'g Graph<'a>, value: &str) -> Option<&'g Node<'a>> {
    graph.nodes.iter().find(|node| node.outputs.contains(&value))
}

enum Nature {
    Probability,
    /// The operator that a value comes from.
    Unknown(String),
}

/// Whether what a value comes from keeps it from 0 to 1.
fn nature(graph: &Graph<'_>, value: &str, depth: usize) -> Result<Nature, OpenError> {
    const PASSES: [&str; 18] = [
        "Identity",
        "Cast",
        "Reshape",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "Concat",
        "Mul",
        "Div",
        "Sub",
        "Clip",
        "Dropout",
        "Normalizer",
        "Gather",
        "Slice",
        "ArrayFeatureExtractor",
        "Split",
        "Transpose",
    ];
    let Some(node) = maker(graph, value).filter(|_| depth < 64) else {
        return Ok(Nature::Unknown("the input itself".to_owned()));
    };
    match node.operator {
        "Sigmoid" | "Softmax" | "HardSigmoid" => Ok(Nature::Probability),
        "LinearClassifier" | "SVMClassifier" => {
            let transform = node.attribute("post_transform")?.texts.first().copied();
            Ok(match transform {
                Some("LOGISTIC" | "SOFTMAX") => Nature::Probability,
                _ => Nature::Unknown("a classifier without post_transform".to_owned()),
            })
        }
        // Forests write probabilities into their leaves; whatever else comes is found at run time.
        "TreeEnsembleClassifier" => Ok(Nature::Probability),
        operator if PASSES.contains(&operator) => {
            let inputs = node.inputs.iter().copied();
            let dynamic = inputs.filter(|input| !graph.constants.contains_key(input));
            let mut last = Nature::Unknown(operator.to_owned());
            for input in dynamic {
                last = nature(graph, input, depth + 1)?;
                if matches!(last, Nature::Unknown(_)) {
                    break;
                }
            }
            Ok(last)
        }
        operator => Ok(Nature::Unknown(operator.to_owned())),
    }
}
