// T17. Pages of strangers in a browser that is signed in: from another port of this machine, whose requests carry the session
// cookie, and from another host name.

import { type Browser, type Page } from "@playwright/test";
import { madeUpHost } from "../chromium.ts";
import { expect, test as base, type Fortress } from "../fixtures.ts";
import { alive, App } from "../pages/app.ts";
import { UsersPage } from "../pages/users.ts";
import { Stranger } from "../stranger.ts";

const ENCTYPES = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];

const test = base.extend<{ stranger: Stranger }>({
  stranger: async ({}, use) => {
    const stranger = await Stranger.start();
    await use(stranger);
    await stranger.stop();
  },
});

test.beforeEach(({ problems }) => {
  test.slow();
  // Refusals are on the console of the stranger's page.
  problems.allow(/Failed to load resource/, /Refused to|blocked|CORS|EventSource|MIME type/);
});

type Row = Record<string, unknown>;

/** Everything that the attacks aim at. */
async function contents(fortress: Fortress) {
  const list = async (...args: string[]) => JSON.parse(await fortress.run(...args, "--json")) as Row[];
  const [users, keys, backends] = [await list("user", "list"), await list("key", "list"), await list("backend", "list")];
  const pick = (rows: Row[], ...names: string[]) => rows.map((row) => names.map((name) => row[name]));
  return { users: pick(users, "id", "name", "enabled"), keys: pick(keys, "id", "status", "limit"), backends: pick(backends, "id", "name", "url", "enabled") };
}

/** What could be sent, with arguments that would work from our own page. */
async function attacks(fortress: Fortress): Promise<[string, Record<string, string>][]> {
  const id = (rows: unknown[][]) => String(rows[0][0]);
  const { users, keys, backends } = await contents(fortress);
  return [
    ["users/add", { name: "mallory" }],
    ["users/enabled", { id: id(users), enabled: "false" }],
    ["users/remove", { id: id(users) }],
    ["keys/create", { user_id: id(users), name: "stolen", requests: "", minutes: "" }],
    ["keys/status", { id: id(keys), status: "revoked" }],
    ["backends/add", { name: "mallory", url: "http://127.0.0.1:9", token: "" }],
    ["backends/remove", { id: id(backends) }],
    ["session/logout", {}],
    ["session/login", { name: "mallory", password: "a password of hers" }],
  ];
}

const input = (fields: Record<string, string>) => Object.fromEntries(Object.entries(fields).map(([name, value]) => [`input[${name}]`, value]));

/** Everything a script can try, from the page it is on; what it got to see. */
function tryScripts(page: Page, url: string, calls: [string, Record<string, string>][]) {
  return page.evaluate(
    async ({ url, calls }) => {
      const seen: string[] = [];
      const see = async (what: string, answer: Promise<Response>) => {
        try {
          const got = await answer;
          const text = await got.text();
          if (got.type !== "opaque" || text) seen.push(`${what}: ${got.status} ${text.slice(0, 100)}`);
        } catch {
          // The browser does not hand the answer out.
        }
      };
      for (const [name, fields] of calls) {
        const to = `${url}/admin/fn/${name}`;
        const plain = new URLSearchParams(fields);
        const multipart = new FormData();
        for (const [field, value] of Object.entries(fields)) multipart.append(field, value);
        for (const mode of ["no-cors", "cors"] as const) {
          const options = { method: "POST", mode, credentials: "include" } as const;
          await see(`${mode} form to ${name}`, fetch(to, { ...options, body: plain }));
          await see(`${mode} multipart to ${name}`, fetch(to, { ...options, body: multipart }));
          await see(`${mode} text to ${name}`, fetch(to, { ...options, body: String(plain) }));
          await see(`${mode} get of ${name}`, fetch(`${to}?${plain}`, { mode, credentials: "include" }));
        }
        await see(`JSON to ${name}`, fetch(to, { method: "POST", credentials: "include", headers: { "content-type": "application/json" }, body: JSON.stringify({ input: fields }) }));
        navigator.sendBeacon(to, plain);
      }
      for (const path of ["users/list", "settings/get", "live/now"]) {
        for (const mode of ["no-cors", "cors"] as const) await see(`${mode} ${path}`, fetch(`${url}/admin/fn/${path}`, { mode, credentials: "include" }));
      }
      for (const [tag, attribute] of [["script", "src"], ["img", "src"], ["iframe", "src"]]) {
        const element = document.createElement(tag);
        const ended = new Promise((resolve) => (element.onload = element.onerror = resolve));
        element.setAttribute(attribute, `${url}/admin/fn/users/list`);
        document.body.append(element);
        await ended;
      }
      return seen;
    },
    { url, calls },
  );
}

