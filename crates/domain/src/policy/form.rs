//! A policy on its way from a form or a command: whose it is, and what was typed. Forms are one level deep, so the fields
//! of [`PolicyInput`] stand beside the id.

use serde::{Deserialize, Serialize};

use super::PolicyInput;
use crate::id::{KeyId, UserId};

/// Replaces the whole policy of a key or a user; every field as in [`PolicyInput`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetPolicy<Id> {
    pub id: Id,
    #[serde(default)]
    pub concurrent: String,
    #[serde(default)]
    pub tokens_per_minute: String,
    #[serde(default)]
    pub tokens_per_day: String,
    #[serde(default)]
    pub tokens_per_month: String,
    #[serde(default)]
    pub gpu_seconds_per_day: String,
    #[serde(default)]
    pub expires_at: String,
    #[serde(default)]
    pub models: String,
    #[serde(default)]
    pub management: String,
    #[serde(default)]
    pub topology: String,
    #[serde(default)]
    pub num_ctx: String,
    #[serde(default)]
    pub num_predict: String,
    #[serde(default)]
    pub keep_alive_s: String,
    #[serde(default)]
    pub networks: String,
}

pub type SetKeyPolicy = SetPolicy<KeyId>;
pub type SetUserPolicy = SetPolicy<UserId>;

impl<Id> SetPolicy<Id> {
    pub fn new(id: Id, input: PolicyInput) -> Self {
        Self {
            id,
            concurrent: input.concurrent,
            tokens_per_minute: input.tokens_per_minute,
            tokens_per_day: input.tokens_per_day,
            tokens_per_month: input.tokens_per_month,
            gpu_seconds_per_day: input.gpu_seconds_per_day,
            expires_at: input.expires_at,
            models: input.models,
            management: input.management,
            topology: input.topology,
            num_ctx: input.num_ctx,
            num_predict: input.num_predict,
            keep_alive_s: input.keep_alive_s,
            networks: input.networks,
        }
    }

    pub fn into_parts(self) -> (Id, PolicyInput) {
        let input = PolicyInput {
            concurrent: self.concurrent,
            tokens_per_minute: self.tokens_per_minute,
            tokens_per_day: self.tokens_per_day,
            tokens_per_month: self.tokens_per_month,
            gpu_seconds_per_day: self.gpu_seconds_per_day,
            expires_at: self.expires_at,
            models: self.models,
            management: self.management,
            topology: self.topology,
            num_ctx: self.num_ctx,
            num_predict: self.num_predict,
            keep_alive_s: self.keep_alive_s,
            networks: self.networks,
        };
        (self.id, input)
    }
}

impl PolicyInput {
    /// Nothing was typed. What holds a `PolicyInput` leaves an empty one out, because forms are one level deep.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Some fields of a policy as the command line gives them; what is `None` stays as it is, empty text takes the
/// restriction away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyEdit {
    pub concurrent: Option<String>,
    pub tokens_per_minute: Option<String>,
    pub tokens_per_day: Option<String>,
    pub tokens_per_month: Option<String>,
    pub gpu_seconds_per_day: Option<String>,
    pub expires_at: Option<String>,
    pub models: Option<String>,
    pub management: Option<String>,
    pub topology: Option<String>,
    pub num_ctx: Option<String>,
    pub num_predict: Option<String>,
    pub keep_alive_s: Option<String>,
    pub networks: Option<String>,
}

impl PolicyEdit {
    /// Nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is typed then, where `before` was.
    pub fn apply(self, before: PolicyInput) -> PolicyInput {
        PolicyInput {
            concurrent: self.concurrent.unwrap_or(before.concurrent),
            tokens_per_minute: self.tokens_per_minute.unwrap_or(before.tokens_per_minute),
            tokens_per_day: self.tokens_per_day.unwrap_or(before.tokens_per_day),
            tokens_per_month: self.tokens_per_month.unwrap_or(before.tokens_per_month),
            gpu_seconds_per_day: self.gpu_seconds_per_day.unwrap_or(before.gpu_seconds_per_day),
            expires_at: self.expires_at.unwrap_or(before.expires_at),
            models: self.models.unwrap_or(before.models),
            management: self.management.unwrap_or(before.management),
            topology: self.topology.unwrap_or(before.topology),
            num_ctx: self.num_ctx.unwrap_or(before.num_ctx),
            num_predict: self.num_predict.unwrap_or(before.num_predict),
            keep_alive_s: self.keep_alive_s.unwrap_or(before.keep_alive_s),
            networks: self.networks.unwrap_or(before.networks),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_field() -> PolicyInput {
        let names = serde_json::to_value(PolicyInput::default()).unwrap();
        let filled = names.as_object().unwrap().keys().map(|name| (name.clone(), serde_json::json!(name)));
        serde_json::from_value(serde_json::Value::Object(filled.collect())).unwrap()
    }

    #[test]
    fn a_form_carries_every_field_under_its_own_name() {
        let id = KeyId::new("0123456789ab").unwrap();
        let form = SetPolicy::new(id.clone(), every_field());
        let mut sent = serde_json::to_value(&form).unwrap();
        assert_eq!(serde_json::from_value::<SetKeyPolicy>(sent.clone()).unwrap().into_parts(), (id, every_field()));
        sent.as_object_mut().unwrap().remove("id");
        assert_eq!(sent, serde_json::to_value(every_field()).unwrap());
        assert!(serde_json::from_str::<SetKeyPolicy>(r#"{"id":"0123456789ab","token_per_day":"1"}"#).is_err());
    }

    #[test]
    fn what_holds_no_policy_has_no_field_for_it() {
        let user_id = UserId::new("0123456789ab").unwrap();
        let policy = PolicyInput::default();
        let key = crate::key::CreateKey { user_id, name: "k".into(), requests: "".into(), minutes: "".into(), policy };
        let user = crate::user::AddUser { name: "u".into(), policy: PolicyInput::default() };
        let sent = [serde_json::to_value(key).unwrap(), serde_json::to_value(user).unwrap()];
        assert!(
            sent.iter().all(|form| form.as_object().unwrap().values().all(serde_json::Value::is_string)),
            "{sent:?}"
        );
    }

    #[test]
    fn an_edit_changes_what_it_names() {
        let all: PolicyEdit = serde_json::from_value(serde_json::to_value(every_field()).unwrap()).unwrap();
        assert_eq!(all.apply(PolicyInput::default()), every_field());
        assert_eq!(PolicyEdit::default().apply(every_field()), every_field());
        let one = PolicyEdit { models: Some(String::new()), ..PolicyEdit::default() };
        assert_eq!(one.apply(every_field()), PolicyInput { models: String::new(), ..every_field() });
    }
}
