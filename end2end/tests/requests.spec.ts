// The log of requests in a browser: real calls appear, are filtered, opened and followed as they come.

import { readFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { ADMIN, NOBODY, expect, test } from "../fixtures.ts";
import { alive, App } from "../pages/app.ts";
import { LoginPage } from "../pages/login.ts";
import { RequestsPage, call, written } from "../pages/requests.ts";
import { slowCall } from "../pages/slow.ts";

/** Sums up what moved while the page came to life. */
const shifts = (page: Page) =>
  page.addInitScript(() => {
    Object.assign(window, { shifted: 0 });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) (window as unknown as { shifted: number }).shifted += (entry as unknown as { value: number }).value;
    }).observe({ type: "layout-shift", buffered: true });
  });

/** What is on the key's user in the page's own words. */
const reads = (page: Page) => {
  const seen: string[] = [];
  page.on("request", (request) => request.url().includes("/admin/fn/requests/") && seen.push(request.url()));
  return seen;
};

test("calls appear, are filtered by what the address says, and back leads back", async ({ page, key, fortress, problems }) => {
  // A filter that is not understood.
  problems.allow(/status of 400/);
  const good = await call(fortress.url, key);
  const bad = await call(fortress.url, key, "no-such-model");
  expect([good.status, bad.status]).toEqual([200, 404]);
  const app = new App(page);
  const requests = new RequestsPage(page);
  await app.open();
  await written(page, fortress.url);
  await app.mark();
  await app.go("Requests");
  await expect(requests.row(good.id)).toContainText("llama3.2:latest");
  await expect(requests.row(good.id)).toContainText("200");
  await expect(requests.row(bad.id)).toContainText("404 Refused");

  await requests.field("Status").fill("4xx");
  await requests.show();
  await expect(requests.row(good.id)).toHaveCount(0);
  await expect(requests.row(bad.id)).toHaveCount(1);
  await expect(page).toHaveURL((url) => url.searchParams.get("status") === "4xx");
  await requests.field("Model").fill("nobody has this");
  await requests.show();
  await expect(page.getByText("No request in this time fits.")).toBeVisible();
  await page.goBack();
  await expect(requests.row(bad.id)).toHaveCount(1);
  await expect(requests.field("Model"), "the form says what is shown").toHaveValue("");
  await page.goBack();
  await expect(requests.row(good.id)).toHaveCount(1);
  await app.expectSameDocument();

  // Faults stand beside their fields, and what was typed stays.
  await requests.field("Status").fill("teapot");
  await requests.more();
  await requests.field("Backend").fill("nowhere at all");
  await requests.field("From").fill("yesterday");
  await requests.show();
  for (const [label, text] of Object.entries({ Status: "teapot", Backend: "nowhere at all", From: "yesterday" })) {
    await expect(requests.field(label), label).toHaveAttribute("aria-invalid", "true");
    await expect(requests.field(label)).toHaveValue(text);
  }
  await expect(requests.filter).toContainText("No backend has this name.");
  await expect(requests.rows).toHaveCount(0);
  await app.expectSameDocument();

  // The same address is the same page, and the number of a request finds it.
  await page.goto(`${fortress.url}/admin/requests?request=${good.id}&from=7d`);
  await expect(requests.rows).toHaveCount(1);
  await expect(requests.field("Request")).toHaveValue(good.id);
  await expect(page.getByRole("link", { name: "7 days" })).toHaveAttribute("aria-current", "true");
});

test("one request has its life, its facts and a way back, and one that is gone says so", async ({ page, key, fortress, fake, problems }) => {
  problems.allow(/status of 404/);
  const { id } = await call(fortress.url, key, "llama3.2", true);
  const app = new App(page);
  const requests = new RequestsPage(page);
  await app.open("/admin");
  await written(page, fortress.url);
  const seen = reads(page);
  await app.go("Requests");
  await requests.row(id).getByRole("link").first().click();
  await app.expectPage(`Request ${id}`);
  const life = page.getByRole("region", { name: "Timeline" });
  // Which parts it has is a matter of milliseconds here.
  await expect(life.getByRole("listitem").last()).toContainText(/^(Loading the model|Waiting for the first token|Answering).*(\d ms|\d s|<1 ms)$/);
  const facts = page.getByRole("region", { name: "Facts" });
  await expect(facts).toContainText("/api/generate");
  await expect(facts).toContainText("200, complete");
  await expect(facts).toContainText("llama3.2:latest");
  expect(seen.filter((url) => url.includes("requests/list")), "each is read once").toHaveLength(1);
  expect(seen.filter((url) => url.includes("requests/get"))).toHaveLength(1);
  await facts.getByRole("link", { name: "llama3.2:latest" }).click();
  await expect(requests.field("Model")).toHaveValue("llama3.2:latest");
  await expect(requests.row(id)).toHaveCount(1);

  await page.goto(`${fortress.url}/admin/requests/0123456789abcdef?at=5`);
  await expect(page.getByText("There is no such request in the log.")).toBeVisible();
  await page.getByRole("link", { name: "Search for its number" }).click();
  await expect(requests.field("Request")).toHaveValue("0123456789abcdef");
  await expect(page.getByText("No request in this time fits.")).toBeVisible();
});

