//! A Redis that is asked: one connection that all requests share, the budget of a call, and the count of failures after
//! which it is not asked any more.

use std::{
    sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use domain::{
    id::KeyId,
    limit::{MAX_REQUESTS, RateLimit},
};
use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value, aio::MultiplexedConnection};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    super::ring::Debt,
    dial::{self, Allowance, Opened},
};

/// The script that admits; `ring.rs` in Lua.
pub(super) const ADMIT: &str = include_str!("admit.lua");
/// Longest that a login waits, which hashes a password for as long.
const PATIENCE: Duration = Duration::from_millis(500);
/// Failures in a row after which nobody waits any more.
const FAILURES: u32 = 5;

/// One connection in use.
pub(in super::super) struct Live {
    connection: MultiplexedConnection,
    allowance: Allowance,
    budget: Duration,
    /// SHA-1 of [`ADMIT`] as Redis calls it.
    admit: String,
    /// The time the counting of which this Redis knows began with.
    pub(in super::super) era: u64,
    /// Milliseconds that the clock of Redis is ahead of ours; rather too many than too few.
    offset: AtomicI64,
    failures: AtomicU32,
    lost: AtomicBool,
    /// Rung once when it is lost.
    pub(super) bell: Notify,
    detail: std::sync::Mutex<String>,
    latency_us: AtomicU64,
    _driver: AbortOnDropHandle<()>,
}

/// What Redis says about one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Verdict {
    pub(in super::super) admitted: bool,
    pub(in super::super) remaining: u32,
    /// Milliseconds: admitted, until the oldest leaves; refused, until it is worth while to ask again.
    pub(in super::super) wait_ms: u64,
}

