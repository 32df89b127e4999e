//! Versions as conditions compare them: as texts in which numbers are padded.

/// The text that a version is compared as. Numbers are padded to five places, so that 10 comes
/// behind 9; a release comes behind its pre-releases; a leading `v` and the build are left out.
pub fn padded(version: &str) -> String {
    let build = version.bytes().position(|byte| byte == b'+');
    let version = build.and_then(|at| version.get(..at)).unwrap_or(version);
    let mut rest = Some(version.strip_prefix('v').unwrap_or(version));
    let mut out = String::with_capacity(24);
    let mut parts = 0;
    while let Some(left) = rest {
        let end = left.bytes().position(|byte| byte == b'-' || byte == b'.').unwrap_or(left.len());
        let part = left.get(..end).unwrap_or_default();
        rest = left.get(end + 1..);
        if parts > 0 {
            out.push('-');
        }
        parts += 1;
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            (part.len()..5).for_each(|_| out.push(' '));
        }
        out.push_str(part);
    }
    if parts == 3 {
        out.push_str("-~");
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
