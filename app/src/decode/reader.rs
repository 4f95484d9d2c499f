//! Going over JSON text byte by byte, without knowing what it is read into.

use super::{Fault, Read};

/// Lists and objects within each other; ours are a handful.
const DEEPEST: u8 = 64;

/// What is seen after the last byte. In JSON text it stands nowhere.
const END: u8 = 0;

/// Stands somewhere in the text.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u8,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// Nothing may follow.
    pub fn end(&mut self) -> Read<()> {
        self.peek();
        if self.at == self.text.len() { Ok(()) } else { Err(Fault) }
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(END)
    }

    /// The next byte that is no space.
    #[inline(never)]
    pub fn peek(&mut self) -> u8 {
        while matches!(self.byte(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
        self.byte()
    }

    /// Goes over `word`, spaces before it left out.
    #[inline(never)]
    pub fn word(&mut self, word: &str) -> Read<()> {
        self.peek();
        let follows = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        self.at += word.len();
        if follows { Ok(()) } else { Err(Fault) }
    }

    /// Goes into a list or an object.
    #[inline(never)]
    pub fn open(&mut self, bracket: &str) -> Read<()> {
        self.depth += 1;
        if self.depth > DEEPEST { Err(Fault) } else { self.word(bracket) }
    }

    #[inline(never)]
    pub fn close(&mut self, bracket: &str) -> Read<()> {
        self.depth -= 1;
        self.word(bracket)
    }

    /// Whether another item follows; goes over the comma before it, unless it is the first.
    #[inline(never)]
    pub fn more(&mut self, first: &mut bool) -> Read<bool> {
        if matches!(self.peek(), b']' | b'}') {
            return Ok(false);
        }
        if !std::mem::take(first) {
            self.word(",")?;
        }
        Ok(true)
    }

    #[inline(never)]
    pub fn boolean(&mut self) -> Read<bool> {
        let is = self.peek() == b't';
        self.word(if is { "true" } else { "false" })?;
        Ok(is)
    }

    /// The text of a number.
    #[inline(never)]
    pub fn number(&mut self) -> &str {
        self.peek();
        let from = self.at;
        while matches!(self.byte(), b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') {
            self.at += 1;
        }
        self.text.get(from..self.at).unwrap_or_default()
    }

    #[inline(never)]
    pub fn unsigned(&mut self) -> Read<u64> {
        let digits = self.number();
        if digits.starts_with('+') || digits.len() > 1 && digits.starts_with('0') {
            return Err(Fault);
        }
        digits.parse().map_err(|_| Fault)
    }

    /// A number with places behind the point. One of up to 15 digits is read exactly; one of more may be off by its last
    /// bit, which spares the tables of the standard library.
    #[inline(never)]
    pub fn float(&mut self) -> Read<f64> {
        let text = self.number();
        let (text, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let mut exponent: i32 = exponent.parse().map_err(|_| Fault)?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        if whole.is_empty() || part.is_empty() {
            return Err(Fault);
        }
        let mut value = 0_u64;
        for (at, digit) in whole.bytes().chain(part.bytes()).enumerate() {
            if !digit.is_ascii_digit() {
                return Err(Fault);
            }
            // More digits than these say nothing.
            let room = value < 100_000_000_000_000_000;
            if room {
                value = value * 10 + u64::from(digit - b'0');
            }
            exponent = exponent.saturating_add(i32::from(!room) - i32::from(at >= whole.len()));
        }
        let value = if text.starts_with('-') { -(value as f64) } else { value as f64 };
        if value == 0.0 {
            return Ok(value);
        }
        let (mut power, mut ten, mut rest) = (1.0, 10.0_f64, exponent.unsigned_abs().min(400));
        while rest > 0 {
            if rest % 2 == 1 {
                power *= ten;
            }
            ten *= ten;
            rest /= 2;
        }
        Ok(if exponent < 0 { value / power } else { value * power })
    }

    #[inline(never)]
    pub fn signed(&mut self) -> Read<i64> {
        if self.peek() == b'-' {
            self.number().parse().map_err(|_| Fault)
        } else {
            self.unsigned()?.try_into().map_err(|_| Fault)
        }
    }

    #[inline(never)]
    pub fn string(&mut self) -> Read<String> {
        self.word("\"")?;
        let mut out = String::new();
        loop {
            let from = self.at;
            while !matches!(self.byte(), b'"' | b'\\' | END..=0x1f) {
                self.at += 1;
            }
            out.push_str(self.text.get(from..self.at).ok_or(Fault)?);
            let end = self.byte();
            self.at += 1;
            match end {
                b'"' => return Ok(out),
                b'\\' => out.push(self.escape()?),
                _ => return Err(Fault),
            }
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Read<char> {
        let letter = self.byte();
        self.at += 1;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit()?;
                let code = if first & 0xfc00 == 0xd800 {
                    self.exactly("\\u")?;
                    let second = self.unit()?;
                    if second & 0xfc00 != 0xdc00 {
                        return Err(Fault);
                    }
                    0x10000 + (((first & 0x3ff) << 10) | (second & 0x3ff))
                } else {
                    first
                };
                char::from_u32(code).ok_or(Fault)?
            }
            _ => return Err(Fault),
        })
    }

    /// Goes over `word`, which stands right here.
    fn exactly(&mut self, word: &str) -> Read<()> {
        let follows = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        self.at += word.len();
        if follows { Ok(()) } else { Err(Fault) }
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Read<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = (unit << 4) | char::from(self.byte()).to_digit(16).ok_or(Fault)?;
            self.at += 1;
        }
        Ok(unit)
    }

    /// Goes over any value. How a number is written is not looked at.
    #[inline(never)]
    pub fn skip(&mut self) -> Read<()> {
        let (opening, closing) = match self.peek() {
            b'"' => return self.string().map(drop),
            b't' | b'f' => return self.boolean().map(drop),
            b'n' => return self.word("null"),
            b'[' => ("[", "]"),
            b'{' => ("{", "}"),
            _ => return if self.number().is_empty() { Err(Fault) } else { Ok(()) },
        };
        self.open(opening)?;
        let mut first = true;
        while self.more(&mut first)? {
            if opening == "{" {
                self.string()?;
                self.word(":")?;
            }
            self.skip()?;
        }
        self.close(closing)
    }
}
