//! Section: Redis, what for and how to run it.

use domain::settings::REDIS_USER;
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
const PING: &str = "redis-cli ping";

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
                "Redis is a database in memory. It is meant for running several gateways side by side, so that they share two things: the counters of the limits, and the lock-out after failed sign-ins. With it a key's limit holds over all gateways together."
            </p>
            <p>
                <strong>"One gateway needs no Redis."</strong>
                " It keeps limits and lock-outs in its own memory, and they hold there just as well."
            </p>
            {guides}
            <p>"Whether it runs, it says itself; the answer is PONG:"</p>
            <CodeBlock code=PING/>
            <p>
                "Then enter host and port on the "<a class="link" href="/admin/settings">"Settings"</a>
                " page and save. The gateway connects at once, without a restart; how it is with Redis stands below the navigation, and the page can test the address. The environment variable "
                <code>"REDIS_URL"</code>" does the same, for example "<code>"redis://127.0.0.1:6379/0"</code>"; "<code>"rediss://"</code>" is TLS."
            </p>
            <p>
                "Over TLS the certificate of Redis has to be for the host that you enter and signed by an authority that this machine trusts, or by your own: then paste the authority\u{2019}s certificate on the Settings page or name its file in "
                <code>"REDIS_CA"</code>". A certificate that is expired, for another name or signed by a stranger is refused, and the state below the navigation says which."
            </p>
            <h3 class="font-medium">"When Redis cannot be reached"</h3>
            <p>
                "Nothing stops. Every gateway has counted for itself all the time and goes on alone: with the whole limit each, or with its part if you say on the Settings page (or in "
                <code>"REPLICAS"</code>") how many gateways share the limits. A request waits for Redis for 50 milliseconds at most, and after five failures nobody waits until it is back. Then every gateway first tells Redis what it admitted meanwhile, so that nobody gets a second quota."
            </p>
            <h3 class="font-medium">"A user of its own"</h3>
            <p>
                "Whoever can write to Redis can disturb the limits, though never sign in or use a key: the gateway asks Redis about nothing else. Give it a user that may do only what the gateway needs, and enter name and password on the Settings page. In redis-cli, with a password of yours for PASSWORD:"
            </p>
            <CodeBlock code=REDIS_USER/>
            <p>
                "Let Redis listen only where gateways are, and keep it current: older versions let whoever may run scripts take over the machine (CVE-2025-49844), and 8.6.3 mends more. The gateway warns of versions before that. Set "
                <code>"maxmemory-policy noeviction"</code>" if you bound its memory; a limited key takes about two kilobytes."
            </p>
        </Section>
    }
}
