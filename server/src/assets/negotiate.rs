//! Which precompressed forms a caller takes, by `Accept-Encoding`.

use http::{HeaderMap, header};

/// A precompressed form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    /// Its name in `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// What is appended to the file's name.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
        }
    }
}

/// The forms the caller takes, best first; the plain form is always possible.
pub fn choose(headers: &HeaderMap) -> Vec<Coding> {
    let lines: Vec<&str> =
        headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok()).collect();
    let items: Vec<&str> = lines.iter().flat_map(|line| line.split(',')).collect();
    [Coding::Brotli, Coding::Gzip].into_iter().filter(|coding| takes(&items, coding.name())).collect()
}

/// A coding is taken if it is named, or covered by `*`, with a weight over zero.
fn takes(items: &[&str], name: &str) -> bool {
    let weight = |wanted: &str| {
        items.iter().find_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            let named = parts.next().is_some_and(|coding| coding.eq_ignore_ascii_case(wanted));
            let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            named.then(|| quality.map_or(1.0, |text| text.trim().parse::<f32>().unwrap_or(0.0)))
        })
    };
    weight(name).or_else(|| weight("*")).is_some_and(|weight| weight > 0.0)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn chosen(accept: &'static str) -> Vec<Coding> {
        choose(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(accept))]))
    }

    #[test]
    fn brotli_before_gzip_before_nothing() {
        assert_eq!(chosen("gzip, deflate, br, zstd"), [Coding::Brotli, Coding::Gzip]);
        assert_eq!(chosen("gzip"), [Coding::Gzip]);
        assert_eq!(chosen("*"), [Coding::Brotli, Coding::Gzip]);
        assert_eq!(chosen("identity"), []);
        assert_eq!(choose(&HeaderMap::new()), []);
    }

    #[test]
    fn weight_zero_is_a_refusal() {
        assert_eq!(chosen("br;q=0, gzip;q=0.5"), [Coding::Gzip]);
        assert_eq!(chosen("*;q=0"), []);
        assert_eq!(chosen("br; q=0.0, *"), [Coding::Gzip]);
    }
}
