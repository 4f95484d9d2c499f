//! One backend with what is known of it and what can be done to it.

use domain::{
    admin::Role,
    backend::{BackendView, ollama_warning},
};
use leptos::prelude::*;
use leptos_router::components::A;

use super::{edit::EditBackendForm, share};
use crate::{
    api::backends::{DrainBackend, RemoveBackend, SwitchBackend, TestBackend},
    components::{
        action::{ActionForm, FormAction, SubmitButton, action_of, refresh_after},
        allowed::may,
        backend_facts::{LastFault, ModelNames},
        badge::BackendBadge,
        breakers::Breakers,
        disclosure::Confirm,
        fault::FormFault,
        field::Hidden,
        form::SwitchFields,
        refresh::Refresh,
    },
    format::{sentence, visible},
};

#[component]
pub(super) fn BackendCard(backend: Signal<BackendView>, refresh: Refresh) -> impl IntoView {
    let page = format!("/admin/backends/{}", backend.get_untracked().id);
    view! {
        <li aria-label=move || backend.with(|backend| backend.name.clone()) class="card card-border border-base-300 bg-base-100">
            <div class="card-body gap-3">
                <div class="flex flex-wrap items-center gap-3">
                    <h2 class="font-semibold break-all"><A href=page attr:class="link">{move || backend.with(|backend| backend.name.clone())}</A></h2>
                    <BackendBadge state=Signal::derive(move || backend.with(|backend| backend.state)) />
                    <code class="text-sm break-all text-muted">{move || backend.with(|backend| backend.url.clone())}</code>
                </div>
                <Facts backend />
                <Standing backend refresh />
            </div>
        </li>
    }
    .into_any()
}

/// What is wrong with a backend, and what can be done to it.
#[component]
pub(in crate::pages) fn Standing(backend: Signal<BackendView>, refresh: Refresh) -> impl IntoView {
    let test = action_of::<TestBackend>(&[("id", backend.get_untracked().id.as_str())]);
    refresh_after(test, refresh);
    view! {
        {move || {
            let version = backend.with(|backend| ollama_warning(backend.version.as_deref()?)).map(str::to_owned);
            let warnings = version.into_iter().chain(backend.with(BackendView::certificate_warning));
            warnings.map(|warning| view! { <p class="text-sm text-pretty"><span class="status status-warning" aria-hidden="true"></span>" "{sentence(&warning)}</p> }).collect_view()
        }}
        <Breakers backend />
        <LastFault backend />
        <TestResult test />
        {may(Role::Operator).then(|| view! {
            <div class="flex flex-wrap gap-2">
                <TestButton backend test />
                <SwitchButton backend refresh />
                <DrainButton backend refresh />
                <EditBackendForm backend refresh />
                <Remove backend refresh />
            </div>
        })}
    }
    .into_any()
}

#[component]
fn Facts(backend: Signal<BackendView>) -> impl IntoView {
    let token = move || backend.with(|backend| if backend.has_token { "A token is stored" } else { "No token" });
    view! {
        <div class="flex flex-wrap items-baseline gap-x-6 gap-y-1 text-sm">
            <ModelNames backend />
            <span>{move || backend.with(|backend| backend.version.as_ref().map_or_else(|| "Version unknown".to_owned(), |v| format!("Version {}", visible(v))))}</span>
            <span>{token}</span>
            {move || backend.with(in_force).into_iter().map(|told| view! { <span>{told}</span> }).collect_view()}
            <span class="font-medium" aria-live="polite">{move || backend.with(BackendView::drained)}</span>
        </div>
    }
    .into_any()
}

/// What it is held to beside the settings, in a few words each.
fn in_force(backend: &BackendView) -> Vec<String> {
    let mut told = share::in_force(backend);
    told.extend(super::timeouts::in_force(backend));
    told
}

#[component]
fn TestButton(backend: Signal<BackendView>, test: FormAction<TestBackend>) -> impl IntoView {
    let pending = test.pending();
    view! {
        <ActionForm action=test>
            <Hidden name="id" value=Signal::derive(move || backend.with(|backend| backend.id.to_string())) />
            <SubmitButton
                label=Signal::derive(move || if pending.get() { "Testing…" } else { "Test now" }.to_owned()) pending class="btn btn-sm"
            />
            <FormFault action=test />
        </ActionForm>
    }
    .into_any()
}

/// What the last test found, in one sentence.
#[component]
fn TestResult(test: FormAction<TestBackend>) -> impl IntoView {
    let found = move || test.output().map(|report| (report.result.is_ok(), report.result.message()));
    view! {
        <div role="status">
            {move || {
                found()
                    .map(|(good, message)| {
                        view! {
                            <p class="text-sm">
                                <span class=if good { "status status-success" } else { "status status-error" } aria-hidden="true"></span>
                                " " {sentence(&message)}
                            </p>
                        }
                    })
            }}
        </div>
    }
    .into_any()
}

