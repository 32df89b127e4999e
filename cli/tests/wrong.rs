//! What `rapport` says to files that are not what they should be: one sentence, and nothing half made.
#![allow(clippy::unwrap_used)]

mod folder;

use folder::{Folder, leads};
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::process::Output;

#[test]
fn what_is_wrong_with_a_file_is_said_in_one_sentence() {
    let folder = Folder::new("wrong");
    let table = leads(60, 0);
    folder.write("good.csv", &table);
    folder.write("two.csv", "visits,won\n1,yes\n2,no\n");
    folder.write("one class.csv", &table.replace(",yes", ",no"));
    folder.write("ragged.csv", &table.replacen("\n9,", "\n9,9,", 1));
    folder.write("cut.csv", &table[..table.len() - 12]);
    folder.write("empty.csv", "");
    folder.write("header.csv", "a,b,won\n");
    folder.write("twice.csv", "a,a,won\n1,2,yes\n");
    fs::write(folder.0.join("book.csv"), b"PK\x03\x04 a workbook").unwrap();
    fs::write(folder.0.join("noise.csv"), b"a,b\n\x01\x00\x02,3\n").unwrap();
    let wide: Vec<u8> = table.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(folder.0.join("half.csv"), &wide[..wide.len() - 1]).unwrap();
    folder.write("open.csv", &table.replacen("\n9,", "\n9,\"", 1));
    folder.write("open last.csv", &table.replacen(",yes\n", ",\"yes\n", 1));
    folder.write("open header.csv", &table.replacen("visits", "\"visits", 1));
    folder.write("carets.csv", &table.replace(',', "^"));
    folder.write("spreadsheet.csv", &format!("sep=,\n{table}"));
    folder.write("side.csv", &(vec!["a"; 70_000].join(",") + ",won\n"));
    fs::create_dir_all(folder.0.join("folder.csv")).unwrap();
    folder.write(
        "states.csv",
        &(0..90).fold("a,won\n".to_owned(), |mut text, row| {
            let _ = writeln!(text, "{row},{}", ["open", "won", "lost"][row % 3]);
            text
        }),
    );
    for (arguments, sentence) in [
        (
            ["two.csv", "won", ""],
            "the target has 1 positive and 1 negative rows, and a model needs at least 5 of each",
        ),
        (["one class.csv", "won", ""], "target “won” has one value only, “no” (60 rows)"),
        (
            ["ragged.csv", "won", ""],
            "ragged.csv: row 22 (line 23) has 5 cells where the header has 4",
        ),
        (
            ["cut.csv", "won", ""],
            "row 60 (line 61) has 3 cells where the header has 4: it is the last row, so the file seems cut off",
        ),
        (["empty.csv", "won", ""], "empty.csv is empty"),
        (["header.csv", "won", ""], "header.csv has a header but no rows"),
        (["twice.csv", "won", ""], "two columns are called “a” (columns 1 and 2)"),
        (["book.csv", "won", ""], "is a workbook or archive, not text: save the sheet as CSV"),
        (["noise.csv", "won", ""], "noise.csv is not text: line 2 holds a zero byte"),
        (["half.csv", "won", ""], "half.csv ends in the middle of a character of UTF-16"),
        (["open.csv", "won", ""], "a quotation mark opens in row 22 (line 23) and is never closed"),
        (["open last.csv", "won", ""], "and is never closed: close it, or write it twice"),
        (["open header.csv", "won", ""], "column 1 of the header runs over 61 lines"),
        (
            ["carets.csv", "won", ""],
            "the header is one column, “visits^source^since^won”; say with --separator",
        ),
        (["spreadsheet.csv", "won", ""], "begins with “sep=,”"),
        (["folder.csv", "won", ""], "folder.csv is a folder: give a CSV file"),
        (["absent.csv", "won", ""], "cannot read absent.csv"),
        (["states.csv", "won", ""], "target “won” has 3 values, “lost” (30 rows)"),
        (["good.csv", "Wonn", ""], "there is no column “Wonn” (did you mean “won”?)"),
        (["good.csv", "won", "--positive=maybe"], "target “won” never is “maybe”: it holds"),
        (
            ["good.csv", "won", "--exclude=visit"],
            "there is no column “visit” (did you mean “visits”?)",
        ),
        (["good.csv", "won", "--separator=;"], "try --separator ','"),
        (
            ["good.csv", "won", "--time-column=source"],
            "column “source” holds neither dates nor different numbers",
        ),
        (["side.csv", "won", ""], "side.csv has 70001 columns, and 65535 are the most"),
    ] {
        let [input, target, option] = arguments;
        let mut command = vec!["train", "--input", input, "--target", target, "--out", "m.rpm"];
        command.extend((!option.is_empty()).then_some(option));
        let said = folder.refused(&command);
        assert!(said.contains(sentence), "{input}: {said}");
        assert_eq!(said.trim().lines().count(), 1, "{said}");
        assert!(!folder.0.join("m.rpm").exists(), "no half-made model");
    }
}

