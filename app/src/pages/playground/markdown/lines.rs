//! What a line of Markdown is, by itself.

/// The lines of a text with their places, one ahead.
pub(super) struct Lines<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lines<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    fn read(&self, at: usize) -> Option<(&'t str, usize)> {
        let rest = self.text.get(at..).filter(|rest| !rest.is_empty())?;
        let end = rest.find('\n').map_or(rest.len(), |end| end + 1);
        let line = rest.get(..end)?;
        Some((line.strip_suffix('\n').unwrap_or(line), at + end))
    }

    /// The next line and where it begins.
    pub fn peek(&self) -> Option<(usize, &'t str)> {
        Some((self.at, self.read(self.at)?.0))
    }

    pub fn next(&mut self) -> Option<(usize, &'t str)> {
        let ((line, next), at) = (self.read(self.at)?, self.at);
        self.at = next;
        Some((at, line))
    }

    /// The first line with anything in it behind the next.
    pub fn after_blank(&self) -> Option<&'t str> {
        let mut at = self.at;
        loop {
            let (line, next) = self.read(at)?;
            if !line.trim().is_empty() {
                return Some(line);
            }
            at = next;
        }
    }

    /// Goes on to that line.
    pub fn skip_blank(&mut self) {
        while self.peek().is_some_and(|(_, line)| line.trim().is_empty()) {
            self.next();
        }
    }

    /// The next line is the head of a table: the one behind it rules it off.
    pub fn begins_table(&self) -> bool {
        let Some((head, next)) = self.read(self.at).filter(|(head, _)| head.contains('|')) else { return false };
        let ruled = self.read(next).filter(|(line, _)| rules_off(line));
        ruled.is_some_and(|(line, _)| cells(line).len() == cells(head).len())
    }
}

/// The line that begins a block of code.
pub(super) struct Fence<'t> {
    indent: usize,
    mark: char,
    length: usize,
    pub language: &'t str,
}

impl<'t> Fence<'t> {
    pub fn opens(line: &'t str) -> Option<Self> {
        let body = line.trim_start();
        let mark = body.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let rest = body.trim_start_matches(mark);
        let (length, language) = (body.len() - rest.len(), rest.trim());
        let is_fence = length >= 3 && !(mark == '`' && language.contains('`'));
        is_fence.then_some(Self { indent: line.len() - body.len(), mark, length, language })
    }

    pub fn closes(&self, line: &str) -> bool {
        let body = line.trim();
        body.len() >= self.length && body.chars().all(|letter| letter == self.mark)
    }

    /// A line of the code, moved out as far as its fence is in.
    pub fn without_indent<'l>(&self, line: &'l str) -> &'l str {
        let spaces = line.bytes().take(self.indent).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        line.get(spaces..).unwrap_or(line)
    }
}

/// Rank and text of a heading.
pub(super) fn heading(line: &str) -> Option<(usize, &str)> {
    let body = line.trim();
    let rest = body.trim_start_matches('#');
    let rank = body.len() - rest.len();
    if !(1..=6).contains(&rank) || !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return None;
    }
    let text = rest.trim();
    let open = text.trim_end_matches('#');
    Some((rank, if open.is_empty() || open.ends_with(' ') { open.trim_end() } else { text }))
}

/// A line across.
pub(super) fn is_rule(line: &str) -> bool {
    let mut marks = line.chars().filter(|letter| !letter.is_whitespace());
    let Some(mark) = marks.next().filter(|mark| matches!(mark, '-' | '*' | '_')) else { return false };
    let mut more = 0;
    marks.all(|letter| {
        more += 1;
        letter == mark
    }) && more >= 2
}

pub(super) fn quoted(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix('>')?;
    Some(rest.strip_prefix(' ').unwrap_or(rest))
}

/// Indent, number and text of an item of a list.
pub(super) fn item(line: &str) -> Option<(usize, &str, &str)> {
    let body = line.trim_start();
    let indent = line.len() - body.len();
    let digits = body.len() - body.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    let (number, rest) = if (1..=9).contains(&digits) {
        (body.get(..digits)?, body.get(digits..)?.strip_prefix(['.', ')'])?)
    } else {
        ("", body.strip_prefix(['-', '*', '+', '•'])?)
    };
    rest.starts_with([' ', '\t']).then(|| (indent, number, rest.trim()))
}

/// The line begins something else than a paragraph, whatever is before it.
pub(super) fn interrupts(line: &str) -> bool {
    Fence::opens(line).is_some() || heading(line).is_some() || is_rule(line) || quoted(line).is_some()
}

/// Only bars, colons and at least one stroke a cell.
pub(super) fn rules_off(line: &str) -> bool {
    line.contains('-')
        && line.contains('|')
        && cells(line)
            .iter()
            .all(|cell| cell.contains('-') && cell.trim_matches(':').chars().all(|letter| letter == '-'))
}

/// The cells of a table's row; a bar behind a backslash is text.
pub(super) fn cells(line: &str) -> Vec<&str> {
    let line = line.trim();
    let line = line.strip_prefix('|').unwrap_or(line);
    let line = if line.ends_with("\\|") { line } else { line.strip_suffix('|').unwrap_or(line) };
    let (mut cells, mut from) = (Vec::new(), 0);
    for (at, _) in line.match_indices('|') {
        if !line[..at].ends_with('\\') {
            cells.push(line[from..at].trim());
            from = at + 1;
        }
    }
    cells.push(line[from..].trim());
    cells
}
