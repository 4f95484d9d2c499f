//! The table: a row a figure, a column a program, with the spread over the rounds, the ratio to nginx, and the targets
//! beside them. Pure text from numbers.

use std::collections::BTreeMap;

use super::{
    stats::{Spread, ratios},
    targets::{Bound, Figure},
};

/// Everything measured of one program.
#[derive(Clone, Debug, Default)]
pub struct Column {
    pub name: String,
    /// Why nothing was measured: the program is not there, or would not start.
    pub missing: Option<String>,
    /// A value per round.
    pub figures: BTreeMap<Figure, Vec<f64>>,
    /// The part of a figure that says most about the program itself: [`Figure::part`].
    pub parts: BTreeMap<Figure, Vec<f64>>,
    /// Why a figure has none: a run with faults is never shown as fast.
    pub failures: BTreeMap<Figure, String>,
}

impl Column {
    pub fn add(&mut self, figure: Figure, value: f64) {
        self.figures.entry(figure).or_default().push(value);
    }

    pub fn add_part(&mut self, figure: Figure, value: f64) {
        self.parts.entry(figure).or_default().push(value);
    }

    /// From now on the figure is failed, whatever other rounds gave.
    pub fn fail(&mut self, figure: Figure, why: &str) {
        self.failures.entry(figure).or_insert_with(|| why.to_owned());
    }

    /// The rounds of a figure, unless one of them failed.
    fn rounds(&self, figure: Figure) -> &[f64] {
        if self.failures.contains_key(&figure) {
            return &[];
        }
        self.figures.get(&figure).map_or(&[], Vec::as_slice)
    }
}

/// The columns in order: nginx first, ours last.
pub fn table(columns: &[Column], figures: &[Figure]) -> String {
    let mut lines = vec![Vec::new(); figures.len() + 2];
    lines[0].push(String::new());
    lines[1].push("---".to_owned());
    for column in columns {
        lines[0].push(column.name.clone());
        lines[1].push("---".to_owned());
    }
    for heading in ["first step", "the aim"] {
        lines[0].push(heading.to_owned());
        lines[1].push("---".to_owned());
    }
    for (line, figure) in lines[2..].iter_mut().zip(figures) {
        line.push(figure.name());
        let nginx = columns.first().map_or(&[][..], |nginx| nginx.rounds(*figure));
        line.extend(columns.iter().enumerate().map(|(index, column)| cell(column, *figure, nginx, index > 0)));
        let ours = columns.last().map_or(&[][..], |ours| ours.rounds(*figure));
        match figure.targets() {
            Some((first, aim)) => line.extend([first, aim].map(|bound| judge(bound, ours, nginx, *figure))),
            None => line.extend([String::new(), String::new()]),
        }
    }
    lines.iter().map(|cells| format!("| {} |\n", cells.join(" | "))).collect()
}

/// `20.8 µs (20.1–21.9; data plane 17.0), 1.50 x`.
fn cell(column: &Column, figure: Figure, nginx: &[f64], with_ratio: bool) -> String {
    if column.missing.is_some() {
        return "not there".to_owned();
    }
    if column.failures.contains_key(&figure) {
        return "**failed**".to_owned();
    }
    let rounds = column.rounds(figure);
    let Some(Spread { median, min, max }) = Spread::of(rounds) else { return "not measured".to_owned() };
    let (unit, decimals) = (figure.unit(), figure.decimals());
    let part = column.parts.get(&figure).and_then(|rounds| Spread::of(rounds));
    let part = part.map(|part| format!("; {} {:.decimals$}", figure.part(), part.median)).unwrap_or_default();
    let mut text = format!("{median:.decimals$} {unit} ({min:.decimals$}–{max:.decimals$}{part})");
    if let (true, Some(ratio)) = (with_ratio && has_ratio(figure), Spread::of(&ratios(rounds, nginx))) {
        text.push_str(&format!(", {:.2} x", ratio.median));
    }
    text
}

