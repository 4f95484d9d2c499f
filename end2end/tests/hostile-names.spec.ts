// T18: names that would run as script if any page took them for markup: models and errors come from backends, the others were
// typed. Every page is opened by its address and by a link; nothing runs, and the names are read as they are.

import { ADMIN, NOBODY, expect, test } from "../fixtures.ts";
import { alive, App } from "../pages/app.ts";
import { BackendsPage } from "../pages/backends.ts";
import { DashboardPage } from "../pages/dashboard.ts";
import { LoginPage } from "../pages/login.ts";
import { UserPage, UsersPage } from "../pages/users.ts";

const MARKUP = "<img src=x onerror=pwn()>";
const SCRIPT = "</script></title><script>pwn()</script>";
const ATTRIBUTE = `"onfocus=pwn() autofocus="`;
const ADDRESS = "javascript:pwn()";
const TYPED = [MARKUP, SCRIPT, ATTRIBUTE, ADDRESS];
const TURNED = "gpt\u202Eelgoog:latest";
const ENDLESS = "x".repeat(10 * 1024);

// The browser that a session is listed with.
const AGENT = `${MARKUP} ${SCRIPT}`;

test.use({ storageState: NOBODY, userAgent: AGENT });

test("no name runs as script on any page", async ({ page, context, start, startFake, problems }) => {
  test.slow();
  await context.addInitScript(() => {
    Object.assign(window, { pwn: () => console.error("pwn() ran") });
  });
  const fake = await startFake("--version", SCRIPT);
  await fake.script({ models: [...TYPED, TURNED, ENDLESS] });
  const broken = await startFake();
  await broken.script({ fault: { status_body: [500, JSON.stringify({ error: MARKUP })] } });
  const fortress = await start({ ADMIN_USER: MARKUP, ADMIN_PASSWORD: ADMIN.password });
  const login = new LoginPage(page);
  await page.goto(`${fortress.url}/admin/login?next=${encodeURIComponent(ADDRESS)}`);
  await alive(page);
  await login.signIn(MARKUP, ADMIN.password);
  const app = new App(page);
  await expect(page.getByText(`Signed in as ${MARKUP}`)).toBeVisible();
  for (const name of TYPED.slice(1)) await fortress.pipe(`${ADMIN.password}\n`, "admin", "create", name, "--password-stdin");

  for (const [index, note] of TYPED.entries()) await fortress.run("alias", "set", `hostile-${index}`, "llama3", "--note", note);

  // Typed into the pages' own forms.
  await app.go("Backends");
  const backends = new BackendsPage(page);
  await backends.add(MARKUP, fake.url);
  await backends.add(SCRIPT, broken.url);
  await backends.test(SCRIPT, "answered 500");
  problems.allow(/status of 400/);
  await backends.send("address", ADDRESS);
  await expect(backends.form.getByLabel("URL", { exact: true })).toHaveAttribute("aria-invalid", "true");
  await app.go("Users");
  const users = new UsersPage(page);
  for (const name of TYPED) await users.add(name);
  await fortress.run("user", "note", MARKUP, "--label", MARKUP, "--note", SCRIPT);
  await users.openUser(MARKUP);
  const user = new UserPage(page);
  for (const name of TYPED) await user.create(name);
  const userPages = [new URL(page.url()).pathname];
  for (const name of TYPED.slice(1)) {
    await app.go("Users");
    await users.openUser(name);
    await expect(page).toHaveTitle(`${name} · Ollama Proxy Fortress`);
    userPages.push(new URL(page.url()).pathname);
  }

  const look = async (what: string) => {
    await alive(page);
    await expect(page.getByRole("status", { name: "Loading" }), `${what}: the names are there`).toHaveCount(0);
    // Whatever takes the focus takes it.
    await page.evaluate(() => document.querySelectorAll<HTMLElement>("*").forEach((element) => element.focus?.()));
    const links = await page.locator("a[href], form[action], [src]").evaluateAll((found) =>
      found.map((element) => ["href", "action", "src"].map((name) => element.getAttribute(name) ?? "").join("")),
    );
    for (const link of links) expect(link, what).toMatch(/^(\/|#|https?:)/);
    await expect(page.locator("img, [onfocus], script:not([nonce]):not([src])"), `${what}: no element came out of a name`).toHaveCount(0);
  };
  const backendPages = JSON.parse(await fortress.run("backend", "list", "--json")).map(({ id }: { id: string }) => `/admin/backends/${id}`);
  const modelPages = ["search", "backend", "show", "sort", "model", "page"].map((field) => `/admin/models?${field}=${encodeURIComponent(MARKUP)}`);
  modelPages.push("/admin/models", `${backendPages[0]}?page=${encodeURIComponent(MARKUP)}`, `${backendPages[0]}/history`);
  const usagePages = ["by", "zone", "from", "model"].map((field) => `/admin/usage?${field}=${encodeURIComponent(MARKUP)}`);
  usagePages.push("/admin/usage", `/admin/usage?user=${userPages[0].split("/").pop()}`);
  for (const path of ["/admin", "/admin/backends", "/admin/aliases", "/admin/pulls", `/admin/pulls?model=${encodeURIComponent(MARKUP)}`, "/admin/users", ...userPages, ...backendPages, ...modelPages, ...usagePages, `/admin/playground?model=${encodeURIComponent(MARKUP)}`, "/admin/playground", "/admin/administrators", "/admin/network", "/admin/audit", "/admin/account", "/admin/confirm", "/admin/settings", `/admin/settings?q=${encodeURIComponent(MARKUP)}`, "/admin/help", "/admin/login/code", "/admin/setup", `/admin/${encodeURIComponent(MARKUP)}`]) {
    problems.allow(/status of 404/);
    const answer = await page.goto(fortress.url + path);
    const html = await answer!.text();
    for (const text of [MARKUP, SCRIPT]) expect(html, path).not.toContain(text);
    await look(path);
  }
  await app.open("/admin", fortress.url);
  await app.mark();
  for (const name of ["Backends", "Models", "Aliases", "Usage", "Users", "Playground", "Administrators", "Network", "Audit", "Settings", "Your account", "Help & Credits", "Dashboard"]) {
    await app.go(name);
    await look(`${name}, by its link`);
  }
  await app.expectSameDocument();

  const shown = new DashboardPage(page).backend(MARKUP);
  await expect(shown).toContainText(SCRIPT);
  await expect(shown.locator("summary")).toHaveText("5 models");
  for (const name of TYPED) await expect(shown.locator("li").filter({ hasText: name })).not.toHaveCount(0);
  // What turns the reading direction, or hides, is written out.
  await expect(shown).toContainText("gpt\\u{202e}elgoog:latest");
  await expect(shown).not.toContainText("\u202E");
  await app.go("Users");
  for (const name of TYPED) await expect(users.row(name)).toBeVisible();
  await app.go("Administrators");
  for (const name of TYPED) await expect(page.getByRole("listitem", { name, exact: true })).toBeVisible();
  await app.go("Audit");
  for (const name of TYPED) await expect(page.getByRole("main")).toContainText(name);
  await app.go("Your account");
  await expect(page.getByTitle(AGENT, { exact: true }), "the whole name of the browser").toBeVisible();
  await expect(page.getByTitle(AGENT, { exact: true })).toContainText(MARKUP);
});

test("a fault that a plain form brings back is text", async ({ browser, start, problems }) => {
  const fortress = await start({ ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
  const context = await problems.newContext(browser, { baseURL: fortress.url, javaScriptEnabled: false });
  const page = await context.newPage();
  const login = new LoginPage(page);
  await login.open();
  await login.signIn(ADMIN.name, ADMIN.password);
  for (const name of [MARKUP, SCRIPT, ATTRIBUTE]) {
    await page.goto("/admin/users");
    const users = new UsersPage(page);
    await users.send(name.repeat(10));
    await expect(users.form.getByLabel("Name", { exact: true })).toHaveAttribute("aria-invalid", "true");
    await expect(users.form.getByLabel("Name", { exact: true })).toHaveValue(name.repeat(10));
    expect(await page.content()).not.toContain("<img src=x");
    await expect(page.locator("img, [onfocus]")).toHaveCount(0);
  }
  await context.close();
});
