//! A view of the whole database that stays as it was at its beginning while others go on writing: the engine's
//! transaction, over as many statements as it takes.

use surrealdb::{
    Surreal,
    engine::{any::Any, local::Db},
    method::Transaction,
    types::{SurrealValue, Variables},
};

use super::{Handle, fault, guarded};
use crate::StoreError;

pub(crate) enum View {
    Folder(Transaction<Db>),
    Any(Transaction<Any>),
}

impl Handle {
    /// Begins a view; [`View::end`] ends it.
    pub(crate) async fn view(&self) -> Result<View, StoreError> {
        let begun = match self {
            Self::Folder { db, .. } => guarded(Surreal::clone(db).begin().into_future()).await?.map(View::Folder),
            Self::Memory(db) => guarded(Surreal::clone(db).begin().into_future()).await?.map(View::Any),
            // A connection of its own: a long reading must not stand in the way of a sign of life.
            Self::Server(remote) => remote.another().await?.begin().await.map(View::Any),
        };
        begun.map_err(fault)
    }
}

impl View {
    /// The rows that the only statement of `text` selects.
    pub(crate) async fn all<T: SurrealValue>(
        &self,
        text: &'static str,
        parameters: Variables,
    ) -> Result<Vec<T>, StoreError> {
        let answer = match self {
            Self::Folder(transaction) => guarded(transaction.query(text).bind(parameters).into_future()).await?,
            Self::Any(transaction) => guarded(transaction.query(text).bind(parameters).into_future()).await?,
        };
        let mut results = answer.map_err(fault)?.check().map_err(fault)?;
        results.take(0).map_err(|error| StoreError::corrupt(error.message()))
    }

    /// Nothing was written, so nothing is kept.
    pub(crate) async fn end(self) -> Result<(), StoreError> {
        match self {
            Self::Folder(transaction) => guarded(transaction.cancel().into_future()).await?.map(drop),
            Self::Any(transaction) => guarded(transaction.cancel().into_future()).await?.map(drop),
        }
        .map_err(fault)
    }
}
