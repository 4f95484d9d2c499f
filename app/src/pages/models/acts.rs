//! The orders that this page sends, and the forms that send them to several backends at once.

use domain::models::{
    ModelRow,
    act::{Acted, BOXES, CopyModel, DeleteModel, Keep, box_of},
};
use leptos::prelude::*;

use super::keep::{follow, press};
use crate::{
    api::models::{SendCopy, SendDelete, SendKeep},
    components::{
        action::{ActionForm, AnyAction, SubmitButton, action, refresh_after},
        disclosure::{Confirm, Disclosure},
        fault::field_fault,
        field::{Field, Hidden, input_name},
        refresh::Refresh,
    },
    format::{plural, sentence, visible},
};

/// Cheap to copy.
#[derive(Clone, Copy)]
pub(super) struct Actions {
    pub keep: AnyAction,
    copy: AnyAction,
    delete: AnyAction,
    pub told: RwSignal<Option<Acted>>,
    pub pending: Signal<bool>,
}

impl Actions {
    pub fn new(refresh: Refresh) -> Self {
        let keep: AnyAction = action::<SendKeep>().into();
        let (copy, delete): (AnyAction, AnyAction) = (action::<SendCopy>().into(), action::<SendDelete>().into());
        let all = [keep, copy, delete];
        all.iter().for_each(|action| refresh_after(*action, refresh));
        let pending = all.map(AnyAction::pending);
        let pending = Signal::derive(move || pending.iter().any(|pending| pending.get()));
        Self { keep, copy, delete, told: follow(&all), pending }
    }

    /// Each action with the fields that its faults stand beside.
    pub fn faults(&self) -> Vec<(AnyAction, &'static [&'static str])> {
        vec![
            (self.keep, &["backends"][..]),
            (self.copy, &CopyModel::FIELDS[..]),
            (self.delete, &DeleteModel::FIELDS[..]),
        ]
    }
}

/// What can be done to a model on several backends. `chosen` is the one that is meant first.
pub(super) fn several(model: &ModelRow, chosen: &str, actions: Actions) -> AnyView {
    let Actions { keep, copy, delete, .. } = actions;
    let name = model.name.clone();
    let refused = |action: AnyAction| action.value().with_untracked(|value| matches!(value, Some(Err(_))));
    let held = |action: AnyAction, field: &str| action.typed_in(&[("model", &name)], field, "");
    let question = format!(
        "Delete {}? Its files are removed from the backends you choose, and requests for it get 404 where nobody else has it. \
         To have it again it must be pulled again.",
        visible(&name)
    );
    let keep_boxes = boxes(model, chosen, keep);
    let keep_buttons = [(Keep::Load, "Load"), (Keep::Pin, "Keep loaded"), (Keep::Unload, "Unload")]
        .map(|(act, words)| press(act, words, " on the chosen backends", keep));
    let (copy_boxes, destination) = (boxes(model, chosen, copy), held(copy, "destination"));
    let (delete_boxes, confirm) = (boxes(model, chosen, delete), format!("Type {} to confirm", visible(&name)));
    let [keep_name, copy_name, delete_name] = [name.clone(), name.clone(), name.clone()];
    view! {
        <section aria-labelledby="several" class="card card-border border-base-300 bg-base-100">
            <div class="card-body">
                <h2 id="several" class="card-title">"On several backends at once"</h2>
                <p class="max-w-prose text-sm text-muted">
                    "Load keeps the model in memory for as long as the backend does by itself, five minutes unless its OLLAMA_KEEP_ALIVE says otherwise. "
                    "Keep loaded holds until it is unloaded here, the backend starts anew, needs the memory for another model, or a request brings a keep_alive of its own."
                </p>
                <div class="flex flex-wrap gap-2">
                    <Disclosure label="Load or unload" open=refused(keep)>
                        <ActionForm action=keep>
                            <Hidden name="model" value=keep_name />
                            {keep_boxes}
                            <div class="mt-3 flex flex-wrap gap-2">{keep_buttons.into_iter().collect_view()}</div>
                        </ActionForm>
                    </Disclosure>
                    <Disclosure label="Copy" open=refused(copy)>
                        <ActionForm action=copy>
                            <Hidden name="model" value=copy_name />
                            <div class="mb-3 max-w-md">
                                <Field
                                    label="New name" name="destination" value=destination required=true fault=field_fault(copy, "destination")
                                    hint="As mine:latest. The model keeps its own name too; a copy takes no further room."
                                />
                            </div>
                            {copy_boxes}
                            <div class="mt-3"><SubmitButton label="Copy model" pending=copy.pending() class="btn btn-sm btn-primary" /></div>
                        </ActionForm>
                    </Disclosure>
                    <Confirm label="Delete" question open=refused(delete)>
                        <ActionForm action=delete>
                            <Hidden name="model" value=delete_name />
                            {delete_boxes}
                            <div class="mt-3 max-w-md">
                                <Field label=confirm name="retyped" required=true fault=field_fault(delete, "retyped") />
                            </div>
                            <div class="mt-3"><SubmitButton label="Delete model" pending=delete.pending() class="btn btn-sm btn-error" /></div>
                        </ActionForm>
                    </Confirm>
                </div>
            </div>
        </section>
    }
    .into_any()
}

/// Boxes of the backends that have it. The only one is ticked, and the one that is meant.
fn boxes(model: &ModelRow, chosen: &str, action: AnyAction) -> AnyView {
    let fault = field_fault(action, "backends");
    let alone = model.on.len() == 1;
    let held = |field: &str, usual: bool| {
        let usual = if usual { "true" } else { "" };
        action.typed_in(&[("model", &model.name)], field, usual) == "true"
    };
    let boxed = model.on.iter().map(|holder| {
        let field = format!("{BOXES}{}", box_of(&holder.id));
        let ticked = held(&field, alone || holder.id.as_str() == chosen);
        tick(input_name(&field), ticked, visible(&holder.name))
    });
    let all = (!alone).then(|| {
        let words = format!("Everywhere it lies ({})", plural(model.on.len() as u64, "backend"));
        tick(input_name("everywhere"), held("everywhere", false), words)
    });
    view! {
        <fieldset>
            <legend class="mb-2 text-sm font-medium">"Backends"</legend>
            <div class="flex max-h-56 flex-col gap-2 overflow-auto">{all}{boxed.collect_view()}</div>
            <p class="mt-1 text-sm text-error">{move || fault.get().map(|text| sentence(&text))}</p>
        </fieldset>
    }
    .into_any()
}

fn tick(name: String, ticked: bool, words: String) -> AnyView {
    view! {
        <label class="flex items-start gap-2 text-sm">
            <input type="checkbox" class="checkbox checkbox-sm" name=name value="true" checked=ticked />
            <span class="min-w-0 break-all">{words}</span>
        </label>
    }
    .into_any()
}