/** Opens the event stream; the events that came before it failed. */
function listen(page: Page, url: string) {
  return page.evaluate(
    (url) =>
      new Promise<string[]>((resolve) => {
        const events: string[] = [];
        const source = new EventSource(`${url}/admin/live`, { withCredentials: true });
        source.onopen = () => events.push("open");
        source.onmessage = (event) => events.push(String(event.data));
        source.onerror = () => {
          source.close();
          resolve(events);
        };
      }),
    url,
  );
}

/** Sends everything from a page of `host`; the cookies those requests carried. */
async function attack(page: Page, fortress: Fortress, stranger: Stranger, host: string, calls: [string, Record<string, string>][]) {
  const cookies = new Set<string>();
  for (const [name, fields] of calls) {
    for (const enctype of ENCTYPES) {
      const sent = page.waitForResponse((answer) => answer.url().includes("/admin/fn/") && answer.request().method() === "POST");
      await page.goto(stranger.form(host, `${fortress.url}/admin/fn/${name}`, enctype, input(fields)), { waitUntil: "commit" });
      const answer = await sent;
      expect(answer.status(), `${enctype} to ${name}`).toBe(403);
      cookies.add((await answer.request().allHeaders()).cookie ?? "");
      await page.waitForLoadState();
    }
  }
  await page.goto(stranger.empty(host));
  expect(await tryScripts(page, fortress.url, calls.map(([name, fields]) => [name, input(fields)]))).toEqual([]);
  expect(await listen(page, fortress.url)).toEqual([]);
  return cookies;
}

/** There are a user and a key by now, those of the test. */
async function prepare(fortress: Fortress) {
  return { calls: await attacks(fortress), before: await contents(fortress) };
}

test("from another port of this machine nothing is changed or read, though the cookie is sent along", async ({ page, fortress, key, stranger }) => {
  void key;
  const { calls, before } = await prepare(fortress);
  const cookies = await attack(page, fortress, stranger, "127.0.0.1", calls);
  expect([...cookies].every((cookie) => cookie.includes("op_session=")), "a port is no other site to cookies").toBe(true);
  expect(await contents(fortress)).toEqual(before);

  // The very same from our own page works: what was refused was the origin.
  await new App(page).open("/admin/users");
  const own = await page.evaluate(async (body) => (await fetch("/admin/fn/users/add", { method: "POST", body: new URLSearchParams(body) })).status, input(calls[0][1]));
  expect(own).toBe(200);
  await page.reload();
  await expect(new UsersPage(page).row("mallory"), "and the session lives").toBeVisible();
  await new UsersPage(page).remove("mallory");
});

test("from another host name nothing is changed or read", async ({ playwright, fortress, key, session, stranger, problems }) => {
  void key;
  const { calls, before } = await prepare(fortress);
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const browser: Browser = await playwright.chromium.launch({ executablePath, args: madeUpHost("stranger.lan") });
  try {
    const context = await problems.newContext(browser, { storageState: await session() });
    const page = await context.newPage();
    await attack(page, fortress, stranger, "stranger.lan", calls);
    expect(await contents(fortress)).toEqual(before);
    await page.goto(`${fortress.url}/admin/users`);
    await alive(page);
    await expect(page, "still signed in").toHaveURL(/\/admin\/users$/);
  } finally {
    await browser.close();
  }
});

test("no page of the admin app can be put into a frame elsewhere", async ({ page, fortress, stranger }) => {
  await page.goto(stranger.empty("127.0.0.1"));
  const refused = page.waitForEvent("console", (message) => /frame/i.test(message.text()));
  await page.evaluate((url) => {
    const frame = document.createElement("iframe");
    frame.src = url;
    document.body.append(frame);
  }, `${fortress.url}/admin/users`);
  expect((await refused).text()).toContain("frame");
  for (const frame of page.frames().slice(1)) await expect(frame.getByRole("heading", { name: "Users" })).toHaveCount(0);
});
