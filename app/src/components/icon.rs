//! Line icons of the navigation, drawn here so that no font or picture has to be fetched.

use leptos::prelude::*;

/// What an icon stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    Account,
    Administrators,
    Aliases,
    Dashboard,
    Backends,
    Models,
    Downloads,
    Usage,
    Users,
    Requests,
    Playground,
    Network,
    Audit,
    Settings,
    Help,
    Menu,
    Search,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Self::Dashboard => "M4 13h6V4H4v9zm0 7h6v-4H4v4zm10 0h6v-9h-6v9zm0-16v4h6V4h-6z",
            Self::Backends => "M4 5h16v5H4V5zm0 9h16v5H4v-5zm3-6.5h.01M7 16.5h.01",
            Self::Aliases => "M4 12h6l4-6h6m-10 6 4 6h6M17 3l3 3-3 3m0 6 3 3-3 3",
            Self::Models => "M12 3l8 4.500v9L12 21l-8-4.500v-9L12 3zm0 9 8-4.500M12 12v9m0-9L4 7.500",
            Self::Downloads => "M12 4v11m-4-4 4 4 4-4M4 20h16",
            Self::Usage => "M4 4v16h16M8 16v-5m4 5V7m4 9v-7",
            Self::Users => {
                "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zm-6 9a6 6 0 0 1 12 0M16 4.5a3.5 3.5 0 0 1 0 6.5m2 3a6 6 0 0 1 3 6"
            }
            Self::Administrators => "M8 14a4 4 0 1 1 3.900-5H21v3h-2v3h-3v-3h-4.100A4 4 0 0 1 8 14zm0-4h.01",
            Self::Account => "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zm-8 8.500a8 8 0 0 1 16 0",
            Self::Network => "M12 3 5 6v5c0 4.5 3 8 7 10 4-2 7-5.500 7-10V6l-7-3zm-3 9 2 2 4-4",
            Self::Requests => "M4 6h16M4 12h10M4 18h13",
            Self::Playground => "M4 5h16v11H10l-4 4v-4H4V5zm4 4h8m-8 3h5",
            Self::Audit => "M7 3h8l4 4v14H7V3zm8 0v4h4M10 12h6M10 16h6",
            Self::Settings => "M4 7h9m4 0h3M4 17h3m4 0h9M15 4.5v5M9 14.5v5",
            Self::Help => {
                "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM9.5 9.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M12 16.5h.01"
            }
            Self::Menu => "M4 7h16M4 12h16M4 17h16",
            Self::Search => "M10.5 17a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13zm5-1.500L20 20",
        }
    }
}

/// The icon in the colour of the text beside it, which alone tells screen readers what it is.
#[component]
pub fn IconView(icon: Icon) -> impl IntoView {
    view! {
        <svg class="size-5 shrink-0" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
            <path d=icon.path()/>
        </svg>
    }
}
