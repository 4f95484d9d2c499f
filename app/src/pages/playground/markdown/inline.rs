//! The inside of a paragraph: code, emphasis, links.

/// A piece of text in one style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Span {
    Text(String),
    Code(String),
    Strong(Vec<Span>),
    Emphasis(Vec<Span>),
    /// `to` is one of the addresses that may be opened from here; without a text it stands there itself.
    Link {
        to: String,
        text: Vec<Span>,
    },
}

/// Emphasis in emphasis deeper than this stays text.
const DEEPEST: usize = 6;
/// Longest text and address of a link.
const LONGEST: usize = 2_000;
/// A longer text has no styles: it is no paragraph that somebody wrote.
const LONGEST_TEXT: usize = 20_000;
/// Addresses that may be opened.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

pub(super) fn spans(text: &str) -> Vec<Span> {
    if text.len() > LONGEST_TEXT {
        return vec![Span::Text(text.to_owned())];
    }
    Reader::new(text, 0, true).read()
}

/// Marks that stand on both sides.
const PAIRS: [(&str, bool); 4] = [("**", true), ("__", true), ("*", false), ("_", false)];

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    /// There are no links in links.
    links: bool,
    /// Marks that were looked for to the end and never found again: so every text is read in a time that grows with its length.
    alone: [bool; PAIRS.len()],
    ticks_alone: Vec<usize>,
    plain: String,
    found: Vec<Span>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, depth: usize, links: bool) -> Self {
        let (plain, found) = (String::new(), Vec::new());
        Self { text, at: 0, depth, links, alone: [false; PAIRS.len()], ticks_alone: Vec::new(), plain, found }
    }

    fn read(mut self) -> Vec<Span> {
        while let Some(letter) = self.rest().chars().next() {
            let special = match letter {
                '\\' => self.escape(),
                '`' => self.code(),
                '*' | '_' => self.depth < DEEPEST && self.emphasis(),
                '[' | '!' => self.links && self.link(),
                'h' => self.links && self.address(),
                _ => false,
            };
            if !special {
                self.plain.push(letter);
                self.at += letter.len_utf8();
            }
        }
        self.put(None);
        self.found
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Ends the plain text before `span`.
    fn put(&mut self, span: Option<Span>) {
        if !self.plain.is_empty() {
            self.found.push(Span::Text(std::mem::take(&mut self.plain)));
        }
        self.found.extend(span);
    }

    fn escape(&mut self) -> bool {
        let Some(letter) = self.rest().chars().nth(1).filter(char::is_ascii_punctuation) else { return false };
        self.plain.push(letter);
        self.at += 2;
        true
    }

    fn code(&mut self) -> bool {
        let rest = self.rest();
        let ticks = rest.len() - rest.trim_start_matches('`').len();
        let inside = &rest[ticks..];
        let end = if self.ticks_alone.contains(&ticks) { None } else { closing_ticks(inside, ticks) };
        let Some(end) = end else {
            self.ticks_alone.push(ticks);
            self.plain.push_str(&rest[..ticks]);
            self.at += ticks;
            return true;
        };
        let code = &inside[..end];
        // A space on both sides only keeps the marks apart from ticks in the code.
        let bare =
            code.strip_prefix(' ').and_then(|code| code.strip_suffix(' ')).filter(|bare| !bare.trim().is_empty());
        self.put(Some(Span::Code(bare.unwrap_or(code).to_owned())));
        self.at += ticks + end + ticks;
        true
    }

    fn emphasis(&mut self) -> bool {
        let rest = self.rest();
        for (pair, (mark, strong)) in PAIRS.into_iter().enumerate() {
            let Some(inside) = rest.strip_prefix(mark) else { continue };
            let before = self.text[..self.at].chars().next_back();
            let opens = inside.chars().next().is_some_and(|letter| !letter.is_whitespace())
                && !(mark.starts_with('_') && before.is_some_and(is_word));
            if !opens || self.alone[pair] {
                continue;
            }
            let Some(end) = closing(inside, mark) else {
                self.alone[pair] = true;
                continue;
            };
            let text = Reader::new(&inside[..end], self.depth + 1, self.links).read();
            self.put(Some(if strong { Span::Strong(text) } else { Span::Emphasis(text) }));
            self.at += mark.len() + end + mark.len();
            return true;
        }
        false
    }

    /// `[text](address)`; a picture is a link to it, because none is fetched from elsewhere.
    fn link(&mut self) -> bool {
        let rest = self.rest();
        let picture = usize::from(rest.starts_with("!["));
        let Some(inside) = rest[picture..].strip_prefix('[') else { return false };
        let Some(end) = closing_bracket(inside) else { return false };
        let Some(address) = inside[end + 1..].strip_prefix('(') else { return false };
        let Some(close) = bounded(address).find(')') else { return false };
        let to = &address[..close];
        if !is_openable(to) {
            return false;
        }
        let text = Reader::new(&inside[..end], self.depth + 1, false).read();
        self.put(Some(Span::Link { to: to.to_owned(), text }));
        self.at += picture + 1 + end + 2 + close + 1;
        true
    }

    /// An address that stands there by itself.
    fn address(&mut self) -> bool {
        let rest = self.rest();
        let part_of_word = self.text[..self.at].ends_with(is_word);
        if part_of_word || !(rest.starts_with("https://") || rest.starts_with("http://")) {
            return false;
        }
        let end = bounded(rest)
            .find(|letter: char| letter.is_whitespace() || letter.is_control() || "<>\"`|*[]{}()".contains(letter))
            .unwrap_or_else(|| bounded(rest).len());
        // A full stop behind it ends the sentence.
        let to = rest[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '_']);
        if !is_openable(to) {
            return false;
        }
        self.put(Some(Span::Link { to: to.to_owned(), text: Vec::new() }));
        self.at += to.len();
        true
    }
}