/// Differences of percentiles may be near or under zero: their ratios would say nothing.
fn has_ratio(figure: Figure) -> bool {
    !matches!(figure, Figure::Latency50 | Figure::Latency99 | Figure::Ttft50 | Figure::Ttft99)
}

/// The target and whether it is met. The promise is about the median.
fn judge(bound: Bound, ours: &[f64], nginx: &[f64], figure: Figure) -> String {
    let (shown, limit, rounds) = match bound {
        Bound::OfNginx(times) => (format!("<= {times} x nginx"), times, ratios(ours, nginx)),
        Bound::Plain(limit) => (format!("<= {limit} {}", figure.unit()), limit, ours.to_vec()),
    };
    let verdict = match Spread::of(&rounds) {
        None => "not judged",
        Some(spread) if spread.median <= limit => "met",
        Some(_) => "**not met**",
    };
    format!("{shown}: {verdict}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, figures: &[(Figure, &[f64])]) -> Column {
        let figures = figures.iter().map(|(figure, rounds)| (*figure, rounds.to_vec())).collect();
        Column { name: name.to_owned(), figures, ..Column::default() }
    }

    fn row(columns: &[Column], figure: Figure) -> Vec<String> {
        let text = table(columns, &[figure]);
        text.lines().nth(2).unwrap().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    }

    #[test]
    fn a_row_has_spreads_ratios_and_verdicts() {
        let nginx = column("nginx", &[(Figure::CpuSmall, &[10.0, 20.0, 12.0])]);
        let mut ours = column("Fortress", &[(Figure::CpuSmall, &[14.0, 28.0, 18.0])]);
        [9.0, 20.0, 10.0].into_iter().for_each(|part| ours.add_part(Figure::CpuSmall, part));
        let cells = row(&[nginx, ours], Figure::CpuSmall);
        assert_eq!(cells[0], "CPU per small request");
        assert_eq!(cells[1], "12.0 µs (10.0–20.0)");
        assert_eq!(cells[2], "18.0 µs (14.0–28.0; data plane 10.0), 1.40 x");
        assert_eq!(cells[3], "<= 1.5 x nginx: met");
        assert_eq!(cells[4], "<= 1 x nginx: **not met**");
    }

    #[test]
    fn a_failed_run_is_never_a_figure() {
        let nginx = column("nginx", &[(Figure::CpuSmall, &[10.0])]);
        let mut ours = column("Fortress", &[(Figure::CpuSmall, &[1.0])]);
        ours.fail(Figure::CpuSmall, "status 500");
        let cells = row(&[nginx, ours], Figure::CpuSmall);
        assert_eq!(cells[2], "**failed**");
        assert_eq!(cells[3], "<= 1.5 x nginx: not judged");
    }

    #[test]
    fn a_missing_program_is_said_and_nothing_is_compared_with_it() {
        let nginx = Column { missing: Some("not there".to_owned()), ..column("nginx", &[]) };
        let ours = column("Fortress", &[(Figure::Idle, &[61.0]), (Figure::CpuSmall, &[14.0])]);
        assert_eq!(
            row(&[nginx.clone(), ours.clone()], Figure::CpuSmall)[1..],
            ["not there", "14.0 µs (14.0–14.0)", "<= 1.5 x nginx: not judged", "<= 1 x nginx: not judged"]
        );
        assert_eq!(row(&[nginx, ours], Figure::Idle)[3..], ["<= 60 MB: **not met**", "<= 50 MB: **not met**"]);
    }

    #[test]
    fn every_line_has_as_many_cells() {
        let columns = [column("nginx", &[]), column("Envoy", &[]), column("Fortress", &[])];
        let text = table(&columns, &[Figure::Ttft99, Figure::Held(9800), Figure::Start]);
        assert!(text.lines().all(|line| line.matches('|').count() == columns.len() + 4), "{text}");
        assert!(text.contains("not measured"), "{text}");
        assert!(text.contains("memory, 9,800 streams"), "{text}");
    }
}
