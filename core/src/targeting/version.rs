//! Versions as conditions compare them: as texts in which numbers are padded.

/// The text that a version is compared as. Numbers are padded to five places, so that 10 comes
/// behind 9; a release comes behind its pre-releases; a leading `v` and the build are left out.
pub fn padded(version: &str) -> String {
    let version = version.split('+').next().unwrap_or_default();
    let version = version.strip_prefix('v').unwrap_or(version);
    let mut parts: Vec<&str> = version.split(['-', '.']).collect();
    if parts.len() == 3 {
        parts.push("~");
    }
    let mut out = String::with_capacity(24);
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.push('-');
        }
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            (part.len()..5).for_each(|_| out.push(' '));
        }
        out.push_str(part);
    }
    out
}

/// The same of any value: texts and numbers have versions, all else counts as version 0.
pub fn padded_value(value: &super::Value<'_>) -> String {
    match value {
        super::Value::Text(text) if !text.is_empty() => padded(text),
        super::Value::Number(number) if *number != 0.0 => padded(&super::number::text(*number)),
        _ => padded("0"),
    }
}
