//! The Markdown that models write, as blocks of our own: what is known becomes a block, everything else stays text. Nothing is
//! ever turned into HTML text, nothing is lost, and text that still grows is read from its last block on only.

mod inline;
mod lines;
#[cfg(test)]
mod tests;
pub(super) mod view;

use std::sync::Arc;

pub(super) use inline::Span;
use inline::spans;
use lines::{Fence, Lines};

/// Quotes in quotes deeper than this stay text.
const DEEPEST: usize = 4;
/// So many items, rows or lines end a list where it can be cut, a list anywhere, a table and a quote: no block is so large that it
/// cannot be drawn in a frame.
const LONG_LIST: usize = 100;
const LONGEST_LIST: usize = 400;
const LONGEST_TABLE: usize = 400;
const LONGEST_QUOTE: usize = 400;

/// A part of a text that stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    /// With its rank, 1 to 6.
    Heading(usize, Vec<Span>),
    Paragraph(Vec<Span>),
    Code {
        language: String,
        text: String,
    },
    List(Vec<Item>),
    Quote(Vec<Block>),
    /// The first row is its head.
    Table(Vec<Vec<Vec<Span>>>),
    Rule,
}

/// An item of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub depth: usize,
    /// As it was written, without its bracket or dot; empty for a bullet.
    pub number: String,
    pub text: Vec<Span>,
}

/// A text that grows at its end. Blocks that are followed by others are finished and never looked at again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Flow {
    text: String,
    finished: Vec<Arc<Block>>,
    /// Where what is not finished begins.
    from: usize,
    open: Vec<Block>,
}

impl Flow {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn finished(&self) -> &[Arc<Block>] {
        &self.finished
    }

    /// What may still change.
    pub fn open(&self) -> &[Block] {
        &self.open
    }

    /// Bytes of what may still change.
    pub fn unfinished(&self) -> usize {
        self.text.len() - self.from
    }

    pub fn push(&mut self, more: &str) {
        self.text.push_str(more);
        if more.contains('\n') {
            // A line that has not ended may become anything.
            let whole = self.text.rfind('\n').map_or(self.from, |end| end + 1).max(self.from);
            let mut blocks = blocks(&self.text[self.from..whole], 0);
            let last = blocks.pop();
            self.finished.extend(blocks.into_iter().map(|(_, block)| Arc::new(block)));
            self.from += last.map_or(0, |(at, _)| at);
        }
        self.open = blocks(&self.text[self.from..], 0).into_iter().map(|(_, block)| block).collect();
    }
}

impl From<&str> for Flow {
    fn from(text: &str) -> Self {
        let mut flow = Self::default();
        flow.push(text);
        flow
    }
}

/// The blocks of a text, and where in it each begins.
fn blocks(text: &str, depth: usize) -> Vec<(usize, Block)> {
    let mut lines = Lines::new(text);
    let mut found = Vec::new();
    while let Some((at, line)) = lines.peek() {
        let block = if line.trim().is_empty() {
            lines.next();
            continue;
        } else if let Some(fence) = Fence::opens(line) {
            lines.next();
            code(&fence, &mut lines)
        } else if let Some((rank, text)) = lines::heading(line) {
            lines.next();
            Block::Heading(rank, spans(text))
        } else if lines::is_rule(line) {
            lines.next();
            Block::Rule
        } else if depth < DEEPEST && lines::quoted(line).is_some() {
            quote(&mut lines, depth)
        } else if lines.begins_table() {
            table(&mut lines)
        } else if lines::item(line).is_some() {
            list(&mut lines)
        } else {
            paragraph(&mut lines, depth)
        };
        found.push((at, block));
    }
    found
}

fn code(fence: &Fence, lines: &mut Lines<'_>) -> Block {
    let mut text = String::new();
    while let Some((_, line)) = lines.next() {
        if fence.closes(line) {
            break;
        }
        text.push_str(fence.without_indent(line));
        text.push('\n');
    }
    if text.ends_with('\n') {
        text.pop();
    }
    Block::Code { language: fence.language.to_owned(), text }
}

fn quote(lines: &mut Lines<'_>, depth: usize) -> Block {
    let (mut text, mut count) = (String::new(), 0);
    while let Some(line) = lines.peek().and_then(|(_, line)| lines::quoted(line)).filter(|_| count < LONGEST_QUOTE) {
        text.push_str(line);
        text.push('\n');
        lines.next();
        count += 1;
    }
    Block::Quote(blocks(&text, depth + 1).into_iter().map(|(_, block)| block).collect())
}

fn table(lines: &mut Lines<'_>) -> Block {
    let mut rows: Vec<Vec<Vec<Span>>> = Vec::new();
    while let Some((_, line)) = lines.peek().filter(|(_, line)| line.contains('|') && rows.len() < LONGEST_TABLE) {
        rows.push(lines::cells(line).into_iter().map(spans).collect());
        lines.next();
        if rows.len() == 1 {
            // It only rules the head off.
            lines.next();
        }
    }
    Block::Table(rows)
}

fn list(lines: &mut Lines<'_>) -> Block {
    let mut items: Vec<(usize, String, String)> = Vec::new();
    while let Some((_, line)) = lines.peek() {
        let blank = line.trim().is_empty();
        if let Some((indent, number, text)) = lines::item(line).filter(|_| !lines::is_rule(line)) {
            let outermost = items.first().is_none_or(|(first, ..)| indent <= *first);
            if items.len() >= LONGEST_LIST || items.len() >= LONG_LIST && outermost {
                break;
            }
            items.push((indent, number.to_owned(), text.to_owned()));
        } else if blank {
            // What stands further in behind an empty line belongs to the item, and so does another item.
            let goes_on = lines.after_blank().is_some_and(|next| {
                lines::item(next).is_some() && !lines::is_rule(next)
                    || next.starts_with("  ") && Fence::opens(next).is_none()
            });
            if !goes_on {
                break;
            }
            lines.skip_blank();
            continue;
        } else if lines::interrupts(line) || lines.begins_table() {
            break;
        } else if let Some((_, _, text)) = items.last_mut() {
            text.push('\n');
            text.push_str(line.trim());
        }
        lines.next();
    }
    let mut open: Vec<usize> = Vec::new();
    let items = items.into_iter().map(|(indent, number, text)| {
        open.retain(|outer| *outer < indent);
        open.push(indent);
        Item { depth: open.len() - 1, number, text: spans(&text) }
    });
    Block::List(items.collect())
}

fn paragraph(lines: &mut Lines<'_>, depth: usize) -> Block {
    let mut text = String::new();
    while let Some((_, line)) = lines.peek().filter(|(_, line)| !line.trim().is_empty()) {
        let quotes = depth < DEEPEST && lines::quoted(line).is_some();
        let ends = lines::interrupts(line) && (quotes || lines::quoted(line).is_none()) || lines.begins_table();
        if !text.is_empty() {
            if ends || lines::item(line).is_some() {
                break;
            }
            text.push('\n');
        }
        text.push_str(line.trim());
        lines.next();
    }
    Block::Paragraph(spans(&text))
}