test("new requests that fit come on top without a reload, and not while the tab is hidden", async ({ page, key, fortress }) => {
  const old = await call(fortress.url, key);
  const app = new App(page);
  const requests = new RequestsPage(page);
  await app.open("/admin");
  await written(page, fortress.url);
  await app.open("/admin/requests?status=2xx");
  const seen = reads(page);
  await app.mark();
  await expect(requests.row(old.id)).toHaveCount(1);
  await page.getByRole("link", { name: "Follow live" }).click();
  await requests.expectLive();
  await expect(page).toHaveURL((url) => url.searchParams.get("live") === "1" && url.searchParams.get("status") === "2xx");
  const refused = await call(fortress.url, key, "no-such-model");
  const fresh = await call(fortress.url, key);
  await expect(requests.rows.first().locator("a").first()).toHaveAttribute("href", new RegExp(fresh.id));
  await expect(requests.row(refused.id), "it does not fit").toHaveCount(0);
  await expect(requests.row(fresh.id), "told twice, shown once").toHaveCount(1);
  expect(seen, "nothing is read again").toEqual([]);
  await app.expectSameDocument();

  const see = (hidden: boolean) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
    }, hidden);
  const closed = page.waitForEvent("requestfailed", (request) => request.url().includes("/admin/requests/live"));
  await see(true);
  await closed;
  const missed = await call(fortress.url, key);
  await written(page, fortress.url);
  expect(await requests.row(missed.id).count()).toBe(0);
  await see(false);
  await expect(requests.row(missed.id), "what came meanwhile is there again").toHaveCount(1);
  await requests.expectLive();

  // The address is the state: it survives a reload, and ends by a link.
  await page.reload();
  await alive(page);
  await requests.expectLive();
  const again = await call(fortress.url, key);
  await expect(requests.row(again.id)).toHaveCount(1);
  const ended = page.waitForEvent("requestfailed", (request) => request.url().includes("/admin/requests/live"));
  await page.getByRole("link", { name: "Stop following" }).click();
  await ended;
  await expect(requests.row(again.id), "what is shown stays").toHaveCount(1);
  await expect(page).toHaveURL((url) => !url.searchParams.has("live"));
});

test("older requests are on further pages, and the whole is a file", async ({ page, fortress, key }) => {
  const calls = [];
  for (let count = 0; count < 55; count += 1) calls.push(await call(fortress.url, key, `model-${count}`));
  const app = new App(page);
  const requests = new RequestsPage(page);
  await app.open("/admin");
  await written(page, fortress.url);
  await app.open("/admin/requests");
  await expect(requests.rows).toHaveCount(50);
  await expect(requests.row(calls[54].id)).toHaveCount(1);
  await requests.pages.getByRole("link", { name: "Older" }).click();
  await expect(requests.row(calls[0].id)).toHaveCount(1);
  await expect(page.getByRole("link", { name: "Follow live" })).toBeHidden();
  await requests.pages.getByRole("link", { name: "Newest" }).click();
  await expect(requests.row(calls[54].id)).toHaveCount(1);

  await requests.field("Model").fill("model-7");
  await requests.show();
  await expect(requests.rows).toHaveCount(1);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Export CSV" }).click()]);
  expect(download.suggestedFilename()).toMatch(/^requests-\d{4}-\d\d-\d\d\.csv$/);
  const csv = await readFile(await download.path(), "utf8");
  expect(csv.split("\r\n"), "the line of names and the one row that is shown").toHaveLength(3);
  expect(csv).toContain(calls[7].id);
  const lines = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Export JSON lines" }).click()]);
  expect(JSON.parse(await readFile(await lines[0].path(), "utf8")).request).toBe(calls[7].id);
});

