//! What `rapport` says to files that are not what they should be: one sentence, and nothing half made.
#![allow(clippy::unwrap_used)]

mod folder;

use folder::{Folder, leads};
use std::fmt::Write;
use std::fs;

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
        (["one class.csv", "won", ""], "target “won” has one value only, “no”, in all 60 rows"),
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
        (["noise.csv", "won", ""], "noise.csv is not text: byte 5 is zero"),
        (["absent.csv", "won", ""], "cannot read absent.csv"),
        (["states.csv", "won", ""], "target “won” has 3 values, “lost” (30 rows)"),
        (["good.csv", "Wonn", ""], "there is no column “Wonn” (did you mean “won”?)"),
        (["good.csv", "won", "--positive=maybe"], "target “won” never is “maybe”: it holds"),
        (
            ["good.csv", "won", "--exclude=visit"],
            "there is no column “visit” (did you mean “visits”?)",
        ),
        (["good.csv", "won", "--separator=;"], "try --separator ','"),
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
