// The dashboard follows what happens without being loaded again.

import { ADMIN, NOBODY, expect, generate, test } from "../fixtures.ts";
import { alive, App } from "../pages/app.ts";
import { DashboardPage } from "../pages/dashboard.ts";
import { slowCall } from "../pages/slow.ts";
import { LoginPage } from "../pages/login.ts";

// Backends are asked every 30 s, and a look may take its time.
const ASKED = { timeout: 75_000 };

test("charts are drawn, and they and the numbers follow a request", async ({ page, key, fortress }) => {
  const app = new App(page);
  const dashboard = new DashboardPage(page);
  await app.open();
  await app.mark();
  await dashboard.expectLive();
  for (const title of ["Requests", "Tokens"]) await expect.poll(() => dashboard.drawn(title), title).toBeGreaterThan(500);

  const number = async (title: string) => Number((await dashboard.total(title).textContent())!.replaceAll(",", ""));
  const [requests, tokens, picture] = [await number("Requests"), await number("Tokens"), await dashboard.picture("Tokens")];
  expect(await generate(fortress.url, key, "a prompt of five words")).toBe(200);
  // At least: what the test before this one asked for may be counted only now.
  await expect.poll(() => number("Requests")).toBeGreaterThan(requests);
  await expect.poll(() => number("Tokens"), "five words in, five out").toBeGreaterThanOrEqual(tokens + 10);
  await expect.poll(() => dashboard.picture("Tokens")).not.toBe(picture);
  expect(await dashboard.liveCharts(), "charts are changed in place").toBe(2);
  await app.expectSameDocument();
});

test("a request that streams counts as in flight until its end", async ({ page, key, fortress, fake }) => {
  const dashboard = new DashboardPage(page);
  await new App(page).open();
  await dashboard.expectLive();
  await fake.hold();
  try {
    const call = generate(fortress.url, key);
    await expect(dashboard.total("In flight")).toHaveText("1");
    await fake.open();
    expect(await call).toBe(200);
    await expect(dashboard.total("In flight")).toHaveText("0");
  } finally {
    await fake.open();
  }
});

test("a request that was kept waiting is listed with its reason", async ({ page, key, fortress, fake }) => {
  await new App(page).open();
  await new DashboardPage(page).expectLive();
  await fake.hold();
  try {
    const id = await slowCall(fortress.url, key, fake, "kept waiting");
    const slow = page.getByRole("region", { name: "Slow requests" }).getByRole("listitem").filter({ hasText: id });
    await expect(slow).toContainText(/^\d+ s: \d+ s (loading or )?reading the prompt( and answering)? on \S/);
    await expect(slow).toContainText("llama3.2:latest");
  } finally {
    await fake.open();
  }
});

test("a backend that is added or disabled elsewhere appears by itself", async ({ page, fortress, startFake }) => {
  const fake = await startFake("--models", "qwen3:4b", "--version", "0.9.9");
  const dashboard = new DashboardPage(page);
  await new App(page).open();
  await dashboard.expectLive();
  await fortress.run("backend", "add", "--name", "late", "--url", fake.url);
  await expect(dashboard.backend("late")).toContainText("0.9.9");
  await expect(dashboard.backend("late")).toContainText("Up");
  await fortress.run("backend", "disable", "late");
  await expect(dashboard.backend("late")).toContainText("Disabled");
  await fortress.run("backend", "remove", "late");
  await expect(dashboard.backend("late")).toHaveCount(0);
});

