//! The part of the page about TLS: what is in force, and other pairs.

mod pem;

use domain::{
    admin::Role,
    tls::{CertificateView, PairSource, TlsView},
};
use leptos::{either::EitherOf3, prelude::*};

use self::pem::Pem;
use crate::{
    answer::typed_in,
    api::network::{CreatePair, DropPair, StorePair, get_tls},
    components::{
        action::{ActionForm, FormAction, SubmitButton, action, on_success, refresh_after},
        allowed::may,
        disclosure::{Confirm, Disclosure},
        fault::{FormFault, LoadFault, field_fault},
        field::Field,
        listing::Loading,
        refresh::Refresh,
        timestamp::Timestamp,
    },
    format::sentence,
    reading::reading,
};

#[component]
pub(super) fn Tls() -> impl IntoView {
    let (store, make, remove) = (action::<StorePair>(), action::<CreatePair>(), action::<DropPair>());
    let refresh = Refresh::new();
    refresh_after(store, refresh);
    refresh_after(make, refresh);
    refresh_after(remove, refresh);
    // What one form was refused is of no matter once another has changed the pair.
    on_success(store, move || (make.value().set(None), remove.value().set(None)).1);
    on_success(make, move || (store.value().set(None), remove.value().set(None)).1);
    on_success(remove, move || (store.value().set(None), make.value().set(None)).1);
    let tls = reading(move || refresh.count(), |_| get_tls());
    view! {
        <section aria-labelledby="tls" class="card card-border mt-8 border-base-300 bg-base-100 p-6">
            <h2 id="tls" class="mb-3 text-lg font-semibold">"TLS"</h2>
            <Transition fallback=Loading>
                {move || match tls.get() {
                    None => EitherOf3::A(()),
                    Some(Ok(tls)) => EitherOf3::B(view! { <State tls store make remove /> }),
                    Some(Err(error)) => EitherOf3::C(view! { <LoadFault fault=error.to_string() retry=move || refresh.again() /> }),
                }}
            </Transition>
        </section>
    }
}

#[component]
fn State(
    tls: TlsView,
    store: FormAction<StorePair>,
    make: FormAction<CreatePair>,
    remove: FormAction<DropPair>,
) -> impl IntoView {
    let saved = matches!(tls.in_force, Some((PairSource::Saved, _)));
    let now = match tls.in_force {
        None => view! {
            <p class="max-w-prose text-sm">
                "The port speaks plain HTTP: whoever can listen in on the network reads keys, passwords and prompts. With a certificate it speaks HTTPS from the next connection on; you then open these pages with https:// and sign in again."
            </p>
        }
        .into_any(),
        Some((source, certificate)) => view! { <InForce source certificate /> }.into_any(),
    };
    let fault = tls.files_fault.map(|fault| {
        view! {
            <div role="alert" class="alert alert-warning my-3">
                <span class="break-words">{sentence(&format!("the files could not be taken when they last changed, and what was in force before stays: {fault}"))}</span>
            </div>
        }
    });
    view! {
        {now}
        {fault}
        {may(Role::Owner).then(|| view! {
            <div class="mt-4 flex flex-wrap items-start gap-2">
                <Upload store />
                <Make make names=tls.suggested_names />
                {saved.then(|| view! { <Remove remove /> })}
            </div>
        })}
    }
    .into_any()
}

#[component]
fn InForce(source: PairSource, certificate: CertificateView) -> impl IntoView {
    let source = match source {
        PairSource::Files => "from the files TLS_CERT and TLS_KEY, which are read again when they change",
        PairSource::Saved => "saved here",
    };
    let names = if certificate.names.is_empty() { "none".to_owned() } else { certificate.names.join(", ") };
    let trust = if certificate.self_signed {
        "Signed by itself: browsers ask once before they trust it. Compare the fingerprint they show with this one."
    } else {
        "Signed by an authority."
    };
    view! {
        <p class="text-sm">"The port speaks HTTPS (TLS 1.2 and 1.3), with a certificate "{source}"."</p>
        <dl class="mt-3 grid gap-x-6 gap-y-2 text-sm sm:grid-cols-[max-content_1fr]">
            <dt class="font-medium">"For"</dt>
            <dd class="break-words">{names}</dd>
            <dt class="font-medium">"Valid until"</dt>
            <dd><Timestamp at=certificate.not_after /></dd>
            <dt class="font-medium">"Trust"</dt>
            <dd>{trust}</dd>
            <dt class="font-medium">"SHA-256"</dt>
            <dd class="font-mono text-xs break-all">{certificate.fingerprint}</dd>
        </dl>
    }
}

#[component]
fn Upload(store: FormAction<StorePair>) -> impl IntoView {
    view! {
        <Disclosure label="Upload a certificate">
            <ActionForm action=store>
                <div class="flex flex-col gap-4">
                    <FormFault action=store fields=&["certificate", "private_key"] />
                    <Pem store label="Certificate, and the chain behind it (PEM)" name="certificate" file="Certificate file" />
                    <Pem store label="Private key (PEM, without passphrase)" name="private_key" file="Private key file" />
                    <p class="text-sm text-muted">"They are checked to belong together before anything changes. The key is stored encrypted and never shown again."</p>
                    <div><SubmitButton label="Save certificate" pending=store.pending() class="btn btn-primary btn-sm" /></div>
                </div>
            </ActionForm>
        </Disclosure>
    }
}

#[component]
fn Make(make: FormAction<CreatePair>, names: String) -> impl IntoView {
    view! {
        <Disclosure label="Make one for a LAN">
            <ActionForm action=make>
                <div class="flex flex-col gap-4">
                    <FormFault action=make fields=&["names"] />
                    <Field
                        label="Names and addresses" name="names" id="tls-names" value={typed_in::<CreatePair>(&[], "names", &names)}
                        hint="Everything people open the gateway under. The certificate is signed by itself and good for a little over two years; it encrypts like any other, and each browser and client has to be told once to trust it."
                        fault=field_fault(make, "names")
                    />
                    <div><SubmitButton label="Make certificate" pending=make.pending() class="btn btn-primary btn-sm" /></div>
                </div>
            </ActionForm>
        </Disclosure>
    }
}

#[component]
fn Remove(remove: FormAction<DropPair>) -> impl IntoView {
    view! {
        <Confirm
            label="Remove the saved certificate"
            question="The port then speaks HTTPS with the files TLS_CERT and TLS_KEY where they are set, and plain HTTP otherwise. Clients with https:// addresses cannot connect then."
        >
            <ActionForm action=remove>
                <FormFault action=remove />
                <SubmitButton label="Remove certificate" pending=remove.pending() class="btn btn-error btn-sm" />
            </ActionForm>
        </Confirm>
    }
}
