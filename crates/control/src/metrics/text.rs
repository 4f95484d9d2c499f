//! From OpenMetrics, which the library writes, to the older text format, which everything reads. Samples are the same in
//! both; what describes them differs: there a counter is called what its sample is called, and there is neither unit nor
//! end.

pub(super) fn prometheus(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut help = None;
    for line in open.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let suffix = if kind == "counter" { "_total" } else { "" };
            if let Some((_, help)) = help.take() {
                line_of(&mut text, &["# HELP ", name, suffix, " ", help]);
            }
            line_of(&mut text, &["# TYPE ", name, suffix, " ", kind]);
        } else if !line.starts_with("# ") {
            line_of(&mut text, &[line]);
        }
    }
    text
}

fn line_of(text: &mut String, parts: &[&str]) {
    text.extend(parts.iter().copied());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::prometheus;

    #[test]
    fn counters_are_described_by_the_name_of_their_samples() {
        let open = "# HELP a_x What it is.\n# TYPE a_x counter\n# UNIT a_x x\na_x_total{l=\"# TYPE \\n v\"} 3\n\
                    # HELP b Another.\n# TYPE b gauge\nb 1\n# EOF\n";
        let text = "# HELP a_x_total What it is.\n# TYPE a_x_total counter\na_x_total{l=\"# TYPE \\n v\"} 3\n\
                    # HELP b Another.\n# TYPE b gauge\nb 1\n";
        assert_eq!(prometheus(open), text);
    }
}
