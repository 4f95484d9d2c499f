//! Disabling and enabling all users whose boxes are ticked. The boxes stand in the rows and belong to this form by its id.

use domain::{
    id::UserId,
    user::{SetUsersEnabled, UserLine},
};
use leptos::{html, prelude::*, web_sys::FormData};

use crate::{
    answer::ticked,
    api::users::SwitchUsers,
    components::{
        action::{ActionForm, FormAction, action, on_success},
        fault::FormFault,
        field::input_name,
        form::emptied_after,
        refresh::Refresh,
    },
    format::{plural, sentence},
};

const FORM: &str = "switch-users";

/// What is chosen, and the form that does something with it. Cheap to copy.
#[derive(Clone, Copy)]
pub(super) struct Boxes {
    action: FormAction<SwitchUsers>,
    form: NodeRef<html::Form>,
    users: Signal<Vec<UserLine>>,
    /// Names.
    chosen: RwSignal<Vec<String>>,
}

impl Boxes {
    pub(super) fn new(users: Signal<Vec<UserLine>>, refresh: Refresh) -> Self {
        let action = action::<SwitchUsers>();
        let form = emptied_after(action, refresh);
        let boxes = Self { action, form, users, chosen: RwSignal::new(Vec::new()) };
        on_success(action, move || boxes.look());
        // Another page of the list has other boxes.
        Effect::new(move |_| {
            users.track();
            request_animation_frame(move || boxes.look());
        });
        boxes
    }

    /// Looks which boxes are ticked.
    pub(super) fn look(self) {
        let Some(form) = self.form.try_get_untracked().flatten() else { return };
        let Ok(fields) = FormData::new_with_form(&form) else { return };
        let is_ticked = |user: &&UserLine| fields.has(&input_name(&field(&user.id)));
        let names =
            self.users.with_untracked(|users| users.iter().filter(is_ticked).map(|user| user.name.clone()).collect());
        self.chosen.set(names);
    }
}

fn field(id: &UserId) -> String {
    format!("{}{}", SetUsersEnabled::BOXES, SetUsersEnabled::box_of(id))
}

/// The box of one user.
pub(super) fn tick(id: &UserId, name: &str) -> AnyView {
    let field = field(id);
    view! {
        <input
            type="checkbox" class="checkbox checkbox-sm" form=FORM name=input_name(&field) value="true"
            checked={ticked::<SwitchUsers>(&field, false)} aria-label=format!("Choose {name}")
        />
    }
    .into_any()
}

#[component]
pub(super) fn SwitchChosen(boxes: Boxes) -> impl IntoView {
    let Boxes { action, form, chosen, .. } = boxes;
    let pending = action.pending();
    let button = move |words: &'static str, enabled: &'static str| {
        view! {
            <button
                type="submit" class="btn btn-sm" name=input_name("enabled") value=enabled aria-disabled=move || pending.get().then_some("true")
                on:click=move |event| {
                    if pending.get_untracked() {
                        event.prevent_default();
                    }
                }
            >
                {words}
            </button>
        }
    };
    let told = move || match chosen.with(Vec::len) {
        0 => "All those whose boxes are ticked.".to_owned(),
        count => format!("{}: {}", plural(count as u64, "user"), chosen.with(|names| names.join(", "))),
    };
    let done = move || chosen.with(Vec::is_empty).then(|| action.output()).flatten().map(|told| sentence(&told));
    view! {
        <ActionForm action node_ref=form id=FORM>
            <div class="mb-3 flex flex-wrap items-center gap-2">
                {button("Disable chosen", "false")}
                {button("Enable chosen", "true")}
                <p class="min-w-0 text-sm break-words text-muted">{told}</p>
            </div>
            <FormFault action=action />
        </ActionForm>
        <p role="status" class="not-empty:mb-3 text-sm break-words">{done}</p>
    }
    .into_any()
}
