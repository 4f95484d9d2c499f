//! The frame of all pages behind the sign-in: navigation at the side, in a drawer on phones. The drawer is a checkbox,
//! so that it opens without JavaScript.

use leptos::{html, prelude::*};
use leptos_router::{
    components::{A, Outlet},
    hooks::use_location,
};

use crate::{
    api::session::{SignOut, current_session},
    components::{
        banner::PlainTextBanner,
        icon::{Icon, IconView},
        theme_toggle::ThemeToggle,
    },
};

const PAGES: [(&str, &str, Icon); 5] = [
    ("/admin", "Dashboard", Icon::Dashboard),
    ("/admin/backends", "Backends", Icon::Backends),
    ("/admin/users", "Users", Icon::Users),
    ("/admin/settings", "Settings", Icon::Settings),
    ("/admin/help", "Help & Credits", Icon::Help),
];

/// Navigation around the page of the route. After a navigation the drawer closes and the focus goes to the new page.
#[component]
pub fn Layout() -> impl IntoView {
    let drawer = NodeRef::<html::Input>::new();
    let main = NodeRef::<html::Main>::new();
    let pathname = use_location().pathname;
    Effect::new(move |before: Option<String>| {
        let path = pathname.get();
        if before.is_some_and(|before| before != path) {
            if let Some(drawer) = drawer.get_untracked() {
                drawer.set_checked(false);
            }
            if let Some(main) = main.get_untracked() {
                let _ = main.focus();
            }
        }
        path
    });
    view! {
        <div class="drawer lg:drawer-open">
            <input id="navigation" type="checkbox" class="drawer-toggle" aria-label="Show the navigation" node_ref=drawer/>
            <div class="drawer-content flex min-h-screen flex-col bg-base-200">
                <PlainTextBanner/>
                <div class="navbar border-b border-base-300 bg-base-100 lg:hidden">
                    <label for="navigation" class="btn btn-ghost btn-square" title="Navigation"><IconView icon=Icon::Menu/></label>
                    <span class="font-semibold">"Ollama Proxy Fortress"</span>
                </div>
                <main node_ref=main tabindex="-1" class="mx-auto w-full max-w-6xl grow px-4 py-6 outline-none lg:px-8 lg:py-8"><Outlet/></main>
            </div>
            <div class="drawer-side z-20">
                <label for="navigation" class="drawer-overlay" title="Close the navigation"></label>
                <Sidebar/>
            </div>
        </div>
    }
}

#[component]
fn Sidebar() -> impl IntoView {
    let links = PAGES
        .into_iter()
        .map(|(href, name, icon)| {
            view! { <li><A href=href exact=href == "/admin"><IconView icon/>{name}</A></li> }
        })
        .collect_view();
    view! {
        <aside class="flex min-h-full w-64 flex-col border-r border-base-300 bg-base-100 p-4">
            <p class="px-3 py-2 font-semibold">"Ollama Proxy Fortress"</p>
            <nav aria-label="Pages" class="grow"><ul class="menu w-full gap-1 px-0">{links}</ul></nav>
            <Account/>
        </aside>
    }
}

/// Who is signed in, and the way out.
#[component]
fn Account() -> impl IntoView {
    let session = Resource::new(|| (), |()| current_session());
    let action = ServerAction::<SignOut>::new();
    view! {
        <div class="border-t border-base-300 pt-3">
            <p class="px-3 pb-2 text-sm text-muted">
                <Suspense>{move || Suspend::new(async move { session.await.map(|actor| format!("Signed in as {}", actor.name)).unwrap_or_default() })}</Suspense>
            </p>
            <div class="flex items-center justify-between gap-2">
                <ActionForm action><button class="btn btn-ghost btn-sm">"Sign out"</button></ActionForm>
                <ThemeToggle/>
            </div>
        </div>
    }
}
