//! What was typed into a form and not saved yet, and where the keyboard was: taken along when the form is drawn anew with what
//! is stored by now. In the browser only.

use js_sys::{Array, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, HtmlElement};

use super::focus::focus_soon;

/// Marks what belongs to one setting, with its name.
pub const UNIT: &str = "data-setting";

/// Of one form.
#[derive(Default)]
pub struct Drafts {
    /// Fields that differ from what was stored when they were drawn.
    typed: Vec<Draft>,
    /// A selector of what had the focus.
    focus: Option<String>,
}

struct Draft {
    name: String,
    typed: String,
    /// What its field showed before.
    stored: String,
}

/// A field into which somebody typed while something else was stored in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    pub name: String,
    /// What its label says.
    pub label: String,
    /// What is stored by now, for people.
    pub stored: String,
}

impl Drafts {
    /// Of the first form in `root`. What was `saved` just now, as [`held`] had it when it was sent, is none.
    pub fn take(root: &Element, saved: &[(String, String)]) -> Self {
        let mut typed = Vec::new();
        for field in fields(root) {
            let (now, stored) = field.state();
            let is_saved = saved.iter().any(|(name, sent)| *name == field.name && *sent == now);
            if now != stored && !is_saved {
                typed.push(Draft { name: field.name, typed: now, stored });
            }
        }
        Self { typed, focus: focus_in(root) }
    }

    /// Puts it into the form that has come in place of that one. Answers what it covers that was stored since it was typed,
    /// or that was among the conflicts `before`.
    pub fn put(&self, root: &Element, before: &[Conflict]) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        for field in fields(root) {
            let Some(draft) = self.typed.iter().find(|draft| draft.name == field.name) else { continue };
            let (_, stored) = field.state();
            let is_covered = stored != draft.stored || before.iter().any(|conflict| conflict.name == field.name);
            if is_covered && stored != draft.typed {
                let (label, stored) = (field.label(), field.shown(&stored));
                conflicts.push(Conflict { name: field.name.clone(), label, stored });
            }
            field.put(&draft.typed);
        }
        let found = self.focus.as_ref().and_then(|focus| root.query_selector(focus).ok().flatten());
        if let Some(found) = found {
            focus_soon(move || found.clone().dyn_into::<HtmlElement>().ok());
        }
        conflicts
    }
}

/// Takes back what was typed into the field `name` of the first form in `root`.
pub fn undo_field(root: &Element, name: &str) {
    for field in fields(root).into_iter().filter(|field| field.name == name) {
        let (_, stored) = field.state();
        field.put(&stored);
    }
}

/// What the fields of the first form in `root` hold, by their names.
pub fn held(root: &Element) -> Vec<(String, String)> {
    let held = |field: Field| {
        let (now, _) = field.state();
        (field.name, now)
    };
    fields(root).into_iter().map(held).collect()
}

/// Takes back what was typed into the fields of the unit around `within`.
pub fn undo(within: &Element) {
    let unit = within.closest(&format!("[{UNIT}]")).ok().flatten();
    let form = within.closest("form").ok().flatten();
    let (Some(unit), Some(form)) = (unit, form) else { return };
    for field in fields_of(&form) {
        if field.element.closest(&format!("[{UNIT}]")).ok().flatten().is_some_and(|around| around == unit) {
            let (_, stored) = field.state();
            field.put(&stored);
        }
    }
}

/// What has the focus within `root`: by its id, or as the first field of its unit, since a button may be gone.
fn focus_in(root: &Element) -> Option<String> {
    let active = document().active_element().filter(|active| root.contains(Some(active)))?;
    match active.id() {
        id if !id.is_empty() => Some(format!("[id=\"{id}\"]")),
        _ => {
            let unit = active.closest(&format!("[{UNIT}]")).ok().flatten()?.get_attribute(UNIT)?;
            Some(format!("[{UNIT}=\"{unit}\"] :is(input, select, textarea)"))
        }
    }
}

struct Field {
    element: Element,
    name: String,
    /// As DOM has it: `checkbox`, `select-one`, …
    kind: String,
}

fn fields(root: &Element) -> Vec<Field> {
    root.query_selector("form").ok().flatten().map(|form| fields_of(&form)).unwrap_or_default()
}

/// Fields that people fill in.
fn fields_of(form: &Element) -> Vec<Field> {
    let all = Reflect::get(form, &"elements".into()).map(|all| Array::from(&all)).unwrap_or_default();
    let field = |element: JsValue| {
        let element: Element = element.dyn_into().ok()?;
        let field = Field { name: text(&element, "name"), kind: text(&element, "type"), element };
        let filled_in = !matches!(field.kind.as_str(), "" | "hidden" | "button" | "submit" | "fieldset");
        (filled_in && !field.name.is_empty()).then_some(field)
    };
    all.iter().filter_map(field).collect()
}

impl Field {
    /// What it holds now, and what it held when it was drawn.
    fn state(&self) -> (String, String) {
        let lines = |member: &str| text(&self.element, member).replace("\r\n", "\n");
        match self.kind.as_str() {
            "checkbox" => (ticked(&self.element, "checked"), ticked(&self.element, "defaultChecked")),
            "select-one" => {
                let chosen = self.element.query_selector("option[selected]").ok().flatten();
                (lines("value"), chosen.and_then(|option| option.get_attribute("value")).unwrap_or_default())
            }
            _ => (lines("value"), lines("defaultValue")),
        }
    }

    fn label(&self) -> String {
        let labels = Reflect::get(&self.element, &"labels".into()).ok();
        let first = labels.and_then(|labels| Reflect::get_u32(&labels, 0).ok()?.dyn_into::<Element>().ok());
        first
            .and_then(|label| label.text_content())
            .filter(|text| !text.trim().is_empty())
            .unwrap_or_else(|| self.name.clone())
    }

    /// A value of this field as it shows it.
    fn shown(&self, value: &str) -> String {
        let option = || {
            let options = Reflect::get(&self.element, &"options".into()).ok()?;
            let mut all = Array::from(&options).into_iter().filter_map(|option| option.dyn_into::<Element>().ok());
            all.find(|option| option.get_attribute("value").as_deref() == Some(value))?.text_content()
        };
        match (self.kind.as_str(), value) {
            ("checkbox", "") => "off".to_owned(),
            ("select-one", _) => option().unwrap_or_else(|| value.to_owned()),
            (_, "") => "nothing".to_owned(),
            _ => value.to_owned(),
        }
    }

    fn put(&self, value: &str) {
        // A member of an element of this kind can always be set.
        let _ = match self.kind.as_str() {
            "checkbox" => Reflect::set(&self.element, &"checked".into(), &JsValue::from_bool(!value.is_empty())),
            _ => Reflect::set(&self.element, &"value".into(), &value.into()),
        };
    }
}

fn text(element: &Element, member: &str) -> String {
    Reflect::get(element, &member.into()).ok().and_then(|value| value.as_string()).unwrap_or_default()
}

/// As a form sends it.
fn ticked(element: &Element, member: &str) -> String {
    let on = Reflect::get(element, &member.into()).ok().and_then(|value| value.as_bool()).unwrap_or_default();
    if on { "on" } else { "" }.to_owned()
}
