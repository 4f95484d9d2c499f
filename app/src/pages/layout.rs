//! The frame of all pages behind the sign-in: navigation at the side, in a drawer on phones. The drawer is a checkbox,
//! so that it opens without JavaScript.

use domain::setup::ActorView;
use leptos::{ev::MouseEvent, html, prelude::*};
use leptos_router::{
    components::{A, Outlet},
    hooks::use_location,
};
use wasm_bindgen::JsCast;

use super::{
    confirm::ConfirmDialog,
    palette::{Palette, PaletteButton, PalettePlace},
    redis_state::{RedisNews, RedisState},
};
use crate::{
    api::session::{SignOut, current_session},
    components::{
        action::{ActionForm, action},
        banner::PlainTextBanner,
        brand::Brand,
        fault::{FormFault, LoadFault},
        focus::focus_soon,
        icon::{Icon, IconView},
        listing::Loading,
        theme_toggle::ThemeToggle,
    },
    reading::{Reading, reading},
    visit,
};

pub(super) const PAGES: [(&str, &str, Icon); 15] = [
    ("/admin", "Dashboard", Icon::Dashboard),
    ("/admin/backends", "Backends", Icon::Backends),
    ("/admin/models", "Models", Icon::Models),
    ("/admin/aliases", "Aliases", Icon::Aliases),
    ("/admin/pulls", "Downloads", Icon::Downloads),
    ("/admin/usage", "Usage", Icon::Usage),
    ("/admin/users", "Users", Icon::Users),
    ("/admin/requests", "Requests", Icon::Requests),
    ("/admin/playground", "Playground", Icon::Playground),
    ("/admin/administrators", "Administrators", Icon::Administrators),
    ("/admin/network", "Network", Icon::Network),
    ("/admin/audit", "Audit", Icon::Audit),
    ("/admin/settings", "Settings", Icon::Settings),
    ("/admin/account", "Your account", Icon::Account),
    ("/admin/help", "Help & Credits", Icon::Help),
];

/// Below this the navigation is a drawer.
const WIDE: &str = "(min-width: 1024px)";
/// Id of the drawer.
const DRAWER: &str = "drawer";

type Session = Reading<ActorView>;

/// Navigation around the page of the route. After a navigation the drawer closes and the focus goes to the new page.
#[component]
pub fn Layout() -> impl IntoView {
    let drawer = Drawer::new();
    let palette = Palette::provide();
    let news = RedisNews::provide();
    let main = NodeRef::<html::Main>::new();
    let pathname = use_location().pathname;
    Effect::new(move |before: Option<String>| {
        let path = pathname.get();
        if before.is_some_and(|before| before != path) {
            drawer.open.set(false);
            // Until the heading of the new page is there and takes the focus.
            if let Some(main) = main.get_untracked() {
                let _ = main.focus();
            }
        }
        path
    });
    let skip = move |event: MouseEvent| {
        event.prevent_default();
        if let Some(main) = main.get_untracked() {
            let _ = main.focus();
        }
    };
    let open = drawer.open;
    let session = reading(|| (), |()| current_session());
    let known = visit::knows_role();
    let known = Memo::new(move |_| known.get());
    // After signing in without another document the role is learnt here, and forgotten with the session.
    Effect::new(move |_| {
        if let Some(Ok(actor)) = session.get() {
            visit::set_role(Some(actor.role));
        }
    });
    on_cleanup(|| visit::set_role(None));
    view! {
        <a href="#content" class="btn btn-primary fixed top-2 left-2 z-50 not-focus:sr-only" on:click=skip>"Skip to the content"</a>
        <div class="drawer lg:drawer-open">
            <input
                id="navigation" type="checkbox" class="drawer-toggle" aria-label="Show the navigation" node_ref=drawer.checkbox
                prop:checked=open tabindex=move || drawer.alive.get().then_some("-1") aria-hidden=move || drawer.alive.get().then_some("true")
                on:change=move |event| drawer.switch(event_target_checked(&event))
            />
            // Before the content, so that the keyboard meets the navigation first.
            <div class="drawer-side z-20" id=DRAWER>
                <label for="navigation" class="drawer-overlay" title="Close the navigation"></label>
                <Sidebar drawer palette news session/>
            </div>
            <div class="drawer-content flex min-h-screen flex-col bg-base-200" inert=open>
                <PlainTextBanner/>
                <header class="navbar border-b border-base-300 bg-base-100 lg:hidden">
                    <label for="navigation" class="btn btn-ghost btn-square" class:hidden=drawer.alive title="Navigation"><IconView icon=Icon::Menu/></label>
                    <button
                        type="button" class="btn btn-ghost btn-square" class:hidden=move || !drawer.alive.get() node_ref=drawer.button
                        aria-label="Show the navigation" aria-controls=DRAWER aria-expanded=move || if open.get() { "true" } else { "false" }
                        on:click=move |_| drawer.switch(true)
                    >
                        <IconView icon=Icon::Menu/>
                    </button>
                    <span class="min-w-0 grow font-semibold"><Brand/></span>
                    <PaletteButton palette small=true/>
                </header>
                <main id="content" node_ref=main tabindex="-1" class="mx-auto w-full max-w-6xl grow px-4 py-6 outline-none lg:px-8 lg:py-8">
                    {move || if known.get() { view! { <Outlet/> }.into_any() } else { view! { <Waiting session/> }.into_any() }}
                </main>
            </div>
            <ConfirmDialog/>
            <PalettePlace palette/>
        </div>
    }
}

