//! The policies of a key and its user, made ready once for many requests.

use std::{net::IpAddr, sync::Arc};

use domain::{
    network::Networks,
    policy::{ModelPattern, Policy, normal_name},
};

use super::Ceilings;

/// What is in force for one key: its own policy and its user's together. Cheap to clone, and nothing at all for keys
/// that have neither.
#[derive(Clone, Default)]
pub struct Rules(Option<Arc<Compiled>>);

struct Compiled {
    expires_at: Option<u64>,
    models: Vec<Vec<ModelPattern>>,
    networks: Vec<Networks>,
    management: bool,
    topology: bool,
    ceilings: Ceilings,
    key: Quotas,
    user: Quotas,
}

/// What is counted for one key or one user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Quotas {
    pub(crate) concurrent: Option<u64>,
    pub(crate) minute: Option<u64>,
    pub(crate) day: Option<u64>,
    pub(crate) month: Option<u64>,
    pub(crate) gpu_ms: Option<u64>,
}

impl Quotas {
    fn of(policy: &Policy) -> Self {
        Self {
            concurrent: policy.concurrent.map(u64::from),
            minute: policy.tokens_per_minute,
            day: policy.tokens_per_day,
            month: policy.tokens_per_month,
            gpu_ms: policy.gpu_seconds_per_day.map(|seconds| seconds.saturating_mul(1_000)),
        }
    }

    pub(crate) fn any(&self) -> bool {
        *self != Self::default()
    }

    /// Something that a request's body must be read for.
    pub(crate) fn budgets(&self) -> bool {
        self.minute.is_some() || self.day.is_some() || self.month.is_some() || self.gpu_ms.is_some()
    }
}

impl Rules {
    pub fn new(key: &Policy, user: &Policy) -> Self {
        if key.is_default() && user.is_default() {
            return Self(None);
        }
        let both = [key, user];
        let smallest = |part: fn(&Policy) -> Option<u32>| both.iter().filter_map(|policy| part(policy)).min();
        Self(Some(Arc::new(Compiled {
            expires_at: both.iter().filter_map(|policy| policy.expires_at).min(),
            models: both.iter().map(|policy| policy.models.clone()).filter(|models| !models.is_empty()).collect(),
            networks: both.iter().map(|policy| policy.networks.clone()).filter(|list| !list.is_empty()).collect(),
            management: both.iter().any(|policy| policy.management),
            topology: both.iter().any(|policy| policy.topology),
            ceilings: Ceilings {
                num_ctx: smallest(|policy| policy.num_ctx),
                num_predict: smallest(|policy| policy.num_predict),
                keep_alive_s: smallest(|policy| policy.keep_alive_s),
            },
            key: Quotas::of(key),
            user: Quotas::of(user),
        })))
    }

    /// Unix milliseconds from which on the key is not in force.
    pub(crate) fn expires_at(&self) -> Option<u64> {
        self.0.as_ref()?.expires_at
    }

    pub(crate) fn expired(&self, unix: u64) -> bool {
        self.expires_at().is_some_and(|at| unix >= at)
    }

    pub(crate) fn admits_address(&self, address: IpAddr) -> bool {
        self.networks().iter().all(|networks| networks.contains(address))
    }

    /// Addresses are admitted by the same lists.
    pub(crate) fn same_networks(&self, other: &Self) -> bool {
        self.networks() == other.networks()
    }

    fn networks(&self) -> &[Networks] {
        self.0.as_ref().map_or(&[], |rules| &rules.networks)
    }

    pub(crate) fn management(&self) -> bool {
        self.0.as_ref().is_some_and(|rules| rules.management)
    }

    /// It may see which backend answers, and why that one; its user's permission counts as well.
    pub(crate) fn topology(&self) -> bool {
        self.0.as_ref().is_some_and(|rules| rules.topology)
    }

    /// Some models may be used and others not.
    pub(crate) fn restricts_models(&self) -> bool {
        self.0.as_ref().is_some_and(|rules| !rules.models.is_empty())
    }

    /// Whether a model may be used and seen, in any spelling of its name.
    pub(crate) fn admits_model(&self, model: &str) -> bool {
        let Some(rules) = self.0.as_ref().filter(|rules| !rules.models.is_empty()) else { return true };
        let normal = normal_name(model);
        rules.models.iter().all(|patterns| patterns.iter().any(|pattern| pattern.admits(&normal)))
    }

    /// Whether a model may be used because each list has its very name, and not only a pattern that matches it.
    pub(crate) fn names_model(&self, model: &str) -> bool {
        let Some(rules) = self.0.as_ref().filter(|rules| !rules.models.is_empty()) else { return true };
        let normal = normal_name(model);
        rules.models.iter().all(|patterns| patterns.iter().any(|pattern| pattern.as_str() == normal))
    }

    pub(crate) fn ceilings(&self) -> Ceilings {
        self.0.as_ref().map_or_else(Ceilings::default, |rules| rules.ceilings)
    }

    /// What is counted for the key itself and for its user.
    pub(crate) fn quotas(&self) -> Option<(&Quotas, &Quotas)> {
        self.0.as_ref().map(|rules| (&rules.key, &rules.user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(key: Policy, user: Policy) -> Rules {
        Rules::new(&key, &user)
    }

    #[test]
    fn without_policies_there_is_nothing_to_ask() {
        let rules = rules(Policy::default(), Policy::default());
        assert!(
            rules.0.is_none()
                && rules.quotas().is_none()
                && !rules.management()
                && !rules.topology()
                && !rules.expired(u64::MAX)
        );
        assert!(rules.admits_model("x") && rules.admits_address([1, 2, 3, 4].into()));
    }

    #[test]
    fn both_policies_apply_and_the_stricter_wins() {
        let key = Policy {
            expires_at: Some(20),
            num_ctx: Some(100),
            keep_alive_s: Some(5),
            models: vec!["llama*".parse().unwrap(), "qwen3".parse().unwrap()],
            networks: Networks::parse("10.0.0.0/8").unwrap(),
            management: true,
            ..Policy::default()
        };
        let user = Policy {
            expires_at: Some(10),
            num_ctx: Some(50),
            num_predict: Some(7),
            topology: true,
            models: vec!["*:latest".parse().unwrap()],
            networks: Networks::parse("10.1.0.0/16 ::1").unwrap(),
            ..Policy::default()
        };
        let rules = rules(key, user);
        assert!(rules.expired(10) && !rules.expired(9));
        assert_eq!(rules.ceilings(), Ceilings { num_ctx: Some(50), num_predict: Some(7), keep_alive_s: Some(5) });
        assert!(rules.management() && rules.topology() && rules.restricts_models());
        for (model, expected) in [("LLAMA3", true), ("llama3:8b", false), ("Library/Qwen3", true), ("phi", false)] {
            assert_eq!(rules.admits_model(model), expected, "{model}");
        }
        for (address, expected) in [("10.1.2.3", true), ("::ffff:10.1.2.3", true), ("10.2.0.1", false), ("::1", false)]
        {
            assert_eq!(rules.admits_address(address.parse().unwrap()), expected, "{address}");
        }
    }
}