#[component]
fn SwitchButton(backend: Signal<BackendView>, refresh: Refresh) -> impl IntoView {
    let switch = action_of::<SwitchBackend>(&[("id", backend.get_untracked().id.as_str())]);
    let id = Signal::derive(move || backend.with(|backend| backend.id.to_string()));
    let enabled = Signal::derive(move || backend.with(|backend| backend.enabled));
    view! {
        <ActionForm action=switch>
            <SwitchFields switch id enabled refresh />
        </ActionForm>
    }
    .into_any()
}

/// Drains what is not drained, and takes back what is.
#[component]
fn DrainButton(backend: Signal<BackendView>, refresh: Refresh) -> impl IntoView {
    let drain = action_of::<DrainBackend>(&[("id", backend.get_untracked().id.as_str())]);
    refresh_after(drain, refresh);
    let draining = Memo::new(move |_| backend.with(|backend| backend.draining));
    view! {
        <ActionForm action=drain>
            <Hidden name="id" value=Signal::derive(move || backend.with(|backend| backend.id.to_string())) />
            <Hidden name="draining" value=Signal::derive(move || (!draining.get()).to_string()) />
            <SubmitButton
                label=Signal::derive(move || if draining.get() { "Take back" } else { "Drain" }.to_owned()) pending=drain.pending() class="btn btn-sm"
            />
            <FormFault action=drain />
        </ActionForm>
    }
    .into_any()
}

#[component]
fn Remove(backend: Signal<BackendView>, refresh: Refresh) -> impl IntoView {
    let BackendView { id, name, .. } = backend.get_untracked();
    let remove = action_of::<RemoveBackend>(&[("id", id.as_str())]);
    let refused = remove.value().with_untracked(Option::is_some);
    refresh_after(remove, refresh);
    view! {
        <Confirm label="Remove" open=refused question=format!("Remove {name}? The gateway stops sending requests to it; the server itself is not touched.")>
            <ActionForm action=remove>
                <Hidden name="id" value=id.to_string() />
                <SubmitButton label="Remove backend" pending=remove.pending() class="btn btn-sm btn-error" />
                <FormFault action=remove />
            </ActionForm>
        </Confirm>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use domain::{
        backend::{BackendState, BreakerState, BreakerView, LastError},
        id::BackendId,
    };

    use super::*;
    use crate::rendering::html;

    #[test]
    fn a_card_says_how_far_a_drain_is_and_what_is_left_out() {
        let card = |in_flight| {
            html(move || {
                let backend = BackendView {
                    state: BackendState::Draining,
                    draining: true,
                    in_flight,
                    limit: Some(4),
                    weight: 3,
                    breakers: vec![BreakerView {
                        model: Some("<b>llama3".into()),
                        state: BreakerState::Open,
                        until: 60_000,
                    }],
                    ..BackendView::new(BackendId::new("0123456789ab").unwrap(), "gpu-1".into(), "http://gpu-1".into())
                };
                view! { <BackendCard backend=Signal::stored(backend) refresh=Refresh::new() /> }
            })
        };
        let page = card(3);
        let told = ["Draining, 3 requests left", "Take back", "At most 4 at once (learned)", "Weight 3"];
        for text in told.into_iter().chain(["&lt;b&gt;llama3 ejected, tried again at 00:01 UTC"]) {
            assert!(page.contains(text), "{text} is missing in {page}");
        }
        assert!(card(0).contains("Drained") && !page.contains("Drained") && !page.contains("<b>"), "{page}");
    }

    #[test]
    fn an_old_ollama_is_warned_of_beside_its_version() {
        let card = |version: &'static str| {
            html(move || {
                let id = BackendId::new("0123456789ab").unwrap();
                let backend = BackendView {
                    version: Some(version.into()),
                    ..BackendView::new(id, "gpu-1".into(), "http://gpu-1:11434".into())
                };
                view! { <BackendCard backend=Signal::stored(backend) refresh=Refresh::new() /> }
            })
        };
        assert!(card("0.17.0").contains("CVE-2026-7482"), "{}", card("0.17.0"));
        assert!(!card("0.17.1").contains("CVE-"), "{}", card("0.17.1"));
    }

    #[test]
    fn what_a_backend_says_is_text() {
        let card = html(|| {
            let id = BackendId::new("0123456789ab").unwrap();
            let backend = BackendView {
                state: BackendState::Down,
                models: vec!["<script>model</script>".into(), "llama3:8b".into()],
                version: Some("<b>0.12".into()),
                last_error: Some(LastError { at: 0, message: "<i>connection refused".into() }),
                ..BackendView::new(id, "gpu-1".into(), "http://gpu-1:11434".into())
            };
            view! { <BackendCard backend=Signal::stored(backend) refresh=Refresh::new() /> }
        });
        for text in ["Down", "2 models", "llama3:8b", "&lt;script&gt;model", "&lt;b&gt;0.12", "&lt;i&gt;"] {
            assert!(card.contains(text), "{text} is missing in {card}");
        }
        assert!(!card.contains("<script") && !card.contains("<b>") && !card.contains("<i>"), "{card}");
    }
}
