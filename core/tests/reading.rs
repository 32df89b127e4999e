//! Cells as people write them.
#![cfg(feature = "train")]
#![allow(clippy::panic)]

use rapport_core::training::reading::{
    ColumnKind, DateOrder, DecimalMark, Sketch, days, is_missing, number, says_nothing,
};

#[test]
fn numbers_are_read_with_their_marks_signs_and_units() {
    use DecimalMark::{Comma, Point};
    for (text, mark, value) in [
        ("1234.5", Point, 1234.5),
        ("-1,234,567.25", Point, -1_234_567.25),
        ("$ 1,200", Point, 1200.0),
        ("12 %", Point, 12.0),
        ("1e3", Point, 1000.0),
        ("1 234.5", Point, 1234.5),
        ("1'234", Point, 1234.0),
        ("1.234,5", Comma, 1234.5),
        ("0,125", Comma, 0.125),
        ("-3,5 €", Comma, -3.5),
        ("1e400", Point, f64::from(f32::MAX)),
        ("-inf", Point, f64::from(f32::MIN)),
    ] {
        assert_eq!(number(text, mark), Some(value), "{text}");
    }
    for text in ["", "abc", "1,2", "1,23,456", "0,125", "1.2.3", "12-3", "NaN", "--1", "1,,234"] {
        assert_eq!(number(text, Point), None, "{text}");
    }
}

#[test]
fn dates_are_read_in_the_forms_that_exports_use() {
    use DateOrder::{DayFirst, MonthFirst};
    for (text, order, value) in [
        ("1970-01-02", DayFirst, 1.0),
        ("2024-02-29T12:00:00Z", DayFirst, 19_782.5),
        ("2024-02-29 06:00", DayFirst, 19_782.25),
        ("2024-02-29T12:00:00+06:00", DayFirst, 19_782.25),
        ("29.02.2024", DayFirst, 19_782.0),
        ("02/29/2024", MonthFirst, 19_782.0),
        ("2/29/2024 6:00 PM", MonthFirst, 19_782.75),
        ("29 Feb 2024", DayFirst, 19_782.0),
        ("February 29, 2024", DayFirst, 19_782.0),
        ("2024/02/29", DayFirst, 19_782.0),
    ] {
        assert_eq!(days(text, order), Some(value), "{text}");
    }
    for text in ["2023-02-29", "29.02.2024.1", "12:30", "20240229", "31/31/2024", "1.2.24", "hello"]
    {
        assert_eq!(days(text, DayFirst), None, "{text}");
    }
}

#[test]
fn select_and_empty_are_missing_and_unknown_only_where_a_number_is_due() {
    for text in ["", "  ", "Select", "SELECT", "N/A", "null", "NaN"] {
        assert!(is_missing(text), "{text}");
    }
    assert!(!is_missing("unknown") && says_nothing("unknown"));
    assert!(!is_missing("Selected") && !says_nothing("0"));
}

#[test]
fn a_column_is_what_nearly_all_of_its_cells_say() {
    let numbers = (0..100).map(|n| if n == 40 { "oops".into() } else { n.to_string() });
    let ColumnKind::Number { strays: 1, first_stray: Some(stray), .. } = kind(numbers) else {
        panic!("not a number")
    };
    assert_eq!((stray.row, stray.text.as_str()), (41, "oops"));
    let commas = (0..100).map(|n| format!("{n},5"));
    assert!(matches!(kind(commas), ColumnKind::Number { mark: DecimalMark::Comma, strays: 0, .. }));
    let thousands = (0..100).map(|n| format!("{},500", n + 1));
    assert!(matches!(kind(thousands), ColumnKind::Number { mark: DecimalMark::Point, .. }));
    let american = (0..100).map(|n| format!("{}/{}/2024", n % 12 + 1, n % 28 + 1));
    assert!(matches!(kind(american), ColumnKind::Date { order: DateOrder::MonthFirst, .. }));
    let texts = (0..100).map(|n| format!("note {n}"));
    assert!(matches!(kind(texts), ColumnKind::FreeText { distinct: 100 }));
    let cities = (0..100).map(|n| if n % 3 == 0 { "Köln" } else { "Select" }.into());
    assert_eq!(kind(cities), ColumnKind::Category { levels: vec!["Köln".into()] });
    assert_eq!(kind((0..100).map(|_| "same".into())), ColumnKind::Constant);
    assert_eq!(kind((0..100).map(|_| String::new())), ColumnKind::Constant);
}

fn kind(cells: impl Iterator<Item = String>) -> ColumnKind {
    let mut sketch = Sketch::default();
    cells.for_each(|cell| sketch.see(&cell));
    sketch.kind()
}
