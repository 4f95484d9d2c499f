//! One alias with what it leads to now and what can be done to it.

use domain::{
    admin::Role,
    alias::{AliasView, TargetState, TargetView},
};
use leptos::prelude::*;

use super::forms::EditAliasForm;
use crate::{
    api::aliases::RemoveAlias,
    components::{
        action::{ActionForm, SubmitButton, action_of, refresh_after},
        allowed::may,
        badge::Badge,
        disclosure::Confirm,
        fault::FormFault,
        field::Hidden,
        refresh::Refresh,
    },
    format::{sentence, visible},
};

#[component]
pub(super) fn AliasCard(alias: Signal<AliasView>, refresh: Refresh) -> impl IntoView {
    let name = alias.get_untracked().name;
    let label = name.clone();
    let warning = move || {
        alias.with(|alias| {
            alias
                .shadows
                .then(|| format!("Backends have a model {0}, too. Whoever asks for {0} gets this alias.", alias.name))
        })
    };
    view! {
        <li aria-label=label class="card card-border border-base-300 bg-base-100">
            <div class="card-body gap-3">
                <div class="flex flex-wrap items-baseline gap-x-3 gap-y-1">
                    <h2 class="font-semibold break-all">{name}</h2>
                    <span class="text-sm text-muted break-words min-w-0">{move || alias.with(|alias| alias.note.clone())}</span>
                </div>
                {move || {
                    warning().map(|text| view! { <p class="text-sm text-pretty"><span class="status status-warning" aria-hidden="true"></span>" "{text}</p> })
                }}
                {move || alias.with(unusable).then(|| view! {
                    <p class="text-sm text-pretty"><span class="status status-error" aria-hidden="true"></span>" None of its models can be used now: requests for it are answered with an error."</p>
                })}
                <ol class="flex flex-col gap-2" aria-label="Models, the first one first">
                    {move || alias.with(|alias| alias.models.iter().enumerate().map(target).collect_view())}
                </ol>
                {move || alias.with(by_way_of).map(|text| view! { <p class="text-sm text-muted break-words">{text}</p> })}
                {may(Role::Operator).then(|| view! {
                    <div class="flex flex-wrap gap-2">
                        <EditAliasForm alias refresh />
                        <Remove alias refresh />
                    </div>
                })}
            </div>
        </li>
    }
    .into_any()
}

/// No model of it gets the next request.
fn unusable(alias: &AliasView) -> bool {
    alias.models.iter().all(|model| model.state != TargetState::Next)
}

/// What is written in the alias, where that is other than what it leads to.
fn by_way_of(alias: &AliasView) -> Option<String> {
    let same = alias.targets.iter().eq(alias.models.iter().map(|model| &model.model));
    (!same).then(|| format!("By way of other aliases: {}.", alias.targets.join(", ")))
}

fn target((number, target): (usize, &TargetView)) -> AnyView {
    let TargetView { model, state, why } = target;
    view! {
        <li class="flex flex-wrap items-center gap-x-3 gap-y-1">
            <span class="w-5 text-right text-sm text-muted tabular-nums" aria-hidden="true">{(number + 1).to_string()}</span>
            <code class="min-w-0 text-sm break-all">{visible(model)}</code>
            {state_badge(*state)}
            <span class="min-w-0 text-sm break-words text-muted">{sentence(&visible(why))}</span>
        </li>
    }
    .into_any()
}

pub(super) fn state_badge(state: TargetState) -> AnyView {
    let look = match state {
        TargetState::Next => ("In use", "status status-success"),
        TargetState::Standby => ("Standby", "status status-info"),
        TargetState::Out => ("Out", "status status-error"),
        TargetState::Missing => ("Missing", "status status-warning"),
    };
    view! { <Badge look /> }.into_any()
}

#[component]
fn Remove(alias: Signal<AliasView>, refresh: Refresh) -> impl IntoView {
    let name = alias.get_untracked().name;
    let remove = action_of::<RemoveAlias>(&[("name", name.as_str())]);
    let refused = remove.value().with_untracked(Option::is_some);
    refresh_after(remove, refresh);
    let question = format!(
        "Remove {name}? Its models stay. Requests for {name} are answered like those for a model that nobody has."
    );
    view! {
        <Confirm label="Remove" open=refused question>
            <ActionForm action=remove>
                <Hidden name="name" value=name />
                <Hidden name="version" value=Signal::derive(move || alias.with(|alias| alias.version.clone())) />
                <SubmitButton label="Remove alias" pending=remove.pending() class="btn btn-sm btn-error" />
                <FormFault action=remove />
            </ActionForm>
        </Confirm>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendering::html;

    fn card(change: impl FnOnce(&mut AliasView) + Send + 'static) -> String {
        let target = |model: &str, state, why: &str| TargetView { model: model.into(), state, why: why.into() };
        let mut alias = AliasView {
            name: "fast".into(),
            targets: vec!["llama3.2:3b".into(), "phi4".into()],
            note: "for <b>quick</b> work".into(),
            version: "1-1".into(),
            models: vec![
                target("llama3.2:3b", TargetState::Out, "gpu-1 is drained"),
                target("phi4", TargetState::Next, "on <i>gpu-2, loaded there"),
            ],
            shadows: false,
        };
        change(&mut alias);
        html(move || view! { <AliasCard alias=Signal::stored(alias) refresh=Refresh::new() /> })
    }

    #[test]
    fn a_card_says_what_is_in_use_and_why_and_all_of_it_is_text() {
        let page = card(|_| ());
        let told = ["Gpu-1 is drained.", "In use", "phi4", "&lt;i>gpu-2, loaded there", "&lt;b>quick&lt;/b> work"];
        for text in told {
            assert!(page.replace("&gt;", ">").contains(text), "{text} is missing in {page}");
        }
        for absent in ["<i>", "<b>", "By way of", "None of its models", "Backends have"] {
            assert!(!page.contains(absent), "{absent} in {page}");
        }
    }

    #[test]
    fn what_is_hidden_and_what_cannot_be_used_is_said() {
        let page = card(|alias| {
            alias.shadows = true;
            alias.targets = vec!["small".into()];
            alias.models.truncate(1);
        });
        for text in [
            "Backends have a model fast, too.",
            "None of its models can be used now",
            "By way of other aliases: small.",
        ] {
            assert!(page.contains(text), "{text} is missing in {page}");
        }
    }
}
