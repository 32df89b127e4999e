//! Foreign models through the command line.
#![allow(clippy::unwrap_used)]

use std::process::Command;

fn import(model: &str) -> (bool, String) {
    let models = "../conformance/models";
    let out = std::env::temp_dir().join(format!("rapport-import-{}-{model}", std::process::id()));
    let run = Command::new(env!("CARGO_BIN_EXE_rapport"))
        .args(["import", "--input", &format!("{models}/{model}"), "--out"])
        .arg(&out)
        .output()
        .unwrap();
    let written =
        rapport_core::model::Model::open(&std::fs::read(&out).unwrap_or_default()).is_ok();
    let _ = std::fs::remove_file(&out);
    assert_eq!(run.status.success(), written);
    (written, String::from_utf8(run.stderr).unwrap())
}

#[test]
fn each_kind_of_model_is_recognised_and_imported() {
    for model in ["mixed.txt", "xgboost.json", "ensemble.onnx"] {
        let (imported, said) = import(model);
        assert!(imported, "{model}: {said}");
    }
}

#[test]
fn what_cannot_be_scored_alike_is_refused_with_the_reason() {
    for (model, reason) in [
        ("binary.ubj", "save it as model.json"),
        ("multiclass.json", "several outputs"),
        ("linear.txt", "linear_tree=false"),
        ("points.rpm", "no ONNX"),
    ] {
        let (imported, said) = import(model);
        assert!(!imported && said.contains(reason), "{model}: {said}");
    }
}

#[test]
fn a_model_that_claims_billions_of_levels_is_refused_before_it_costs_memory() {
    let model = std::env::temp_dir().join(format!("rapport-levels-{}.txt", std::process::id()));
    let text = "tree\nversion=v4\nnum_class=1\nmax_feature_idx=0\nobjective=binary sigmoid:1\n\
                feature_names=a\nfeature_infos=0:1:99999999999\n\nend of trees\n";
    std::fs::write(&model, text).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_rapport"))
        .args(["import", "--out", "/nowhere", "--input"])
        .arg(&model)
        .output()
        .unwrap();
    std::fs::remove_file(&model).unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(said.contains("100000000000 levels are more than 65536"), "{said}");
}
