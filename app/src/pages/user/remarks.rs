//! Label and note of a user and of a key, and the form that changes them. What is typed stays whatever happens meanwhile.

use domain::remarks::{REMARK_FIELDS, RemarksView};
use leptos::prelude::*;

use crate::components::{
    action::{ActionForm, AnyAction, SubmitButton, on_success},
    area::Area,
    fault::{FormFault, field_fault},
    field::{Field, Hidden},
    form::FormDisclosure,
    refresh::Refresh,
};

/// An empty text would be drawn as a blank.
fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The note; nothing where there is none.
#[component]
pub(super) fn Note(remarks: Memo<RemarksView>) -> impl IntoView {
    let note = move || remarks.with(|remarks| filled(&remarks.note));
    view! { <p class="max-w-prose text-sm break-words whitespace-pre-line empty:hidden">{note}</p> }.into_any()
}

/// The label; nothing where there is none.
#[component]
pub(super) fn Label(remarks: Memo<RemarksView>) -> impl IntoView {
    let label = move || remarks.with(|remarks| filled(&remarks.label));
    view! { <span class="badge badge-soft badge-info h-auto break-all empty:hidden">{label}</span> }.into_any()
}

#[component]
pub(super) fn RemarksForm(
    #[prop(into)] action: AnyAction,
    /// Of the key or user.
    id: String,
    remarks: Memo<RemarksView>,
    refresh: Refresh,
) -> impl IntoView {
    let touched = RwSignal::new(false);
    on_success(action, move || touched.set(false));
    // What was on the screen when the typing began: by it a save is told when there is something else by now.
    let shown = Memo::new(move |last: Option<&RemarksView>| match last {
        Some(last) if touched.get() => last.clone(),
        _ => remarks.get(),
    });
    let told = field_fault(action, "seen");
    let seen = Signal::derive(move || told.get().unwrap_or_else(|| shown.with(|shown| shown.version.clone())));
    let fields = {
        let id = id.clone();
        move || {
            let RemarksView { label, note, .. } = shown.get();
            let typed = |name: &'static str, stored: &str| action.typed_in(&[("id", &id)], name, stored);
            view! {
                <Field label="Label" name="label" id=format!("label-{id}") value=typed("label", &label) hint="A few words, as a team or a place." fault=field_fault(action, "label") />
                <Area label="Note" name="note" id=format!("note-{id}") value=typed("note", &note) hint="For administrators. Never a key or a password." fault=field_fault(action, "note") />
            }
            .into_any()
        }
    };
    view! {
        <FormDisclosure action label="Label and note" refresh>
            <ActionForm action>
                <Hidden name="id" value=id />
                <Hidden name="seen" value=seen />
                <FormFault action fields=&REMARK_FIELDS />
                <div class="flex max-w-prose flex-col gap-3" on:input=move |_| touched.set(true)>
                    {fields}
                    <div><SubmitButton label="Save label and note" pending=action.pending() class="btn btn-sm btn-primary" /></div>
                </div>
            </ActionForm>
        </FormDisclosure>
    }
    .into_any()
}
