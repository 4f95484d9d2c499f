//! Numbers, times and names as people read them. Pure functions; the present moment is always an argument.

pub use domain::words::{number, plural};

/// `text` of somebody else with everything written out that cannot be seen or turns the reading direction: `\u{202e}`.
pub fn visible(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, letter| {
        match letter {
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}' => {
                out.extend(letter.escape_unicode())
            }
            letter if letter.is_control() => out.extend(letter.escape_unicode()),
            letter => out.push(letter),
        }
        out
    })
}

/// The title of a page's document. leptos_meta writes it into the HTML as it is, and names of users are in it; in the
/// browser it is a string, where an escape would show.
pub fn document_title(page: &str, product: &str) -> String {
    let title = if page.is_empty() { product.to_owned() } else { format!("{page} · {product}") };
    if cfg!(feature = "ssr") { title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;") } else { title }
}

/// How long ago `at` was, both in Unix milliseconds, in one unit. The future counts as now.
pub fn ago(at: u64, now: u64) -> String {
    let seconds = now.saturating_sub(at) / 1000;
    let (count, noun) = match seconds {
        0..5 => return "just now".to_owned(),
        5..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{} ago", plural(count, noun))
}

/// A browser's description of itself in a few words: `Firefox on Linux`. What is not known is shown as it came, cut.
pub fn browser(agent: &str) -> String {
    let find =
        |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    let name = find(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("HeadlessChrome/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = find(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (name, system) {
        (Some(name), Some(system)) => format!("{name} on {system}"),
        (Some(name), None) => name.to_owned(),
        (None, _) if agent.trim().is_empty() => "Unknown browser".to_owned(),
        (None, _) => visible(&agent.chars().take(40).collect::<String>()),
    }
}

/// Unix milliseconds as `2026-11-22 07:05 UTC`.
pub fn date_time(at: u64) -> String {
    let minutes = at / 60_000;
    let (year, month, day) = civil(minutes / 1440);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", minutes / 60 % 24, minutes % 60)
}

/// The time of day of Unix milliseconds as `07:05`, in UTC.
pub fn time_of_day(at: u64) -> String {
    let minutes = at / 60_000;
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

/// Days since 1970-01-01 as year, month, day (Howard Hinnant's `civil_from_days`, for days that are not negative).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// A name for the backend at `url`: `local` on this machine at Ollama's usual port, else host and port.
pub fn backend_name(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    match host {
        "127.0.0.1:11434" | "localhost:11434" | "[::1]:11434" => "local".to_owned(),
        host => host.strip_suffix(":11434").unwrap_or(host).to_owned(),
    }
}

/// A message as a sentence: with a capital letter and a full stop.
pub fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let Some(first) = letters.next() else { return String::new() };
    let end = if message.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{}{}{end}", first.to_uppercase(), letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "ssr")]
    fn a_title_cannot_end_its_element() {
        assert_eq!(document_title("", "Lab"), "Lab");
        assert_eq!(document_title("</title><b>&", "<Lab>"), "&lt;/title&gt;&lt;b&gt;&amp; · &lt;Lab&gt;");
    }

    #[test]
    fn what_cannot_be_seen_is_written_out_and_all_else_stays() {
        assert_eq!(visible("gpt\u{202e}elgoog\n\u{1b}[2J"), "gpt\\u{202e}elgoog\\u{a}\\u{1b}[2J");
        for plain in ["", "llama3.2:latest", "模型 é <b>"] {
            assert_eq!(visible(plain), plain);
        }
    }

    #[test]
    fn times_are_in_one_unit() {
        let ago = |seconds: u64| ago(1_000_000_000_000 - seconds * 1000, 1_000_000_000_000);
        let cases = [
            (4, "just now"),
            (59, "59 seconds ago"),
            (60, "1 minute ago"),
            (7199, "1 hour ago"),
            (172_800, "2 days ago"),
        ];
        for (seconds, text) in cases {
            assert_eq!(ago(seconds), text);
        }
        assert_eq!(super::ago(2000, 1000), "just now");
    }

    #[test]
    fn dates_follow_the_calendar() {
        let cases = [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400_000, "2000-02-29 00:00 UTC"),
            (1_795_331_100_000, "2026-11-22 07:05 UTC"),
        ];
        for (at, text) in cases {
            assert_eq!(date_time(at), text);
        }
        assert_eq!(time_of_day(1_795_331_100_000), "07:05");
    }

    #[test]
    fn backends_are_named_after_their_host() {
        let cases = [
            ("http://127.0.0.1:11434", "local"),
            ("http://gpu-1:11434", "gpu-1"),
            ("https://user@ollama.lan:8443/x", "ollama.lan:8443"),
            ("http://[fe80::1]:9000", "[fe80::1]:9000"),
        ];
        for (url, name) in cases {
            assert_eq!(backend_name(url), name);
        }
    }

    #[test]
    fn messages_become_sentences() {
        assert_eq!(sentence("is taken"), "Is taken.");
        assert_eq!(sentence("is it running?"), "Is it running?");
        assert_eq!(sentence(""), "");
    }

    #[test]
    fn browsers_are_named_in_a_few_words() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";
        assert_eq!(browser(chrome), "Chrome on Linux");
        assert_eq!(
            browser("Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"),
            "Firefox on Windows"
        );
        assert_eq!(browser("curl/8.5.0"), "curl");
        assert_eq!(browser(""), "Unknown browser");
        assert_eq!(browser(&"x\u{202e}".repeat(99)).chars().filter(|letter| *letter == 'x').count(), 20);
    }
}
