//! The pages as routes. The browser fetches the code of a page when it is first opened: what every page needs is one
//! WASM file, each page is another, and what several pages share are further ones (`xtask`'s `assets` cuts them apart).

use std::{future, pin::Pin};

use leptos::{
    __reexports::send_wrapper::SendWrapper,
    prelude::*,
    wasm_split::{SplitLoaderError, wasm_split},
};
use leptos_meta::Meta;
use leptos_router::{Lazy, LazyRoute, hooks::use_location};

use super::{
    account::AccountPage,
    administrators::AdministratorsPage,
    aliases::AliasesPage,
    audit::AuditPage,
    backend::BackendPage,
    backend_history::HistoryPage,
    backends::BackendsPage,
    confirm::ConfirmPage,
    dashboard::DashboardPage,
    help::HelpPage,
    login::{CodePage, LoginPage},
    models::ModelsPage,
    network::NetworkPage,
    playground::PlaygroundPage,
    pulls::PullsPage,
    request::RequestPage,
    requests::RequestsPage,
    settings::SettingsPage,
    setup::SetupPage,
    upgrade::UpgradePage,
    usage::UsagePage,
    user::UserPage,
    users::UsersPage,
};
use crate::{api::session::current_session, components::fault::LoadFault, error::AppError};

/// Makes a module for each page with its route. The module's name is the name of the page's WASM file, too.
macro_rules! lazy_pages {
    ($($name:ident: $page:ident),* $(,)?) => {
        $(pub mod $name {
            use super::*;

            #[wasm_split($name, wasm_split_path = leptos::wasm_split, fallible, preload(load))]
            fn $name() -> Result<AnyView, SplitLoaderError> {
                // By this the loader begins to fetch it before the main part asks.
                Ok(view! { <Meta name="part" content=stringify!($name)/><$page/> }.into_any())
            }

            pub struct Page;

            /// What the route shows.
            pub fn route() -> Lazy<Page> {
                Lazy::new()
            }

            impl LazyRoute for Page {
                fn data() -> Self {
                    Self
                }

                async fn view(_: Self) -> AnyView {
                    match $name().await {
                        Ok(view) => view,
                        Err(_) => again(|| Box::pin($name()), without_code().await),
                    }
                }

                async fn preload() {
                    // What goes wrong is seen once it is to be shown. The server has all code.
                    if cfg!(target_family = "wasm") {
                        let _ = load().await;
                    }
                }
            }
        })*
    };
}

lazy_pages! {
    account: AccountPage,
    administrators: AdministratorsPage,
    aliases: AliasesPage,
    audit: AuditPage,
    backend: BackendPage,
    backends: BackendsPage,
    code: CodePage,
    confirm: ConfirmPage,
    dashboard: DashboardPage,
    help: HelpPage,
    history: HistoryPage,
    login: LoginPage,
    models: ModelsPage,
    network: NetworkPage,
    playground: PlaygroundPage,
    pulls: PullsPage,
    request: RequestPage,
    requests: RequestsPage,
    settings: SettingsPage,
    setup: SetupPage,
    upgrade: UpgradePage,
    usage: UsagePage,
    user: UserPage,
    users: UsersPage,
}

type Coming = Pin<Box<dyn Future<Output = Result<AnyView, SplitLoaderError>>>>;

/// In place of a page whose code did not come: why, and a way to try again.
fn again(page: fn() -> Coming, fault: AppError) -> AnyView {
    let tries = RwSignal::new(0_u32);
    let shown = move || {
        let (first, fault) = (tries.get() == 0, fault.clone());
        Suspend::new(SendWrapper::new(async move {
            let fault = match first {
                true => fault,
                false => match page().await {
                    Ok(page) => return page,
                    Err(_) => without_code().await,
                },
            };
            view! { <LoadFault fault=fault.to_string() retry=move || tries.update(|tries| *tries += 1) /> }.into_any()
        }))
    };
    shown.into_any()
}

/// Why the code of a page did not come. Where the gateway answers, it is another version than the one that this tab is of,
/// and the page is asked for as a whole. A page that came from the server stays as it is, because it works without scripts.
async fn without_code() -> AppError {
    let from_server = Owner::current_shared_context().is_some_and(|shared| shared.during_hydration());
    if from_server {
        return future::pending().await;
    }
    let location = use_location();
    match current_session().await {
        Err(error) if error.may_pass() => error,
        _ => {
            let query = location.search.get_untracked();
            let query = if query.is_empty() { query } else { format!("?{query}") };
            let _ = window().location().set_href(&format!("{}{query}", location.pathname.get_untracked()));
            future::pending().await
        }
    }
}
