//! What may be answered to a rolling upgrade now: one button each.

use domain::{
    admin::Role,
    upgrade::{UpgradeAnswer, UpgradePhase, UpgradeView},
};
use leptos::prelude::*;

use crate::{
    api::upgrade::TellUpgrade,
    components::{
        action::{ActionForm, FormAction, SubmitButton},
        allowed::may,
        fault::FormFault,
        field::Hidden,
    },
    format::visible,
};

/// One answer as it is offered.
#[derive(Clone, PartialEq)]
struct Offer {
    answer: UpgradeAnswer,
    label: String,
    run: String,
    backend: String,
}

#[component]
pub(super) fn Answers(
    run: Memo<Option<UpgradeView>>,
    open: Memo<bool>,
    tell: FormAction<TellUpgrade>,
) -> impl IntoView {
    let offers = Memo::new(move |_| run.with(|run| run.as_ref().map(offers).unwrap_or_default()));
    let change = Signal::derive(move || run.with(|run| run.as_ref().map_or(0, |run| run.change).to_string()));
    let asked = Memo::new(move |_| run.with(|run| run.as_ref().and_then(asked)));
    let key = |offer: &Offer| format!("{}{}{}{}", offer.run, offer.backend, offer.answer.as_str(), offer.label);
    view! {
        <div role="status" aria-live="polite">
            {move || asked.get().filter(|_| open.get()).map(|(wrong, text)| {
                let class = if wrong { "alert alert-error alert-soft" } else { "alert alert-info alert-soft" };
                let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
                view! { <p class=class><span class="break-words">{format!("{}{end}", visible(&text))}</span></p> }
            })}
        </div>
        <FormFault action=tell only_told=true />
        {may(Role::Operator).then(|| view! {
            <div class="flex flex-wrap gap-2">
                <For each=move || offers.get() key let:offer>
                    <OfferForm offer change tell />
                </For>
            </div>
        })}
    }
    .into_any()
}

#[component]
fn OfferForm(offer: Offer, change: Signal<String>, tell: FormAction<TellUpgrade>) -> impl IntoView {
    let Offer { answer, label, run, backend } = offer;
    let class = match answer {
        UpgradeAnswer::Continue | UpgradeAnswer::Retry => "btn btn-sm btn-primary",
        UpgradeAnswer::StopRejoin | UpgradeAnswer::StopDrained => "btn btn-sm btn-ghost text-error",
        UpgradeAnswer::Rejoin | UpgradeAnswer::Pause => "btn btn-sm",
    };
    view! {
        <ActionForm action=tell>
            <Hidden name="run" value=run />
            <Hidden name="backend" value=backend />
            <Hidden name="change" value=change />
            <Hidden name="answer" value=answer.as_str().to_owned() />
            <SubmitButton label pending=tell.pending() class />
        </ActionForm>
    }
    .into_any()
}

fn offers(run: &UpgradeView) -> Vec<Offer> {
    let Some(step) = run.current() else { return Vec::new() };
    let (name, away) = (&step.name, step.phase.is_away());
    let label = |answer| match answer {
        UpgradeAnswer::Continue if step.phase == UpgradePhase::Waiting && step.waits.is_some() => {
            "Begin all the same".to_owned()
        }
        UpgradeAnswer::Continue if run.answers().contains(&UpgradeAnswer::Pause) || step.problem.is_some() => {
            format!("{name} is upgraded, go on")
        }
        UpgradeAnswer::Continue => "End the pause".to_owned(),
        UpgradeAnswer::Retry => "Try again".to_owned(),
        UpgradeAnswer::Rejoin => format!("Take {name} back all the same"),
        UpgradeAnswer::Pause => "Pause".to_owned(),
        UpgradeAnswer::StopRejoin if away && !step.was_draining => format!("Stop and take {name} back"),
        UpgradeAnswer::StopRejoin => "Stop".to_owned(),
        UpgradeAnswer::StopDrained => format!("Stop and leave {name} drained"),
    };
    let offer = |answer| Offer { answer, label: label(answer), run: run.id.clone(), backend: step.backend.to_string() };
    run.answers().into_iter().map(offer).collect()
}

/// What somebody should do or know now, and whether something is wrong.
fn asked(run: &UpgradeView) -> Option<(bool, String)> {
    let step = run.current()?;
    let name = &step.name;
    if let Some(problem) = &step.problem {
        return Some((true, problem.clone()));
    }
    match step.phase {
        UpgradePhase::Waiting => step.waits.clone().map(|why| (true, format!("{name} waits: {why}"))),
        UpgradePhase::Draining if step.overdue => {
            let text =
                format!("{name} has had its ten minutes and still answers; streams are never cut: wait, or stop");
            Some((true, text))
        }
        UpgradePhase::HandedOver if step.commanded => Some((false, format!("A command upgrades {name} now"))),
        UpgradePhase::HandedOver => {
            let text = format!(
                "Upgrade {name} now. It goes on by itself when {name} comes back or runs another version, or when you say so"
            );
            Some((false, text))
        }
        _ => None,
    }
}
