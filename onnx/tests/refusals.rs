//! What is refused, and what people read then.
#![allow(clippy::unwrap_used, clippy::panic)]

mod made;

use made::{Export, Made, Message, numbers, port, tensor};
use rapport_core::model::{Signal, SignalKind};
use rapport_core::scoring::Scorer;
use rapport_onnx::{OnnxModel, marked};

fn refused(file: &[u8], signals: &[Signal]) -> String {
    match OnnxModel::open(file, signals) {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string(),
    }
}

/// `x` of eight columns through one layer.
fn layer() -> Made {
    Made::new(&[0, 8]).weights("w", &[8, 1]).node("MatMul", &["x", "w"], "z")
}

fn whole() -> Made {
    layer().node("Sigmoid", &["z"], "p")
}

#[test]
fn a_graph_made_here_runs() {
    let model = OnnxModel::open(&whole().file(), &numbers(8)).unwrap();
    let probability = model.probability(&[1.0; 8]).unwrap();
    assert!((probability - 1.0 / (1.0 + (-0.8f64).exp())).abs() < 1e-6);
}

#[test]
fn no_cut_of_a_file_opens() {
    for export in ["mlp", "columns", "attention"].map(Export::read) {
        for length in (0..export.file.len()).step_by(7) {
            let found = OnnxModel::open(&export.file[..length], &export.signals);
            // The last field is the list of operator sets, which may be missing.
            assert!(found.is_err() || length + 64 > export.file.len(), "{} {length}", export.name);
        }
    }
    assert_eq!(refused(b"", &numbers(8)), "this is no ONNX model: it has no graph");
    assert!(refused(b"<html>", &numbers(8)).starts_with("this is no ONNX model: "));
}

#[test]
fn what_is_unknown_is_named() {
    let file = layer().node("Frobnicate", &["z"], "f").node("Sigmoid", &["f"], "p").file();
    assert_eq!(
        refused(&file, &numbers(8)),
        "node \"the f\": the operator Frobnicate is unknown here; docs/onnx.md lists those that run"
    );
    let file = layer().node("If", &["z"], "f").node("Sigmoid", &["f"], "p").file();
    assert!(refused(&file, &numbers(8)).contains("the operator If is unknown"));
}

#[test]
fn an_operator_that_the_probability_does_not_need_is_passed_over() {
    let file = whole().node("Frobnicate", &["z"], "label").file();
    assert!(OnnxModel::open(&file, &numbers(8)).is_ok());
}

#[test]
fn inputs_that_differ_from_the_card_are_named_with_what_was_expected() {
    let file = whole().file();
    let message = refused(&file, &numbers(7));
    assert!(
        message.starts_with("input \"x\": it has 8 columns, and the card declares 7 signals (n0, ")
    );
    assert!(message.ends_with("a matrix of one row and 7 columns was expected"), "{message}");

    let file = Made::new(&[0, 3, 8]).node("Sigmoid", &["x"], "p").file();
    assert!(refused(&file, &numbers(8)).starts_with("input \"x\": it has 3 dimensions; a matrix"));
    let file = Made::new(&[16, 8]).node("Sigmoid", &["x"], "p").file();
    assert!(refused(&file, &numbers(8)).contains("takes 16 rows at once: export with an open"));

    let columns = Export::read("columns");
    let mut signals = columns.signals.clone();
    signals[1].name = "deep".into();
    let message = refused(&columns.file, &signals);
    assert!(
        message.starts_with(
            "input \"depth\": no signal has that name; the card declares source, deep, "
        )
    );
    let mut signals = columns.signals.clone();
    signals.push(Signal::new("country", SignalKind::Number));
    assert!(
        refused(&columns.file, &signals).starts_with("signal \"country\": no input has that name")
    );
    let mut signals = columns.signals.clone();
    signals[0].kind = SignalKind::Number;
    assert_eq!(
        refused(&columns.file, &signals),
        "input \"source\": it takes text, but the signal \"source\" is a number: declare it as a \
         category with its levels"
    );
}

#[test]
fn an_output_that_may_be_no_probability_is_asked_about() {
    let file = layer().node("Identity", &["z"], "p").file();
    let message = refused(&file, &numbers(8));
    assert!(message.contains("\"p\" comes from MatMul, which gives any number"), "{message}");
    assert!(OnnxModel::open(&marked(&file, None, Some(true)), &numbers(8)).is_ok());
    assert!(refused(&marked(&file, Some("q"), None), &numbers(8)).contains("the graph has p"));

    let three = Made::new(&[0, 8]).weights("w", &[8, 3]).node("MatMul", &["x", "w"], "z");
    let file = three.node("Softmax", &["z"], "p").file();
    assert!(refused(&file, &numbers(8)).contains("\"p\" holds 3 numbers a row"));
    let file = layer().node("Mul", &["z", "z"], "y").node("Sigmoid", &["y"], "q").node(
        "Identity",
        &["y"],
        "p",
    );
    let file = file.also(12, port("q", 1, &[0, 1])).file();
    assert!(refused(&file, &numbers(8)).contains("several could be the probability (p, q)"));
    // What lies, is found with the row.
    let file = marked(&layer().node("Identity", &["z"], "p").file(), None, Some(false));
    let model = OnnxModel::open(&file, &numbers(8)).unwrap();
    assert_eq!(model.probability(&[10.0; 8]).unwrap_err().code(), "nonsense");
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let file = Made::new(&[0, 8]).weights("w", &[9, 1]).node("MatMul", &["x", "w"], "z");
    let message = refused(&file.node("Sigmoid", &["z"], "p").file(), &numbers(8));
    assert!(
        message.starts_with("node \"the z\": its matrix takes 9 numbers and gets 8"),
        "{message}"
    );
    // In tract's part too.
    let file = layer().weights("v", &[3, 5]).node("CumSum", &["z", "a"], "c").whole("a", &[1]);
    let file = file.node("MatMul", &["c", "v"], "m").node("Sigmoid", &["m"], "p").file();
    assert!(refused(&file, &numbers(8)).starts_with("output: \"p\" cannot be computed: "));
    let short = whole().constant("k", 1, &[5], &[0; 16]).file();
    assert!(refused(&short, &numbers(8)).contains("has 4 values, but its shape [5] asks for 5"));
}

