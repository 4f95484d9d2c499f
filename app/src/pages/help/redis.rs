//! Section: Redis, what for and how to run it.

use leptos::prelude::*;

use super::section::Section;
use crate::components::code_block::CodeBlock;

const DOCKER: &str = "docker run -d --name redis -p 127.0.0.1:6379:6379 --restart always redis:latest";
const WSL: &str = "wsl --install
# in the Linux window that opens:
sudo apt update && sudo apt upgrade
sudo apt install redis-server
sudo service redis-server start";
const BREW: &str = "brew install redis
brew services start redis";
const APT: &str = "sudo apt-get install redis-server
sudo systemctl enable --now redis-server";

#[component]
pub fn Redis() -> impl IntoView {
    let guides = [
        ("Docker, on any system", DOCKER),
        ("Windows, in WSL 2 (there is no Redis for Windows itself)", WSL),
        ("macOS, with Homebrew", BREW),
        ("Debian, Ubuntu and relatives", APT),
    ]
    .into_iter()
    .map(|(title, code)| view! { <h3 class="font-medium">{title}</h3><CodeBlock code/> })
    .collect_view();
    view! {
        <Section id="redis">
            <p>
                "Redis is a database in memory. It is meant for running several gateways side by side, so that they share two things: the counters of the limits, and the lock-out after failed sign-ins."
            </p>
            <p>
                <strong>"One gateway needs no Redis."</strong>
                " It keeps limits and lock-outs in its own memory. In this version it does so in any case: the address you save is checked and kept, and is used from the next release on."
            </p>
            {guides}
            <p>
                "Then enter the address, for example "<code>"redis://127.0.0.1:6379/0"</code>", on the "<a class="link" href="/admin/settings">"Settings"</a>
                " page, save, and let the page test it."
            </p>
        </Section>
    }
}
