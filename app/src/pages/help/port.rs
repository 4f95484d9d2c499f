//! Section: closing Ollama's own port, without which keys and limits can be walked around.

use leptos::prelude::*;

use super::section::Section;
use crate::components::code_block::CodeBlock;

const SYSTEMD: &str = "sudo systemctl edit ollama
# add these two lines, then save:
[Service]
Environment=\"OLLAMA_HOST=127.0.0.1:11434\"

sudo systemctl restart ollama";
const MACOS: &str = "launchctl setenv OLLAMA_HOST 127.0.0.1:11434
# then quit Ollama and start it again";
const WINDOWS: &str = "setx OLLAMA_HOST 127.0.0.1:11434
rem then quit Ollama from the task bar and start it again";
const DOCKER: &str = "docker run -d --name ollama -v ollama:/root/.ollama -p 127.0.0.1:11434:11434 ollama/ollama";
const FIREWALL: &str = "# 192.168.1.10 stands for the gateway's address
sudo ufw allow from 192.168.1.10 to any port 11434 proto tcp
sudo ufw deny 11434/tcp
sudo ufw enable";
const CHECK: &str = "# from a third machine; 192.168.1.20 stands for the Ollama server's address
curl --max-time 5 http://192.168.1.20:11434/api/version";

#[component]
pub fn ClosePort() -> impl IntoView {
    let local = [("Linux (systemd)", SYSTEMD), ("macOS", MACOS), ("Windows", WINDOWS), ("Docker", DOCKER)]
        .into_iter()
        .map(|(title, code)| view! { <h4 class="text-sm font-medium">{title}</h4><CodeBlock code/> })
        .collect_view();
    view! {
        <Section id="port">
            <p>
                "Ollama itself asks nobody for a key. Whoever reaches its port 11434 can use, pull and delete models past the gateway: keys and limits protect only what cannot be reached otherwise."
            </p>
            <h3 class="font-medium">"Ollama on the gateway\u{2019}s machine: let it listen there only"</h3>
            {local}
            <h3 class="font-medium">"Ollama on another machine: let only the gateway in"</h3>
            <p>"Ollama then has to listen on the network ("<code>"OLLAMA_HOST=0.0.0.0"</code>"), and the machine\u{2019}s firewall keeps everybody else out:"</p>
            <CodeBlock code=FIREWALL/>
            <p class="text-sm text-muted">"Ports that Docker publishes go around ufw: bind them to an address that only the gateway reaches."</p>
            <h3 class="font-medium">"Try it"</h3>
            <p>"From any machine but the gateway this must fail:"</p>
            <CodeBlock code=CHECK/>
        </Section>
    }
}