#[test]
fn circles_double_names_and_loose_ends_are_named() {
    let file = Made::new(&[0, 8]).node("Add", &["x", "b"], "a").node("Relu", &["a"], "b");
    let message = refused(&file.node("Sigmoid", &["b"], "p").file(), &numbers(8));
    assert!(message.starts_with("node \"the a\": it waits for its own result"), "{message}");
    let message = refused(&whole().node("Relu", &["x"], "z").file(), &numbers(8));
    assert!(message.contains("it defines \"z\" twice"), "{message}");
    let message = refused(&layer().node("Sigmoid", &["y"], "p").file(), &numbers(8));
    assert!(
        message.starts_with("node \"the p\": it reads \"y\", which nothing makes"),
        "{message}"
    );
}

#[test]
fn what_stands_in_other_files_or_grows_beyond_limits_is_refused() {
    let outside = Message::default().bytes(1, "location").bytes(2, "../../etc/passwd");
    let away = tensor("w", 1, &[8, 1]).whole(14, 1).bytes(13, outside);
    let file = Made::new(&[0, 8]).tensor(away).node("MatMul", &["x", "w"], "z");
    let message = refused(&file.node("Sigmoid", &["z"], "p").file(), &numbers(8));
    assert!(
        message.starts_with("the tensor \"w\", whose values are in another file,"),
        "{message}"
    );

    let huge = tensor("w", 1, &[1 << 40, 1 << 40]);
    let message = refused(&whole().tensor(huge).file(), &numbers(8));
    assert!(message.starts_with("values of the tensor \"w\": "), "{message}");
    let wide = Made::new(&[0, 1 << 40]).node("Sigmoid", &["x"], "p").file();
    assert!(refused(&wide, &numbers(8)).contains("it has 1099511627776 columns"));
    assert!(refused(&vec![0; 17 << 20], &numbers(8)).contains("make the model smaller"));

    // Constants that tract would multiply out while it reads.
    let many = Made::new(&[0, 8]).weights("c", &[4000, 1]).weights("r", &[1, 4000]);
    let many = many.node("MatMul", &["c", "r"], "m").node("ReduceSum", &["m"], "s");
    let many = many.node("Add", &["x", "s"], "t").node("Sigmoid", &["t"], "p").file();
    assert!(refused(&many, &numbers(8)).contains("values that node \"the m\" makes of constants"));
    let size = layer().whole("s", &[1 << 20, 1 << 20]).node("Expand", &["z", "s"], "e");
    let size = size.node("ReduceMean", &["e"], "m").node("Sigmoid", &["m"], "p").file();
    assert!(refused(&size, &numbers(8)).contains("node \"the e\": it expands to"));
    // And values of a row: an outer product of an outer product.
    let mut outer = Made::new(&[0, 64]).whole("one", &[2]).whole("two", &[1]);
    outer = outer.node("Unsqueeze", &["x", "one"], "a").node("Unsqueeze", &["x", "two"], "b");
    outer = outer
        .node("MatMul", &["a", "b"], "c")
        .whole("flat", &[1, 1, 4096])
        .whole("tall", &[1, 4096, 1]);
    outer = outer.node("Reshape", &["c", "flat"], "d").node("Reshape", &["c", "tall"], "e");
    outer = outer.node("MatMul", &["e", "d"], "f").node("ReduceMean", &["f"], "m").node(
        "Sigmoid",
        &["m"],
        "p",
    );
    let message = refused(&outer.file(), &numbers(64));
    assert!(message.contains("bytes, more than 67108864"), "{message}");
}

#[test]
fn graphs_for_training_functions_and_sparse_weights_are_refused() {
    for (field, what) in [(20, "a graph for training"), (25, "a function that the file defines")] {
        let mut file = whole();
        file.outside = Message::default().bytes(field, Message::default());
        assert!(refused(&file.file(), &numbers(8)).starts_with(what));
    }
    let sparse = whole().also(15, Message::default());
    assert!(refused(&sparse.file(), &numbers(8)).starts_with("a sparse initialiser"));
}
