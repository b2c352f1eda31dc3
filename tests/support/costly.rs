//! Payloads that take the longest to read of all that fit into a token.

/// As many members as there can be; and the numbers that are hardest to read, halfway between two doubles.
pub(crate) fn payloads(issuer: &str) -> [String; 2] {
    let members: Vec<_> = (0..700).map(|name| format!(r#""{name}":0"#)).collect();
    let members = format!("{{{}}}", members.join(","));
    let numbers = format!("[{}]", ["2.2250738585072011361e-308"; 210].join(","));
    [members, numbers].map(|filling| format!(r#"{{"iss":"{issuer}","exp":1,"a":{filling}}}"#))
}
