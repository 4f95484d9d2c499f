// How the system's Chromium is started: without a sandbox (containers have none to give), and without talking to anybody
// but the gateway under test.

export const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--no-proxy-server",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Flags that make `host` a name of this machine, as a name on a LAN would be: the page is then no secure context. */
export const madeUpHost = (host: string) => [...CHROMIUM_FLAGS, `--host-resolver-rules=MAP ${host} 127.0.0.1`];
