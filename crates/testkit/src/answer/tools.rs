//! The call of a tool: what the fake answers to a question that comes with tools. It calls the first one, with always the
//! same arguments, and answers in words once it was told a result.

use serde_json::{Value, json};

use super::Asked;

/// Tokens that a call counts.
pub(super) const TOKENS: usize = 1;

pub(super) struct Call<'a> {
    pub(super) name: &'a str,
    pub(super) arguments: Value,
}

impl Asked<'_> {
    /// The call that answers this request, if one does.
    pub(super) fn call(&self) -> Option<Call<'_>> {
        let tool = self.body.get("tools")?.get(0)?;
        let name = tool.get("function").unwrap_or(tool).get("name")?.as_str()?;
        let last = self.body.get("messages")?.as_array()?.last()?;
        let told = last.pointer("/content/0/type").and_then(Value::as_str) == Some("tool_result");
        let asks = last.get("role").and_then(Value::as_str) == Some("user") && !told;
        asks.then(|| Call { name, arguments: json!({"city": "Paris"}) })
    }
}
