//! Rows of the log as lines of a file: CSV after RFC 4180 that no spreadsheet takes for a formula, or one JSON object each.

use domain::audit::{AuditChange, AuditEntry};

/// First line of the CSV.
pub const CSV_HEAD: &str = "time,actor,account,role,address,action,outcome,reason,count,changes\r\n";
/// Spreadsheets take a cell for a formula, or lose its beginning, where it begins with one of these.
const STEERING: [char; 8] = ['=', '+', '-', '@', '\t', '\r', '\n', '\0'];

/// One line of CSV with its line end.
pub fn csv_line(entry: &AuditEntry) -> String {
    let AuditEntry { id: _, at, actor, action, outcome, reason, count, changes } = entry;
    let changes: Vec<String> = changes.iter().map(told).collect();
    let cells = [
        time(*at),
        cell(&actor.name),
        cell(actor.id.as_ref().map_or("", |id| id.as_str())),
        cell(actor.role.map_or("", |role| role.as_str())),
        cell(actor.address.as_deref().unwrap_or_default()),
        cell(action),
        cell(outcome.as_str()),
        cell(reason.as_deref().unwrap_or_default()),
        count.to_string(),
        cell(&changes.join("; ")),
    ];
    cells.join(",") + "\r\n"
}

/// One JSON object with its line end.
pub fn json_line(entry: &AuditEntry) -> String {
    // Texts, numbers and lists of them always have a JSON form.
    serde_json::to_string(entry).unwrap_or_default() + "\n"
}

/// A change in one line: `user ada: enabled: yes -> no`.
fn told(change: &AuditChange) -> String {
    let AuditChange { kind, id, name, fields } = change;
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
    let fields =
        fields.iter().map(|field| format!("{}: {} -> {}", field.field, value(&field.before), value(&field.after)));
    let fields: Vec<String> = fields.collect();
    let id = if id.is_empty() || id == name { String::new() } else { format!(" ({id})") };
    format!("{kind} {name}{id}: {}", fields.join(", "))
}

pub(crate) fn cell(text: &str) -> String {
    let steers = if text.starts_with(STEERING) { "'" } else { "" };
    format!("\"{steers}{}\"", text.replace('"', "\"\""))
}

/// `2026-11-22T10:30:00.123Z`
pub(crate) fn time(at: u64) -> String {
    let (minutes, rest) = (at / 60_000 * 60_000, at % 60_000);
    format!("{}:{:02}.{:03}Z", domain::policy::format_utc(minutes), rest / 1_000, rest % 1_000)
}

#[cfg(test)]
mod tests {
    use domain::audit::{AuditActor, AuditField, AuditOutcome};

    use super::*;

    fn entry() -> AuditEntry {
        AuditEntry {
            id: "0123456789ab".into(),
            at: 1_795_343_405_007,
            actor: AuditActor { name: "=cmd()".into(), id: None, role: None, address: Some("10.0.0.1".into()) },
            action: "user added".into(),
            outcome: AuditOutcome::Done,
            reason: None,
            count: 1,
            changes: vec![AuditChange {
                kind: "user".into(),
                id: "abcdefghijkl".into(),
                name: "a \"b\"\r\nc".into(),
                fields: vec![AuditField { field: "enabled".into(), before: None, after: Some("yes".into()) }],
            }],
        }
    }

    #[test]
    fn a_row_is_one_record_of_csv() {
        assert_eq!(
            csv_line(&entry()),
            "2026-11-22T10:30:05.007Z,\"'=cmd()\",\"\",\"\",\"10.0.0.1\",\"user added\",\"done\",\"\",1,\
             \"user a \"\"b\"\"\r\nc (abcdefghijkl): enabled: (none) -> yes\"\r\n"
        );
        assert_eq!(CSV_HEAD.matches(',').count(), 9);
    }

    #[test]
    fn no_cell_begins_like_a_formula() {
        for start in ["=", "+", "-", "@", "\t", "\r", "\n", "\0"] {
            assert_eq!(cell(&format!("{start}1")), format!("\"'{start}1\""));
        }
        assert_eq!(cell("a=1"), "\"a=1\"");
    }

    #[test]
    fn a_row_is_one_line_of_json() {
        let line = json_line(&entry());
        assert_eq!((line.matches('\n').count(), line.ends_with("}\n")), (1, true));
        assert_eq!(serde_json::from_str::<AuditEntry>(&line).unwrap(), entry());
    }
}