test("a backend that goes down needs attention until it answers again, and the way to it is a link", async ({ page, fortress, startFake }) => {
  const first = await startFake("--models", "gone:1b");
  const app = new App(page);
  const dashboard = new DashboardPage(page);
  await fortress.run("backend", "add", "--name", "shaky", "--url", first.url);
  await app.open();
  await app.mark();
  await dashboard.expectLive();
  const shaky = dashboard.attention(/^shaky /);
  await expect(shaky).toHaveCount(0);

  await first.stop();
  await expect(shaky).toContainText(/^shaky does not answer: .* Calls for gone:1b get 503\./, ASKED);
  await app.expectSameDocument();
  const stopped = await page.context().newPage();
  await stopped.goto("/admin");
  await expect(new DashboardPage(stopped).attention(/^shaky does not answer/), "it comes with the page").toBeVisible();
  await stopped.close();

  await fortress.run("backend", "edit", "shaky", "--url", (await startFake("--models", "gone:1b")).url);
  await expect(shaky, "gone by itself").toHaveCount(0, ASKED);
  await fortress.run("backend", "drain", "shaky");
  await dashboard.attention(/^shaky is drained/).getByRole("link", { name: "See the backends" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Backends" })).toBeVisible();
  await app.expectSameDocument();
  await fortress.run("backend", "remove", "shaky");
});

test("a model is let go from memory by one click, and what came of it is told", async ({ page, fortress, startFake }) => {
  const fake = await startFake("--models", "warm:1b");
  const app = new App(page);
  const dashboard = new DashboardPage(page);
  await fortress.run("backend", "add", "--name", "warmth", "--url", fake.url);
  await app.open();
  await app.mark();
  await dashboard.expectLive();
  await expect(dashboard.backend("warmth")).toContainText("Up");
  const memory = dashboard.backend("warmth").getByRole("list", { name: "In its memory" });
  await fetch(`${fake.url}/api/generate`, { method: "POST", body: JSON.stringify({ model: "warm:1b" }) });
  await expect(memory).toContainText("warm:1b", ASKED);
  await memory.getByRole("button", { name: "Unload warm:1b on warmth" }).click();
  await expect(page.getByRole("list", { name: "What each backend made of it" })).toHaveText(/warmth: Unloaded/);
  await expect(memory).toHaveCount(0, ASKED);
  await app.expectSameDocument();
  await fortress.run("backend", "remove", "warmth");
});

test("limits in use are shown while they are, and lead to whose they are", async ({ page, fortress }) => {
  const app = new App(page);
  const dashboard = new DashboardPage(page);
  await fortress.run("user", "add", "limited");
  const key = (await fortress.run("key", "create", "--user", "limited", "--name", "few", "--requests", "4", "--minutes", "5")).trim();
  await app.open();
  await dashboard.expectLive();
  const row = page.getByRole("region", { name: "Limits in use" }).getByRole("listitem").filter({ hasText: "Key few of limited" });
  await expect(row).toHaveCount(0);
  expect(await generate(fortress.url, key)).toBe(200);
  await expect(row).toContainText("1 of 4 requests in every 5 minutes");
  await row.getByRole("link").click();
  await app.expectPage("limited");
  await fortress.run("user", "remove", "limited");
});

test("leaving the page destroys its charts and closes its one event stream", async ({ page }) => {
  const streams: string[] = [];
  page.on("request", (request) => request.url().endsWith("/admin/live") && streams.push(request.url()));
  const app = new App(page);
  const dashboard = new DashboardPage(page);
  await app.open();
  await dashboard.expectLive();
  await expect.poll(() => dashboard.liveCharts()).toBe(2);
  expect(streams).toHaveLength(1);

  const closed = page.waitForEvent("requestfailed", (request) => request.url().endsWith("/admin/live"));
  await app.go("Users");
  await closed;
  expect(await dashboard.liveCharts()).toBe(0);

  await app.go("Dashboard");
  await dashboard.expectLive();
  await expect.poll(() => dashboard.liveCharts()).toBe(2);
  expect(streams).toHaveLength(2);
});

test("a tab that cannot be seen holds no event stream", async ({ page }) => {
  const dashboard = new DashboardPage(page);
  await new App(page).open();
  await dashboard.expectLive();
  const see = (hidden: boolean) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
    }, hidden);
  const closed = page.waitForEvent("requestfailed", (request) => request.url().endsWith("/admin/live"));
  await see(true);
  await closed;
  await expect(dashboard.connection("Live")).toBeHidden();
  await see(false);
  await dashboard.expectLive();
});

test("charts change their colours with the theme", async ({ page }) => {
  const dashboard = new DashboardPage(page);
  await new App(page).open();
  await dashboard.expectLive();
  await expect.poll(() => dashboard.liveCharts()).toBe(2);
  const colour = () => dashboard.colour("Requests");
  const [before, picture] = [await colour(), await dashboard.picture("Requests")];
  await page.getByRole("button", { name: "Light / dark" }).click();
  await expect.poll(colour, "the colours of the other theme").not.toBe(before);
  await expect.poll(() => dashboard.picture("Requests"), "drawn in them").not.toBe(picture);
  await page.getByRole("button", { name: "Light / dark" }).click();
  await expect.poll(colour, "and back").toBe(before);
  expect(await dashboard.liveCharts(), "charts are changed in place").toBe(2);
});

test.describe("on a gateway of its own", () => {
  test.use({ storageState: NOBODY });

  test("a session that ends on the server leads to the sign-in page and back", async ({ page, browser, context, fortress, problems }) => {
    problems.allow(/status of 401/);
    const login = new LoginPage(page);
    const dashboard = new DashboardPage(page);
    await login.open();
    await alive(page);
    await login.signIn(ADMIN.name, ADMIN.password);
    await dashboard.expectLive();

    // The same session elsewhere.
    const elsewhere = await problems.newContext(browser, { baseURL: fortress.url, storageState: await context.storageState() });
    const other = await elsewhere.newPage();
    await new App(other).open("/admin/users");
    await other.getByRole("button", { name: "Sign out" }).click();
    await new LoginPage(other).expectShown();
    await elsewhere.close();

    await login.expectShown();
    await login.signIn(ADMIN.name, ADMIN.password);
    await dashboard.expectLive();
    await expect.poll(() => dashboard.liveCharts()).toBe(2);
  });

  test("a restart of the gateway is said, and the page recovers by itself", async ({ page, start, startFake, fake, problems }) => {
    problems.allow(/Failed to load resource/, /ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY/);
    const fortress = await start({ OLLAMA_SERVERS: fake.url, ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
    const app = new App(page);
    const dashboard = new DashboardPage(page);
    await page.goto(`${fortress.url}/admin/login`);
    await alive(page);
    await new LoginPage(page).signIn(ADMIN.name, ADMIN.password);
    await dashboard.expectLive();
    await app.mark();

    await fortress.halt();
    await expect(dashboard.connection("Reconnecting")).toBeVisible();
    await fortress.boot(new URL(fortress.url).port);
    await expect(dashboard.connection("Live")).toBeVisible();

    await fortress.run("backend", "add", "--name", "after the restart", "--url", (await startFake()).url);
    await expect(dashboard.backend("after the restart"), "what is shown is of now").toBeVisible();
    expect(await dashboard.liveCharts()).toBe(2);
    await app.expectSameDocument();
  });
});
