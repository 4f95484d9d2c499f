//! The page of usage, against the report that it is made from.

use domain::{
    endpoint::Endpoint,
    key::{KeyStatus, SetKeyStatus},
    usage::{
        UsageRecord,
        page::{AskUsage, CHARTED, ChartKind, UsagePage},
        report::GroupBy,
    },
    user::UserRef,
};

use super::*;

/// 2026-03-29T01:00:00Z, when Berlin goes on to summer time.
const SPRING: u64 = 1_774_746_000_000;
const HOUR: u64 = 3_600_000;

async fn page(bench: &Bench, actor: &Actor, pairs: &[(&str, &str)]) -> UsagePage {
    let asked = pairs.iter().fold(AskUsage::default(), |asked, (name, value)| asked.with(name, value));
    bench.control.usage_page(actor, &asked).await.unwrap()
}

#[tokio::test]
async fn the_columns_of_a_chart_are_the_numbers_of_the_report_whatever_they_are_grouped_by() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ann").await;
    let key = bench.key(&actor, &user, "laptop").await.view.id;
    let records: Vec<_> = (0..90_u64)
        .map(|n| UsageRecord {
            model: Some(format!("m{}", n % 8)),
            prompt_tokens: Some(n),
            completion_tokens: Some(1),
            ..UsageRecord::new(n, SPRING - n * HOUR, user.clone(), key.clone(), Endpoint::Chat)
        })
        .collect();
    bench.control.0.store.append_usage(&records).await.unwrap();
    for by in GroupBy::ALL {
        let days = [("from", "2026-03-25"), ("to", "2026-03-29"), ("zone", "Europe/Berlin"), ("by", by.as_str())];
        let shown = page(&bench, &actor, &days).await.shown.unwrap();
        assert_eq!(shown.labels, ["2026-03-25", "2026-03-26", "2026-03-27", "2026-03-28", "2026-03-29"]);
        let report = bench.control.usage_report(&actor, &shown.query).await.unwrap();
        assert_eq!((report.total.requests, shown.total), (90, report.total));
        let sums = |title: &str| -> Vec<u64> {
            let chart = shown.charts.iter().find(|chart| chart.title.starts_with(title)).unwrap();
            assert!(chart.columns.len() <= CHARTED + 1 && chart.columns.iter().all(|column| column.values.len() == 5));
            (0..5).map(|at| chart.columns.iter().filter_map(|column| column.values[at]).sum()).collect()
        };
        let points = |of: fn(&domain::usage::report::UsageFigures) -> u64| -> Vec<u64> {
            report.points.iter().map(|point| of(&point.figures)).collect()
        };
        assert_eq!(sums("Requests by"), points(|figures| figures.requests));
        assert_eq!(sums("Tokens by"), points(|figures| figures.prompt_tokens + figures.completion_tokens));
        assert_eq!(sums("Errors"), points(|figures| figures.errors));
        let first = &shown.charts[0].columns[0];
        let told = first.values.iter().map(|value| value.unwrap_or_default()).sum::<u64>();
        let name = if *by == GroupBy::Key { "laptop of ann" } else { &report.groups[0].of.name };
        assert_eq!((first.label.as_str(), told), (name, report.groups[0].figures.requests));
        assert!(shown.charts.iter().any(|chart| chart.kind == ChartKind::Times));
    }
    let shown = page(&bench, &actor, &[("from", "2026-03-25"), ("to", "2026-03-29"), ("by", "model")]).await.shown;
    let columns = &shown.as_ref().unwrap().charts[0].columns;
    assert_eq!((columns.len(), columns[CHARTED].label.as_str()), (CHARTED + 1, "All others"));
}

#[tokio::test]
async fn whom_it_is_about_has_a_name_also_when_gone_and_faults_leave_the_choices() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ann").await;
    let other = bench.user(&actor, "bob").await;
    let key = bench.key(&actor, &user, "laptop").await.view.id;
    bench.key(&actor, &other, "phone").await;
    let shown = page(&bench, &actor, &[("key", key.as_str())]).await.shown.unwrap();
    let chosen = &shown.chosen[0];
    assert_eq!((chosen.of.name.as_str(), chosen.owner.as_deref()), ("laptop", Some(user.as_str())));
    bench.control.set_key_status(&actor, SetKeyStatus { id: key.clone(), status: KeyStatus::Revoked }).await.unwrap();
    bench.control.remove_user(&actor, UserRef { id: user.clone() }).await.unwrap();
    for (field, id, name) in [("user", user.as_str(), "ann"), ("key", key.as_str(), "laptop")] {
        let shown = page(&bench, &actor, &[(field, id)]).await.shown.unwrap();
        assert_eq!((shown.chosen[0].of.name.as_str(), shown.chosen[0].of.removed), (name, true));
    }
    let wrong = page(&bench, &actor, &[("zone", "Mars/Olympus"), ("from", "soon")]).await;
    let fields: Vec<_> = wrong.faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!((fields, wrong.shown), (vec!["zone", "from"], None));
    let names =
        |choices: &[domain::usage::page::Choice]| choices.iter().map(|choice| choice.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        (names(&wrong.choices.users), names(&wrong.choices.keys)),
        (vec!["bob".into()], vec!["phone of bob".into()])
    );
    let of_ann = page(&bench, &actor, &[("user", user.as_str())]).await;
    assert!(of_ann.choices.keys.is_empty(), "all of its keys are revoked");
}