test("by the keyboard alone a request is found, opened and left", async ({ page, key, fortress }) => {
  const { id } = await call(fortress.url, key);
  await new App(page).open("/admin");
  await written(page, fortress.url);
  await new App(page).open("/admin/requests");
  const requests = new RequestsPage(page);
  await requests.field("Status").focus();
  await page.keyboard.type("200");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/status=200/);
  const link = requests.row(id).getByRole("link").first();
  await requests.filter.getByRole("button", { name: "Show" }).focus();
  for (let stop = 0; stop < 60; stop += 1) {
    await page.keyboard.press("Tab");
    if (await link.evaluate((link) => link === document.activeElement)) break;
  }
  await expect(link).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: `Request ${id}` })).toBeFocused();
  // The way back stands before the heading.
  await page.keyboard.press("Shift+Tab");
  await expect(page.getByRole("navigation", { name: "Breadcrumb" }).getByRole("link", { name: "Requests" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(requests.row(id)).toHaveCount(1);
});

test("nothing moves when the pages come to life", async ({ page, key, fortress }) => {
  const { id } = await call(fortress.url, key);
  await new App(page).open("/admin");
  await written(page, fortress.url);
  await shifts(page);
  const requests = new RequestsPage(page);
  for (const path of ["/admin/requests", "/admin/requests?live=1&status=2xx&user=&backend="]) {
    await new App(page).open(path);
    await expect(requests.row(id).locator("a").first(), "told in local time: it is alive").not.toContainText("UTC");
    expect(await page.evaluate(() => (window as unknown as { shifted: number }).shifted), path).toBeLessThan(0.01);
  }
});

test("a slow request of the dashboard leads to its page", async ({ page, key, fortress, fake }) => {
  await new App(page).open();
  await fake.hold();
  try {
    const id = await slowCall(fortress.url, key, fake, "slow and linked");
    const link = page.getByRole("region", { name: "Slow requests" }).getByRole("link", { name: id });
    await expect(link).toBeVisible();
    await written(page, fortress.url);
    await link.click();
    await new App(page).expectPage(`Request ${id}`);
    await expect(page.getByRole("region", { name: "Why it was slow" })).toContainText(/^\d+ s: /);
  } finally {
    await fake.open();
  }
});

test.describe("where JavaScript does not work", () => {
  test.use({ javaScriptEnabled: false });

  test("the log is read, filtered and leafed through, and one request opened", async ({ page, key, fortress }) => {
    const { id } = await call(fortress.url, key);
    for (let count = 0; count < 52; count += 1) await call(fortress.url, key, `plain-${count}`);
    await page.goto("/admin");
    await written(page, fortress.url);
    const requests = new RequestsPage(page);
    await page.goto("/admin/requests");
    await expect(requests.rows).toHaveCount(50);
    await expect(page.getByRole("link", { name: "Follow live" }), "nothing could be followed").toBeHidden();
    await requests.pages.getByRole("link", { name: "Older" }).click();
    await expect(requests.row(id)).toHaveCount(1);
    await requests.field("Model").fill("llama3.2");
    await requests.field("Outcome").selectOption("Complete");
    await requests.show();
    await expect(requests.row(id)).toHaveCount(1);
    await expect(requests.field("Outcome")).toHaveValue("complete");
    await page.getByRole("link", { name: "Last hour" }).click();
    await expect(requests.field("Model"), "the rest of the filter stays").toHaveValue("llama3.2");
    await requests.row(id).getByRole("link").first().click();
    await expect(page.getByRole("heading", { level: 1, name: `Request ${id}` })).toBeVisible();
    await expect(page.getByRole("region", { name: "Timeline" })).toBeVisible();
    await page.goto("/admin/requests?status=teapot");
    await expect(requests.field("Status")).toHaveAttribute("aria-invalid", "true");
    await expect(requests.field("Status")).toHaveValue("teapot");
  });
});

test.describe("on a gateway of its own", () => {
  test.use({ storageState: NOBODY });

  test("an empty log says what to do, and a session that ends leads to the sign-in page and back", async ({ page, start, problems, browser, context }) => {
    problems.allow(/status of 401/);
    const { url } = await start({ ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
    const requests = new RequestsPage(page);
    const login = new LoginPage(page);
    await page.goto(`${url}/admin/requests?live=1`);
    await login.signIn(ADMIN.name, ADMIN.password);
    await expect(page.getByText("No request in this time.")).toBeVisible();
    await expect(page.getByRole("link", { name: "How to make a first call" })).toBeVisible();
    await requests.expectLive();
    const elsewhere = await problems.newContext(browser, { baseURL: url, storageState: await context.storageState() });
    const other = await elsewhere.newPage();
    await new App(other).open("/admin/users");
    await other.getByRole("button", { name: "Sign out" }).click();
    await new LoginPage(other).expectShown();
    await elsewhere.close();
    await login.expectShown();
    await login.signIn(ADMIN.name, ADMIN.password);
    await requests.expectLive();
    await expect(page).toHaveURL(/\/admin\/requests\?live=1$/);
  });
});
