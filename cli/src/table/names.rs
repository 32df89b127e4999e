//! Which name somebody may have meant.

/// The names nearest to `wanted`, as a sentence's end: ` (did you mean “a” or “b”?)`, or nothing.
pub fn nearest(wanted: &str, names: &[String]) -> String {
    let wanted = wanted.trim().to_lowercase();
    let mut near: Vec<(usize, &String)> =
        names.iter().map(|name| (distance(&wanted, &name.trim().to_lowercase()), name)).collect();
    near.sort_by_key(|(distance, _)| *distance);
    let limit = (wanted.chars().count() / 3).max(2);
    let near: Vec<String> = near
        .into_iter()
        .take_while(|near| near.0 <= limit)
        .take(3)
        .map(|near| format!("“{}”", near.1))
        .collect();
    if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(" or ")) }
}

/// Edits that turn one text into the other; 0 too where one begins with the other's whole text.
fn distance(a: &str, b: &str) -> usize {
    if a.len() >= 3 && b.contains(a) {
        return usize::from(a != b);
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, y) in b.iter().enumerate() {
            let kept = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = kept.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_mistyped_name_finds_the_one_that_was_meant() {
        let names = ["Converted", "TotalVisits", "City"].map(String::from);
        assert_eq!(nearest("converted ", &names), " (did you mean “Converted”?)");
        assert_eq!(nearest("Convertd", &names), " (did you mean “Converted”?)");
        assert_eq!(nearest("visits", &names), " (did you mean “TotalVisits”?)");
        assert_eq!(nearest("revenue", &names), "");
    }
}