/// A letter or a digit, as far as that can be told without the tables of Unicode.
fn is_word(letter: char) -> bool {
    match letter {
        '\u{80}'..='\u{bf}' | '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ff0f}' => false,
        letter => letter.is_ascii_alphanumeric() || !letter.is_ascii(),
    }
}

/// As much of it as a link may have.
fn bounded(text: &str) -> &str {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn is_openable(to: &str) -> bool {
    let strange = |letter: char| letter.is_whitespace() || letter.is_control();
    SCHEMES.iter().any(|scheme| to.len() > scheme.len() && to.starts_with(scheme)) && !to.contains(strange)
}

fn closing_ticks(text: &str, ticks: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find('`') {
        let from = at + found;
        let rest = &text[from..];
        let run = rest.len() - rest.trim_start_matches('`').len();
        if run == ticks {
            return Some(from);
        }
        at = from + run;
    }
    None
}

/// Where `mark` closes: behind something, and not as a part of a longer mark.
fn closing(text: &str, mark: &str) -> Option<usize> {
    let letter = mark.chars().next()?;
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find(letter) {
        let from = at + found;
        let rest = &text[from..];
        let run = rest.len() - rest.trim_start_matches(letter).len();
        let before = text[..from].chars().next_back();
        let after = rest[run..].chars().next();
        let closes = before.is_some_and(|letter| !letter.is_whitespace() && letter != '\\')
            && !(letter == '_' && after.is_some_and(is_word));
        if closes && (run == mark.len() || run == 3) {
            // Of three, the inner ones belong to what is inside.
            return Some(from + run - mark.len());
        }
        at = from + run;
    }
    None
}

fn closing_bracket(text: &str) -> Option<usize> {
    let (text, mut open) = (bounded(text), 0_usize);
    let last = text.rfind(']')?;
    for (at, letter) in text[..=last].char_indices() {
        match letter {
            '[' => open += 1,
            ']' if open == 0 => return Some(at),
            ']' => open -= 1,
            '\n' => return None,
            _ => {}
        }
    }
    None
}
