//! Adding an alias, and changing one in place.

use domain::{
    alias::{AliasView, SaveAlias},
    error::AdminError,
};
use leptos::{html, prelude::*};

use crate::{
    answer::{typed, typed_in},
    api::aliases::{ChangeAlias, CreateAlias},
    components::{
        action::{ActionForm, AnyAction, SubmitButton, action, action_of, on_success},
        area::Area,
        disclosure::{Disclosure, close},
        fault::{FormFault, field_fault},
        field::{Field, Hidden},
        form::{FormCard, emptied_after},
        refresh::Refresh,
    },
};

#[component]
pub(super) fn AddAliasForm(refresh: Refresh) -> impl IntoView {
    let action = action::<CreateAlias>();
    let form = emptied_after(action, refresh);
    let [name, targets, note] = SaveAlias::FIELDS.map(typed::<CreateAlias>);
    view! {
        <FormCard id="add-alias" title="Add an alias">
            <ActionForm action node_ref=form>
                <FormFault action=action fields=&SaveAlias::FIELDS />
                <div class="grid gap-3 md:grid-cols-2">
                    <Field
                        label="Name" name="name" id="new-alias-name" required=true value=name placeholder="fast" fault=field_fault(action, "name")
                        hint="What clients ask for. It may be the name of a model, which is hidden by it."
                    />
                    <Field label="Note" name="note" id="new-alias-note" value=note fault=field_fault(action, "note") hint="For administrators only." />
                </div>
                <div class="mt-3"><Targets action id="new-alias-targets" targets /></div>
                <div class="mt-3">
                    <SubmitButton label="Add alias" pending=action.pending() />
                </div>
            </ActionForm>
        </FormCard>
    }
    .into_any()
}

#[component]
fn Targets(#[prop(into)] action: AnyAction, #[prop(into)] id: String, targets: String) -> impl IntoView {
    let hint = "One a line, the one to be tried first at the top. Other aliases may stand here, too.";
    view! { <Area label="Models" name="targets" id value=targets hint fault=field_fault(action, "targets") /> }
        .into_any()
}

#[component]
pub(super) fn EditAliasForm(alias: Signal<AliasView>, refresh: Refresh) -> impl IntoView {
    let AliasView { name, targets, note, version, .. } = alias.get_untracked();
    let own = [("name", name.as_str())];
    let action = action_of::<ChangeAlias>(&own);
    let before = targets.join("\n");
    let targets = typed_in::<ChangeAlias>(&own, "targets", &before);
    let note = typed_in::<ChangeAlias>(&own, "note", &note);
    let open = action.value().with_untracked(Option::is_some) || targets != before;
    let details = NodeRef::<html::Details>::new();
    // What the form shows is of this version. Whoever was told that there is another by now has seen it, and may save over it.
    let shown = RwSignal::new(version);
    let told =
        Memo::new(move |_| action.value().with(|value| matches!(fault(value), Some(AdminError::Conflict { .. }))));
    let version =
        Signal::derive(move || if told.get() { alias.with(|alias| alias.version.clone()) } else { shown.get() });
    Effect::new(move |_| {
        if action.version().get() == 0 {
            return;
        }
        match action.value().get_untracked() {
            Some(Err(error)) if matches!(error.0, AdminError::Conflict { .. }) => refresh.again(),
            Some(Err(error)) if error.is_stale() => refresh.after(&error),
            _ => {}
        }
    });
    on_success(action, move || {
        if let Some(saved) = untrack(|| action.output()) {
            shown.set(saved.version);
        }
        close(details);
        refresh.again();
    });
    let id = format!("alias-{name}");
    view! {
        <Disclosure label="Edit" details open>
            <ActionForm action>
                <FormFault action=action fields=&SaveAlias::FIELDS />
                <Hidden name="name" value=name />
                <Hidden name="version" value=version />
                <div class="flex flex-col gap-3">
                    <Targets action id=format!("{id}-targets") targets />
                    <Field label="Note" name="note" id=format!("{id}-note") value=note fault=field_fault(action, "note") />
                    <div>
                        <SubmitButton label="Save alias" pending=action.pending() class="btn btn-sm btn-primary" />
                    </div>
                </div>
            </ActionForm>
        </Disclosure>
    }
    .into_any()
}

fn fault(value: &crate::components::action::Answered) -> Option<&AdminError> {
    value.as_ref()?.as_ref().err().map(|error| &error.0)
}
