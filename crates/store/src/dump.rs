//! Everything in the database as plain values, read from one unchanging view and in bounded pieces, and put into an empty
//! database again. The values are those of the tables as they are, of whatever schema; a form of our own stands between
//! them and the engine's, so that what was kept for years does not depend on its version.

use std::ops::Bound;

use serde::{Deserialize, Serialize};
use surrealdb::types::{
    Array, Bytes, Number, Object, RecordId, RecordIdKey, RecordIdKeyRange, SurrealValue, Value, Variables,
};
use tokio::sync::mpsc;

use crate::{StoreError, engine::Handle, engine::View};

/// A value of a row. New kinds go to the end: their order is their code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Cell {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Cell>),
    Map(Vec<(String, Cell)>),
}

/// Some rows of one table, in the order of their keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    pub table: String,
    pub rows: Vec<(Cell, Cell)>,
}

/// One part of a dump.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Comes first and once.
    Head {
        schema: u64,
        revision: u64,
    },
    Rows(Page),
    /// Comes last and once, when everything was sent.
    End,
}

/// The tables of the configuration, sessions apart: whoever was signed in signs in again.
const CONFIGURATION: &[&str] = &["admin", "backend", "user", "key", "alias", "setting", "audit"];
/// The tables of usage, with how many of their rows are read at a time.
const USAGE: &[(&str, u64)] = &[
    ("usage_state", 1),
    ("usage_segment", 16),
    ("usage_rollup", 256),
    ("usage_slot", 4),
    ("usage_day", 2),
    ("usage_month", 2),
    ("usage_key", 256),
    ("usage_pending", 256),
];
const ROWS: u64 = 256;
/// Tables that schema 3, 5 and 8 brought.
const SINCE_3: &[&str] = &["audit", "usage_pending"];
const SINCE_5: &[&str] = &["usage_slot", "usage_day", "usage_month"];
const SINCE_8: &[&str] = &["alias"];

const META: &str = "SELECT schema, revision FROM meta:state";
const PAGE: &str = "SELECT * FROM $range LIMIT $page";
const PUT: &str = "BEGIN TRANSACTION;
FOR $row IN $rows { UPSERT $row.id CONTENT $row.row };
COMMIT TRANSACTION;";
const REVISION: &str = "UPDATE meta:state SET revision = $revision";

/// Sends everything to `pieces`; ends early, with an error, when nobody takes them any more.
pub(crate) async fn read(handle: &Handle, usage: bool, pieces: mpsc::Sender<Piece>) -> Result<(), StoreError> {
    let view = handle.view().await?;
    let result = walk(&view, usage, &pieces).await;
    let ended = view.end().await;
    result.and(ended)
}

async fn walk(view: &View, usage: bool, pieces: &mpsc::Sender<Piece>) -> Result<(), StoreError> {
    let heads: Vec<Head> = view.all(META, Variables::new()).await?;
    let Some(Head { schema, revision }) = heads.into_iter().next() else {
        return Err(StoreError::corrupt("it holds no state"));
    };
    send(pieces, Piece::Head { schema, revision }).await?;
    // Tables of a later schema are not there yet in a database that was stopped at an earlier one.
    let since = [(3, SINCE_3), (5, SINCE_5), (8, SINCE_8)];
    let there = |table: &str| since.iter().all(|(version, tables)| schema >= *version || !tables.contains(&table));
    for table in CONFIGURATION.iter().filter(|table| there(table)) {
        pages(view, table, ROWS, pieces).await?;
    }
    for (table, rows) in USAGE.iter().filter(|(table, _)| usage && there(table)) {
        pages(view, table, *rows, pieces).await?;
    }
    send(pieces, Piece::End).await
}

#[derive(SurrealValue)]
struct Head {
    schema: u64,
    revision: u64,
}

async fn pages(view: &View, table: &'static str, rows: u64, pieces: &mpsc::Sender<Piece>) -> Result<(), StoreError> {
    let mut after = Bound::Unbounded;
    loop {
        let range = RecordIdKey::Range(Box::new(RecordIdKeyRange { start: after, end: Bound::Unbounded }));
        let mut parameters = Variables::new();
        parameters.insert("range", RecordId::new(table, range));
        parameters.insert("page", rows);
        let found: Vec<Value> = view.all(PAGE, parameters).await?;
        let full = found.len() as u64 == rows;
        let mut page = Page { table: table.to_owned(), rows: Vec::with_capacity(found.len()) };
        let mut last = None;
        for value in found {
            let Value::Object(mut row) = value else { return Err(unknown(table)) };
            let Some(Value::RecordId(id)) = row.remove("id") else { return Err(unknown(table)) };
            let key = key_cell(&id.key).ok_or_else(|| unknown(table))?;
            let row = cell(Value::Object(row)).ok_or_else(|| unknown(table))?;
            page.rows.push((key, row));
            last = Some(id.key);
        }
        if !page.rows.is_empty() {
            send(pieces, Piece::Rows(page)).await?;
        }
        match last {
            Some(key) if full => after = Bound::Excluded(key),
            _ => return Ok(()),
        }
    }
}