#[test]
fn a_file_that_lacks_a_signal_of_the_model_is_refused() {
    let folder = Folder::new("lacking");
    folder.write("old.csv", &leads(200, 0));
    folder.write("new.csv", &leads(5, 0).replace("visits", "Visit"));
    folder
        .ok(&["train", "--input", "old.csv", "--target", "won", "--trees", "10", "--out", "m.rpm"]);
    let said =
        folder.refused(&["score", "--model", "m.rpm", "--input", "new.csv", "--out", "s.csv"]);
    assert!(
        said.contains(
            "the model reads the column “visits”, which is not there (did you mean “Visit”?)"
        ),
        "{said}"
    );
    let said =
        folder.refused(&["score", "--model", "old.csv", "--input", "new.csv", "--out", "s.csv"]);
    assert!(said.contains("old.csv is no usable model"), "{said}");
}

#[test]
fn models_that_are_cut_off_changed_or_none_are_refused() {
    let folder = Folder::new("models");
    folder.write("old.csv", &leads(200, 0));
    folder
        .ok(&["train", "--input", "old.csv", "--target", "won", "--trees", "10", "--out", "m.rpm"]);
    let model = fs::read(folder.0.join("m.rpm")).unwrap();
    let mut flipped = model.clone();
    flipped[model.len() / 2] ^= 1;
    let mut newer = model.clone();
    newer[4] = 9;
    for (bytes, sentence) in [
        (&model[..model.len() / 2], "the model file ends early"),
        (&flipped, "the model file is damaged"),
        (&newer, "format version 9, this build reads up to 1"),
        (&[model.as_slice(), b"x"].concat(), "bytes behind its end"),
        (b"noise", "this is not a model file"),
        (b"", "this is not a model file"),
    ] {
        fs::write(folder.0.join("bad.rpm"), bytes).unwrap();
        for command in [vec!["score", "--out", "s.csv"], vec!["evaluate", "--target", "won"]] {
            let said = folder
                .refused(&[&command[..], &["--model", "bad.rpm", "--input", "old.csv"]].concat());
            assert!(said.contains(sentence), "{said}");
            assert_eq!(said.trim().lines().count(), 1, "{said}");
        }
    }
    let text = "tree\nversion=v4\nmax_feature_idx=0\nobjective=binary\n\nTree=0\nnum_leaves=1";
    for (bytes, sentence) in [
        (text, "it ends before “end of trees”"),
        ("{\"learner\": {", "this is no XGBoost JSON model"),
        ("a,b\n1,2\n", "begins like no model of LightGBM (“tree”) or XGBoost"),
        ("", "bad.txt is empty"),
    ] {
        folder.write("bad.txt", bytes);
        let said = folder.refused(&["import", "--input", "bad.txt", "--out", "o.rpm"]);
        assert!(said.contains(sentence), "{said}");
    }
    assert!(!folder.0.join("s.csv").exists() && !folder.0.join("o.rpm").exists());
}

#[test]
fn what_cannot_be_written_is_said_and_devices_stay_devices() {
    let folder = Folder::new("outputs");
    folder.write("old.csv", &leads(200, 0));
    fs::create_dir_all(folder.0.join("folder")).unwrap();
    let train = |out: &str, report: &str| {
        let train = ["train", "--input", "old.csv", "--target", "won", "--trees", "5"];
        folder.run(&[&train[..], &["--out", out, "--report", report]].concat())
    };
    let said = |output: &Output| String::from_utf8(output.stderr.clone()).unwrap();
    for (out, report, sentence) in [
        ("absent/m.rpm", "r.json", "cannot write absent/m.rpm: there is no folder absent"),
        ("m.rpm", "absent/r.json", "cannot write absent/r.json: there is no folder absent"),
        ("folder", "r.json", "cannot write folder: it is a folder, name a file in it"),
    ] {
        let output = train(out, report);
        assert!(!output.status.success());
        assert_eq!(said(&output).trim(), format!("rapport: {sentence}"));
        assert!(!folder.0.join("m.rpm").exists());
    }
    assert!(train("m.rpm", "r.json").status.success());
    let score =
        |out: &str| folder.run(&["score", "--model", "m.rpm", "--input", "old.csv", "--out", out]);
    let full = said(&score("/dev/full"));
    assert!(full.starts_with("rapport: cannot write /dev/full: "), "{full}");
    assert!(fs::metadata("/dev/full").unwrap().file_type().is_char_device());
    assert!(score("/dev/null").status.success());
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    let printed = score("/dev/stdout");
    assert!(printed.stdout.starts_with(b"row,probability,score,band\n1,"));
    fs::write(folder.0.join("real.csv"), "").unwrap();
    std::os::unix::fs::symlink("real.csv", folder.0.join("link.csv")).unwrap();
    assert!(score("link.csv").status.success());
    assert!(folder.read("real.csv").starts_with("row,"), "a link stays a link");
    let left = fs::read_dir(&folder.0).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().all(|name| !name.ends_with(".part")), "nothing half written stays");
}
