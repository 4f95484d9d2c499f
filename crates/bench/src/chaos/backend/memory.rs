//! The models in a machine's memory: loaded for a time, pushed out by others when nobody uses them, as Ollama does.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::sleep};

pub struct Memory {
    most: usize,
    models: Mutex<Vec<Loaded>>,
    /// One was loaded, or is used no longer.
    changed: Notify,
}

struct Loaded {
    name: String,
    ready: bool,
    users: usize,
    /// Counts up; the smallest goes first.
    used: u64,
}

/// Keeps a model in memory until it is dropped.
pub struct Using<'m> {
    memory: &'m Memory,
    name: String,
}

impl Drop for Using<'_> {
    fn drop(&mut self) {
        if let Some(model) = self.memory.lock().iter_mut().find(|model| model.name == self.name) {
            model.users -= 1;
        }
        self.memory.changed.notify_waiters();
    }
}

/// Whoever loads a model may leave before it is there.
struct Loading<'m> {
    memory: &'m Memory,
    name: &'m str,
    done: bool,
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        let mut models = self.memory.lock();
        match models.iter().position(|model| model.name == self.name) {
            Some(at) if self.done => models[at].ready = true,
            Some(at) => _ = models.remove(at),
            None => {}
        }
        drop(models);
        self.memory.changed.notify_waiters();
    }
}

impl Memory {
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), models: Mutex::default(), changed: Notify::new() }
    }

    /// It could answer for the model now.
    pub fn has(&self, name: &str) -> bool {
        self.lock().iter().any(|model| model.ready && model.name == name)
    }

    /// What `/api/ps` tells.
    pub fn names(&self) -> Vec<String> {
        self.lock().iter().filter(|model| model.ready).map(|model| model.name.clone()).collect()
    }

    /// Waits until the model is in memory; loads it where it is not.
    pub async fn take<'m>(&'m self, name: &'m str, load: Duration) -> Using<'m> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Before the look, so that no change is missed.
            changed.as_mut().enable();
            match self.enter(name) {
                Entered::Ready => break,
                Entered::Loads => {
                    let mut loading = Loading { memory: self, name, done: false };
                    sleep(load).await;
                    loading.done = true;
                }
                Entered::Waits => changed.await,
            }
        }
        Using { memory: self, name: name.to_owned() }
    }

    fn enter(&self, name: &str) -> Entered {
        let mut models = self.lock();
        let now = models.iter().map(|model| model.used).max().unwrap_or_default() + 1;
        if let Some(model) = models.iter_mut().find(|model| model.name == name) {
            if !model.ready {
                return Entered::Waits;
            }
            model.users += 1;
            model.used = now;
            return Entered::Ready;
        }
        if models.len() >= self.most {
            let idle = models.iter().enumerate().filter(|(_, model)| model.ready && model.users == 0);
            let Some((oldest, _)) = idle.min_by_key(|(_, model)| model.used) else { return Entered::Waits };
            models.remove(oldest);
        }
        models.push(Loaded { name: name.to_owned(), ready: false, users: 0, used: now });
        Entered::Loads
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Loaded>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Entered {
    Ready,
    /// This caller has to load it.
    Loads,
    Waits,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_nobody_uses_makes_room_and_what_somebody_uses_stays() {
        let memory = Memory::new(2);
        let a = memory.take("a", Duration::ZERO).await;
        drop(memory.take("b", Duration::ZERO).await);
        let c = memory.take("c", Duration::ZERO).await;
        assert_eq!(memory.names(), ["a", "c"]);
        let (mut d, mut got) = (Box::pin(memory.take("d", Duration::ZERO)), None);
        tokio::select! {
            biased;
            using = &mut d => got = Some(using),
            () = tokio::task::yield_now() => {}
        }
        assert!(got.is_none() && !memory.has("d"), "both places are in use");
        drop(a);
        drop((d.await, c));
        assert_eq!(memory.names(), ["c", "d"]);
    }
}