/// The navigation on phones. Without JavaScript it is a checkbox and its label; with it a button, and the focus goes
/// into the drawer and back.
#[derive(Clone, Copy)]
struct Drawer {
    open: RwSignal<bool>,
    /// Scripts run.
    alive: RwSignal<bool>,
    checkbox: NodeRef<html::Input>,
    button: NodeRef<html::Button>,
}

impl Drawer {
    fn new() -> Self {
        let drawer = Self {
            open: RwSignal::new(false),
            alive: RwSignal::new(false),
            checkbox: NodeRef::new(),
            button: NodeRef::new(),
        };
        Effect::new(move |_| {
            drawer.alive.set(true);
            // It may have been opened before the page was alive.
            if drawer.checkbox.get_untracked().is_some_and(|checkbox| checkbox.checked()) && !is_wide() {
                drawer.switch(true);
            }
            let keys = window_event_listener(leptos::ev::keydown, move |event| {
                if event.key() == "Escape" && drawer.open.get_untracked() {
                    drawer.switch(false);
                }
            });
            // Where there is room for it, it is no drawer, and must not keep the page from the keyboard.
            let resized = window_event_listener(leptos::ev::resize, move |_| {
                if drawer.open.get_untracked() && is_wide() {
                    drawer.open.set(false);
                }
            });
            on_cleanup(move || {
                keys.remove();
                resized.remove();
            });
        });
        drawer
    }

    fn switch(self, open: bool) {
        self.open.set(open);
        if open {
            focus_soon(|| document().query_selector("#drawer nav a").ok().flatten()?.dyn_into().ok());
        } else {
            focus_soon(move || self.button.get_untracked().map(Into::into));
        }
    }
}

fn is_wide() -> bool {
    window().match_media(WIDE).ok().flatten().is_some_and(|query| query.matches())
}

#[component]
fn Sidebar(drawer: Drawer, palette: Palette, news: RedisNews, session: Session) -> impl IntoView {
    let links = PAGES
        .into_iter()
        .map(|(href, name, icon)| {
            view! { <li><A href=href exact=href == "/admin"><IconView icon/>{name}</A></li> }
        })
        .collect_view();
    view! {
        <aside class="flex min-h-full w-64 flex-col border-r border-base-300 bg-base-100 p-4">
            <p class="px-3 py-2 font-semibold"><Brand/></p>
            <PaletteButton palette/>
            <nav aria-label="Pages" class="grow"><ul class="menu w-full gap-1 px-0">{links}</ul></nav>
            <button type="button" class="btn btn-ghost btn-sm mb-3 lg:hidden" class:hidden=move || !drawer.alive.get() on:click=move |_| drawer.switch(false)>
                "Close the navigation"
            </button>
            <RedisState news/>
            <Account session/>
        </aside>
    }
}

/// Until it is known who signed in.
#[component]
fn Waiting(session: Session) -> impl IntoView {
    move || match session.get() {
        Some(Err(error)) => view! { <LoadFault fault=error.to_string() retry=move || session.refetch() /> }.into_any(),
        _ => view! { <Loading/> }.into_any(),
    }
}

/// Who is signed in, and the way out.
#[component]
fn Account(session: Session) -> impl IntoView {
    let action = action::<SignOut>();
    view! {
        <div class="border-t border-base-300 pt-3">
            <p class="px-3 pb-2 text-sm text-muted">
                <Suspense>{move || Suspend::new(async move { session.await.map(|actor| format!("Signed in as {}", actor.name)).unwrap_or_default() })}</Suspense>
            </p>
            <div class="flex items-center justify-between gap-2">
                <ActionForm action><FormFault action/><button class="btn btn-ghost btn-sm">"Sign out"</button></ActionForm>
                <ThemeToggle/>
            </div>
        </div>
    }
}
