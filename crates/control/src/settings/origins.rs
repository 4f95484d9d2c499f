//! `PUBLIC_URL`: a list of web origins, in the one spelling that browsers send.

use url::Url;

/// Reads a comma list of `http` or `https` origins; the result has them without trailing slash, each once.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    let mut origins: Vec<String> = Vec::new();
    let parts = || text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let several = parts().count() > 1;
    for (index, part) in parts().enumerate() {
        // The text is not repeated: somebody may have written a password into it.
        let which = if several { format!("entry {} is", index + 1) } else { "is".into() };
        let origin = parse_one(part).ok_or_else(|| format!("{which} no address like https://gateway.example.com"))?;
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    if origins.is_empty() { Err("give at least one address, or leave it empty".into()) } else { Ok(origins.join(",")) }
}

fn parse_one(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    let fits = matches!(url.scheme(), "http" | "https") && url.has_host() && url.path() == "/" && bare;
    fits.then(|| url.origin().ascii_serialization())
}

/// The origin reaches this machine only, so it is no address for others.
pub(crate) fn is_loopback(origin: &str) -> bool {
    Url::parse(origin).is_ok_and(|url| url.host_str().is_some_and(domain::host::is_loopback))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_get_the_spelling_of_browsers() {
        let text = " https://Gate.Example.com:443/ , http://10.0.0.2:8080,https://gate.example.com";
        assert_eq!(parse(text), Ok("https://gate.example.com,http://10.0.0.2:8080".into()));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for bad in
            ["gate.example.com", "ftp://x", "https://x/path", "https://u:p@x", "https://x?q", "null", ",", "https://"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refused_entry_is_named_by_its_place_and_not_repeated() {
        let fault = parse("https://ok.example, https://me:hunter2@llm.example").unwrap_err();
        assert!(fault.starts_with("entry 2 is no address") && !fault.contains("hunter2"), "{fault}");
        assert!(parse("hunter2@x").unwrap_err().starts_with("is no address"));
    }

    #[test]
    fn loopback_is_recognised() {
        for origin in [
            "http://localhost:8080",
            "http://127.0.0.1",
            "http://[::1]:8080",
            "http://x.localhost",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert!(is_loopback(origin), "{origin}");
        }
        assert!(!is_loopback("http://gateway.lan:8080"));
    }
}