async fn send(pieces: &mpsc::Sender<Piece>, piece: Piece) -> Result<(), StoreError> {
    pieces.send(piece).await.map_err(|_| StoreError::other("the reading was given up"))
}

fn unknown(table: &str) -> StoreError {
    StoreError::corrupt(format_args!("a row of the table {table} holds what cannot be copied"))
}

/// Puts rows into tables that are there; what is there under the same keys is replaced.
pub(crate) async fn put(handle: &Handle, page: Page) -> Result<(), StoreError> {
    let known = || CONFIGURATION.iter().copied().chain(USAGE.iter().map(|(table, _)| *table));
    let Some(table) = known().find(|table| *table == page.table) else {
        return Err(StoreError::corrupt("the copy has a table that is not known"));
    };
    let mut rows = Vec::with_capacity(page.rows.len());
    for (key, row) in page.rows {
        let (Some(key), Some(row @ Value::Object(_))) = (record_key(key), value(row)) else {
            return Err(unknown(table));
        };
        let mut both = Object::new();
        both.insert("id", Value::RecordId(RecordId::new(table, key)));
        both.insert("row", row);
        rows.push(Value::Object(both));
    }
    let mut parameters = Variables::new();
    parameters.insert("rows", rows);
    handle.run(PUT, parameters).await.map(drop)
}

pub(crate) async fn set_revision(handle: &Handle, revision: u64) -> Result<(), StoreError> {
    let mut parameters = Variables::new();
    parameters.insert("revision", revision);
    handle.run(REVISION, parameters).await.map(drop)
}

fn cell(value: Value) -> Option<Cell> {
    Some(match value {
        Value::None | Value::Null => Cell::None,
        Value::Bool(value) => Cell::Bool(value),
        Value::Number(Number::Int(value)) => Cell::Int(value),
        Value::Number(Number::Float(value)) => Cell::Float(value),
        Value::String(text) => Cell::Text(text),
        Value::Bytes(bytes) => Cell::Bytes(bytes.to_vec()),
        Value::Array(array) => Cell::List(array.into_iter().map(cell).collect::<Option<_>>()?),
        Value::Object(object) => {
            let members = object.into_inner().into_iter();
            Cell::Map(members.map(|(name, value)| Some((name, cell(value)?))).collect::<Option<_>>()?)
        }
        // None of our tables has any other.
        _ => return None,
    })
}

fn value(cell: Cell) -> Option<Value> {
    Some(match cell {
        Cell::None => Value::None,
        Cell::Bool(value) => Value::Bool(value),
        Cell::Int(value) => Value::Number(Number::Int(value)),
        Cell::Float(value) => Value::Number(Number::Float(value)),
        Cell::Text(text) => Value::String(text),
        Cell::Bytes(bytes) => Value::Bytes(Bytes::from(bytes)),
        Cell::List(cells) => Value::Array(Array::from(cells.into_iter().map(value).collect::<Option<Vec<Value>>>()?)),
        Cell::Map(members) => {
            let mut object = Object::new();
            for (name, cell) in members {
                object.insert(name, value(cell)?);
            }
            Value::Object(object)
        }
    })
}

fn key_cell(key: &RecordIdKey) -> Option<Cell> {
    Some(match key {
        RecordIdKey::Number(number) => Cell::Int(*number),
        RecordIdKey::String(text) => Cell::Text(text.as_str().to_owned()),
        RecordIdKey::Array(array) => cell(Value::Array(array.clone()))?,
        _ => return None,
    })
}

fn record_key(cell: Cell) -> Option<RecordIdKey> {
    Some(match cell {
        Cell::Int(number) => RecordIdKey::Number(number),
        Cell::Text(text) => RecordIdKey::from(text),
        list @ Cell::List(_) => match value(list)? {
            Value::Array(array) => RecordIdKey::Array(array),
            _ => return None,
        },
        _ => return None,
    })
}