impl Live {
    /// Loads the script and takes the time. The error is a sentence.
    pub(super) async fn new(opened: Opened, budget: Duration, now: impl Fn() -> u64) -> Result<Self, String> {
        let Opened { connection, allowance, driver, .. } = opened;
        let mut live = Self {
            connection,
            allowance,
            budget,
            admit: String::new(),
            era: 0,
            offset: AtomicI64::new(0),
            failures: AtomicU32::new(0),
            lost: AtomicBool::new(false),
            bell: Notify::new(),
            detail: std::sync::Mutex::default(),
            latency_us: AtomicU64::new(0),
            _driver: driver,
        };
        let mut load = Cmd::new();
        load.arg("SCRIPT").arg("LOAD").arg(ADMIT);
        live.admit = match live.call(&load).await {
            Ok(Value::BulkString(text)) => String::from_utf8(text).unwrap_or_default(),
            Ok(Value::SimpleString(text)) => text,
            Ok(_) => String::new(),
            Err(error) => return Err(dial::describe(&error)),
        };
        if live.admit.len() != 40 || !live.admit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("it does not answer as Redis does".into());
        }
        live.look(now).await?;
        live.trial().await?;
        Ok(live)
    }

    /// Asks for the time, and so whether it is there. The error is a sentence.
    pub(super) async fn look(&self, now: impl Fn() -> u64) -> Result<(), String> {
        let (started, local) = (Instant::now(), now());
        let mut command = Cmd::new();
        command.arg("TIME");
        let time = self.call(&command).await.map_err(|error| dial::describe(&error))?;
        let texts = match &time {
            Value::Array(texts) => texts.as_slice(),
            _ => &[],
        };
        let number = |value: &Value| match value {
            Value::BulkString(text) => std::str::from_utf8(text).ok()?.parse::<i64>().ok(),
            Value::Int(number) => Some(*number),
            _ => None,
        };
        let (Some(seconds), Some(micros)) = (texts.first().and_then(number), texts.get(1).and_then(number)) else {
            return Err("it does not answer as Redis does".into());
        };
        let remote = seconds.saturating_mul(1_000).saturating_add(micros / 1_000);
        // Both clocks are cut to the millisecond.
        let ahead = remote.saturating_sub_unsigned(local).saturating_add(1);
        self.offset.store(ahead, Ordering::Relaxed);
        self.latency_us.store(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn latency_us(&self) -> u64 {
        self.latency_us.load(Ordering::Relaxed)
    }

    /// Decides on one request of `key`, after telling what is owed. `None` when Redis cannot be had: nobody knows then
    /// whether it counted.
    pub(in super::super) async fn admit(&self, key: &KeyId, limit: RateLimit, debt: Option<&Debt>) -> Option<Verdict> {
        let answer = self.evaluate(key.as_str(), limit, debt).await.ok()?;
        let wait_ms = u64::try_from(answer[2]).unwrap_or_default().clamp(1, u64::from(limit.minutes) * 61_000);
        let remaining = u32::try_from(answer[1]).unwrap_or_default().min(limit.requests.saturating_sub(1));
        Some(Verdict { admitted: answer[0] == 1, remaining, wait_ms })
    }

    /// Tells what is owed and asks nothing; whether it arrived.
    pub(super) async fn tell(&self, key: &KeyId, debt: &Debt) -> bool {
        self.evaluate(key.as_str(), RateLimit { requests: 0, minutes: debt.minutes }, Some(debt)).await.is_ok()
    }

    /// Admits one that nobody waits for, to see that it can. The error is a sentence.
    pub(super) async fn trial(&self) -> Result<(), String> {
        let limit = RateLimit { requests: MAX_REQUESTS, minutes: 1 };
        self.evaluate("trial", limit, None).await.map(drop).map_err(|error| dial::describe(&error))
    }

    async fn evaluate(&self, key: &str, limit: RateLimit, debt: Option<&Debt>) -> Result<[i64; 4], RedisError> {
        if self.is_lost() {
            return Err((ErrorKind::Io, "the connection is lost").into());
        }
        let command = |name: &str, script: &str| {
            let mut command = Cmd::new();
            command.arg(name).arg(script).arg(1).arg(format!("op:rl:{key}")).arg(limit.requests).arg(limit.minutes);
            for (slot, count) in debt.into_iter().flat_map(|debt| debt.at(self.offset.load(Ordering::Relaxed))) {
                command.arg(slot).arg(count);
            }
            command
        };
        let answer = async {
            match self.send(&command("EVALSHA", &self.admit)).await {
                Err(error) if matches!(error.kind(), ErrorKind::Server(ServerErrorKind::NoScript)) => {
                    self.send(&command("EVAL", ADMIT)).await
                }
                answer => answer,
            }
        };
        let answer = self.within(self.budget, answer).await.and_then(|value| {
            let numbers: Option<[i64; 4]> = integers(&value).and_then(|numbers| numbers.try_into().ok());
            numbers.filter(|[allowed, ..]| matches!(allowed, 0 | 1)).ok_or_else(strange)
        });
        self.judge(answer)
    }

    pub(super) async fn script(&self, script: &str, keys: &[String], arguments: &[String]) -> Option<Vec<i64>> {
        if self.is_lost() {
            return None;
        }
        let mut command = Cmd::new();
        command.arg("EVAL").arg(script).arg(keys.len()).arg(keys).arg(arguments);
        let answer = self.within(PATIENCE, self.send(&command)).await;
        self.judge(answer.and_then(|value| integers(&value).ok_or_else(strange))).ok()
    }

    async fn call(&self, command: &Cmd) -> Result<Value, RedisError> {
        let answer = self.within(self.budget, self.send(command)).await;
        self.judge(answer)
    }

    async fn send(&self, command: &Cmd) -> Result<Value, RedisError> {
        self.allowance.grant();
        command.query_async(&mut self.connection.clone()).await
    }

    async fn within(
        &self,
        budget: Duration,
        answer: impl Future<Output = Result<Value, RedisError>>,
    ) -> Result<Value, RedisError> {
        let late = |_| Err((ErrorKind::Io, "it does not answer in time").into());
        timeout(budget, answer).await.unwrap_or_else(late)
    }

    /// Counts failures in a row.
    fn judge<T>(&self, answer: Result<T, RedisError>) -> Result<T, RedisError> {
        match &answer {
            Ok(_) => self.failures.store(0, Ordering::Relaxed),
            Err(error) => {
                let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
                if failures >= FAILURES || error.is_connection_dropped() {
                    self.lose(dial::describe(error));
                }
            }
        }
        answer
    }

    pub(super) fn lose(&self, detail: String) {
        if !self.lost.swap(true, Ordering::AcqRel) {
            *self.detail.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = detail;
            self.bell.notify_one();
        }
    }

    /// It is not to be asked any more.
    pub(in super::super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Why it was lost.
    pub(super) fn detail(&self) -> String {
        self.detail.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

pub(super) fn integers(value: &Value) -> Option<Vec<i64>> {
    let Value::Array(values) = value else { return None };
    let number = |value: &Value| match value {
        Value::Int(number) => Some(*number),
        _ => None,
    };
    values.iter().map(number).collect()
}

fn strange() -> RedisError {
    (ErrorKind::UnexpectedReturnType, "it does not answer as Redis does").into()
}
