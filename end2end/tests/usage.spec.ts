// What was used, in a browser: the numbers are those of real calls, filters narrow them, charts and tables and files say the same.

import { readFile } from "node:fs/promises";
import type { Locator, Page } from "@playwright/test";
import { ADMIN, NOBODY, expect, test, type Fortress } from "../fixtures.ts";
import { until } from "../clients/fortress.mjs";
import { alive, App } from "../pages/app.ts";
import { LoginPage } from "../pages/login.ts";
import { UsagePage } from "../pages/usage.ts";

const OWN = { ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password };

test.use({ storageState: NOBODY });

async function signIn(page: Page, url: string) {
  await page.goto(`${url}/admin/login`);
  await new LoginPage(page).signIn(ADMIN.name, ADMIN.password);
}

/** Tokens of a call. */
async function call(url: string, key: string, model: string) {
  const answer = await fetch(`${url}/api/generate`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, prompt: "Why is the sky blue?", stream: false }),
  });
  expect(answer.status).toBe(model === "nobody-has-this" ? 404 : 200);
  const { prompt_eval_count: prompt = 0, eval_count: completion = 0 } = await answer.json();
  return { prompt, completion };
}

type Used = { fortress: Fortress; prompt: number; completion: number; requests: number };

/** Two users and two models: ada calls llama three times, bob llama once and qwen twice, and a model that nobody has. */
async function used(page: Page, start: (environment?: Record<string, string>) => Promise<Fortress>, startFake: (...args: string[]) => Promise<{ url: string }>): Promise<Used> {
  const fake = await startFake("--models", "llama3.2:latest,qwen3:4b", "--chunks", "5");
  const fortress = await start({ ...OWN, OLLAMA_SERVERS: fake.url });
  const [ada, bob] = [await fortress.key("ada"), await fortress.key("bob")];
  // Waiting for the model asks for the list of models, which counts as a request without one.
  await fortress.waitForModel("qwen3:4b", ada);
  let [prompt, completion] = [0, 0];
  for (const [key, model] of [[ada, "llama3.2"], [ada, "llama3.2"], [ada, "llama3.2"], [bob, "llama3.2"], [bob, "qwen3:4b"], [bob, "qwen3:4b"], [bob, "nobody-has-this"]]) {
    const tokens = await call(fortress.url, key, model);
    prompt += tokens.prompt;
    completion += tokens.completion;
  }
  await signIn(page, fortress.url);
  // Usage is written once a second: the file has it as soon as the page has.
  const requests = await until(async () => {
    const now = Date.now();
    const answer = await page.request.get(`${fortress.url}/admin/usage/export?format=jsonl&from=${now - 3_600_000}&to=${now + 1}&step=hour&by=endpoint`);
    const lines = (await answer.text()).trim().split("\n").map((line) => JSON.parse(line));
    const calls = lines.find(({ kind, of }) => kind === "endpoint" && of.name === "/api/generate");
    return calls?.figures.requests === 7 && lines[0].figures.requests;
  }, "the calls are counted");
  return { fortress, prompt, completion, requests };
}

test("numbers are those of the calls, and every filter narrows them", async ({ page, start, startFake }) => {
  const { fortress, prompt, completion, requests } = await used(page, start, startFake);
  const usage = new UsagePage(page);
  const app = new App(page);
  await page.goto(`${fortress.url}/admin`);
  await alive(page);
  await app.mark();
  await app.go("Usage");
  await expect(usage.total("Requests")).toHaveText(String(requests));
  await expect(usage.total("Prompt tokens")).toHaveText(String(prompt));
  await expect(usage.total("Completion tokens")).toHaveText(String(completion));
  await expect(usage.range("7 days")).toHaveAttribute("aria-current", "true");
  await expect(usage.group("model", "llama3.2:latest")).toContainText("4");

  await usage.field("Group by").selectOption("user");
  await usage.show();
  await expect(usage.group("user", "bob").getByRole("cell").first()).toHaveText("4");
  await expect(page).toHaveURL((url) => url.searchParams.get("by") === "user");
  await usage.group("user", "bob").getByRole("link", { name: "Only this user bob" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Usage of user bob");
  await expect(usage.total("Requests")).toHaveText("4");
  await expect(usage.field("User").locator("option:checked")).toHaveText("bob");
  await usage.field("Model").selectOption("qwen3:4b");
  await usage.show();
  await expect(usage.total("Requests")).toHaveText("2");
  await usage.filters().getByRole("link", { name: /Remove.*user/ }).click();
  await expect(usage.filters().getByRole("listitem")).toHaveCount(1);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Usage");
  await page.goBack();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Usage of user bob");
  await expect(usage.field("Model"), "the form says what is shown").toHaveValue("qwen3:4b");

  await usage.field("Model").selectOption("");
  await usage.field("Outcome").selectOption("errors");
  await usage.show();
  await expect(usage.total("Requests")).toHaveText("1");
  await usage.range("24 hours").click();
  await expect(usage.total("Requests")).toHaveText("1");
  await expect(usage.range("24 hours")).toHaveAttribute("aria-current", "true");
  await app.expectSameDocument();

  // The same address is the same page.
  await page.reload();
  await expect(usage.total("Requests")).toHaveText("1");
  await expect(usage.field("Outcome")).toHaveValue("errors");

  // The user's page leads here, and back.
  await page.getByRole("link", { name: "This user", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("bob");
  await page.getByRole("listitem", { name: "test" }).getByRole("link", { name: "Usage" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Usage of key test");
  await expect(usage.total("Requests")).toHaveText("4");
  await page.getByRole("link", { name: "The user of this key" }).click();
  await page.getByRole("main").getByRole("link", { name: "Usage" }).first().click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Usage of user bob");
});

test("a chart, its table and its file say the same", async ({ page, start, startFake }) => {
  const { fortress, requests } = await used(page, start, startFake);
  const usage = new UsagePage(page);
  await new App(page).open("/admin/usage?range=24h", fortress.url);
  for (const title of ["Requests by model", "Tokens by model", "Errors", "Latency (ms)", "Time to the first byte (ms)"]) {
    await expect.poll(() => usage.drawn(title), title).toBeTruthy();
    const drawn = (await usage.drawn(title))!;
    expect(await usage.table(title), title).toEqual(drawn);
    expect(drawn.labels, title).toHaveLength(24);
  }
  const drawn = (await usage.drawn("Requests by model"))!;
  const sum = (data: (number | null)[]) => data.reduce<number>((sum, value) => sum + (value ?? 0), 0);
  expect(Object.fromEntries(drawn.columns.map(({ label, data }) => [label, sum(data)]))).toMatchObject({ "llama3.2:latest": 4, "qwen3:4b": 2 });

  const file = async (link: Locator) => {
    const [csv] = await Promise.all([page.waitForEvent("download"), link.click()]);
    const lines = (await readFile(await csv.path(), "utf8")).trim().split("\r\n");
    return { name: csv.suggestedFilename(), lines: lines.map((line) => line.replaceAll('"', "").split(",")) };
  };
  const chart = await file(usage.figure("Requests by model").getByRole("link", { name: "CSV" }));
  expect(chart.name).toMatch(/^usage-chart-\d{4}-\d\d-\d\d\.csv$/);
  expect(chart.lines[0]).toEqual(["from", ...drawn.columns.map(({ label }) => label)]);
  expect(chart.lines.slice(1)).toEqual(drawn.labels.map((label, at) => [label, ...drawn.columns.map(({ data }) => String(data[at] ?? ""))]));
  const { name, lines } = await file(page.getByRole("link", { name: "Export CSV" }));
  expect(name).toMatch(/^usage-\d{4}-\d\d-\d\d\.csv$/);
  expect([lines[0][0], lines[1][0], lines[1][5]]).toEqual(["kind", "total", String(requests)]);
  expect(lines.filter(([kind]) => kind === "hour")).toHaveLength(24);
  const llama = lines.find(([kind, , , of]) => kind === "model" && of === "llama3.2:latest")!;
  expect(llama[5]).toBe("4");
  const [jsonl] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Export JSON lines" }).click()]);
  expect(JSON.parse((await readFile(await jsonl.path(), "utf8")).split("\n")[0]).figures.requests).toBe(requests);
  const [png] = await Promise.all([page.waitForEvent("download"), usage.figure("Requests by model").getByRole("button", { name: "PNG" }).click()]);
  expect(png.suggestedFilename()).toBe("requests-by-model.png");
  expect((await readFile(await png.path())).subarray(1, 4).toString()).toBe("PNG");

  // The hours of the week and the price of loading.
  const cells = await page.getByRole("region", { name: "Peak hours, table" }).getByRole("cell").allTextContents();
  expect(cells).toHaveLength(7 * 24);
  expect(cells.reduce((sum, text) => sum + (Number(text) || 0), 0)).toBe(requests);
  await expect(page.getByRole("region", { name: "Cold-start tax by model, table" })).toContainText("llama3.2:latest");
  await expect(page.getByRole("region", { name: "Cold-start tax by key, table" }).getByRole("link", { name: /Requests key test/ }).first()).toHaveAttribute(
    "href",
    /^\/admin\/requests\?from=\d+&to=\d+&key=\w{12}$/,
  );
});

test.describe("far from UTC", () => {
  test.use({ timezoneId: "Australia/Adelaide" });

  test("the viewer's zone comes into the address, once, and nothing jumps", async ({ page, start, startFake }) => {
    const { fortress } = await used(page, start, startFake);
    const reads: string[] = [];
    page.on("request", (request) => request.url().includes("/admin/fn/usage/") && reads.push(request.url()));
    await page.addInitScript(() => {
      const shifts: number[] = [];
      Object.assign(window, { shifts });
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) shifts.push((entry as unknown as { value: number }).value);
      }).observe({ type: "layout-shift", buffered: true });
    });
    const before = await page.evaluate(() => history.length);
    await new App(page).open("/admin/usage", fortress.url);
    await expect(page).toHaveURL((url) => url.searchParams.get("zone") === "Australia/Adelaide");
    const main = page.getByRole("main");
    await expect(main).toContainText("in the time zone Australia/Adelaide");
    await expect(main).toContainText("Hours of this zone begin within hours of UTC");
    await expect(new UsagePage(page).field("Time zone")).toHaveValue("Australia/Adelaide");
    expect(reads, "the page came with its numbers, and was asked for once more in its zone").toHaveLength(1);
    expect(await page.evaluate(() => history.length), "back does not lead to the same page").toBe(before + 1);
    const shifts = await page.evaluate(() => (window as unknown as { shifts: number[] }).shifts);
    expect(shifts.reduce((sum, shift) => sum + shift, 0), String(shifts)).toBeLessThan(0.01);
    await new UsagePage(page).range("12 months").click();
    await expect(main).toContainText("So long a time is told by days of UTC");
    await new App(page).go("Users");
    await new App(page).go("Usage");
    await expect(main).toContainText("in the time zone Australia/Adelaide");
    await expect(page).toHaveURL((url) => url.searchParams.get("zone") === "Australia/Adelaide");
    expect(reads, "a page that is drawn here is asked for once").toHaveLength(3);
  });
});

test("bad values stand beside their fields, and nothing used says what to do", async ({ page, start }) => {
  const fortress = await start(OWN);
  await signIn(page, fortress.url);
  const usage = new UsagePage(page);
  await new App(page).open("/admin/usage", fortress.url);
  await expect(page.getByText("No request in this time. Choose a longer range; or add a user")).toBeVisible();
  await usage.field("Time zone").fill("Mars/Olympus");
  await usage.field("From day").fill("2026-02-01");
  await usage.field("To day").fill("2026-01-01");
  await usage.show();
  await expect(usage.field("Time zone")).toHaveAttribute("aria-invalid", "true");
  await expect(usage.field("Time zone"), "what was typed stays").toHaveValue("Mars/Olympus");
  await expect(usage.filter).toContainText("Must be the name of a time zone");
  await expect(usage.filter).toContainText("Must be later than the beginning");
  await usage.field("Time zone").fill("");
  await usage.field("To day").fill("2026-02-02");
  await usage.show();
  await expect(page.getByRole("main")).toContainText("2026-02-01 00:00 to 2026-02-02 23:00, hour by hour");
  await new App(page).open("/admin/usage?from=yesterday&by=colour&model=none-such", fortress.url);
  await expect(usage.field("From day")).toHaveValue("yesterday");
  await expect(usage.field("Group by")).toHaveAttribute("aria-invalid", "true");
});

test("the keyboard gets everywhere and is not lost when the page narrows", async ({ page, start, startFake }) => {
  const { fortress } = await used(page, start, startFake);
  const usage = new UsagePage(page);
  await new App(page).open("/admin/usage", fortress.url);
  await usage.figure("Errors").locator("summary").focus();
  await page.keyboard.press("Enter");
  await expect(usage.figure("Errors").getByRole("table")).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(usage.figure("Errors").getByRole("region", { name: "Errors, numbers" })).toBeFocused();
  const only = usage.group("model", "qwen3:4b").getByRole("link", { name: "Only this model qwen3:4b" });
  await only.focus();
  await page.keyboard.press("Enter");
  await expect(usage.total("Requests")).toHaveText("2");
  // From here the next stop is what narrows the page.
  await page.keyboard.press("Tab");
  await expect(usage.filters().getByRole("link", { name: /Remove/ })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(usage.filters()).toHaveCount(0);
  await usage.field("Outcome").focus();
  await usage.field("Outcome").selectOption("errors");
  await usage.filter.getByRole("button", { name: "Show" }).focus();
  await page.keyboard.press("Enter");
  await expect(usage.total("Requests")).toHaveText("1");
  await expect(usage.filter.getByRole("button", { name: "Show" }), "the form stays").toBeFocused();
});

test.describe("where JavaScript does not work", () => {
  test.use({ javaScriptEnabled: false });

  test("it is read, narrowed and taken away as a file", async ({ page, start, startFake }) => {
    const { fortress, requests } = await used(page, start, startFake);
    const usage = new UsagePage(page);
    await page.goto(`${fortress.url}/admin/usage`);
    await expect(usage.total("Requests")).toHaveText(String(requests));
    await expect(page.getByRole("main")).toContainText("in the time zone UTC");
    const table = await usage.table("Requests by model");
    // The calls may lie on both sides of midnight.
    const calls = table.columns.find(({ label }) => label === "qwen3:4b")!.data;
    expect(calls.reduce<number>((sum, count) => sum + (count ?? 0), 0)).toBe(2);
    await expect(usage.figure("Errors").getByRole("button", { name: "PNG" })).toHaveCount(0);
    await usage.field("User").selectOption({ label: "ada" });
    await usage.field("Model").selectOption("llama3.2:latest");
    await usage.show();
    await expect(usage.total("Requests")).toHaveText("3");
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Usage of user ada");
    await usage.range("30 days").click();
    await expect(usage.total("Requests")).toHaveText("3");
    const [csv] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Export CSV" }).click()]);
    expect(await readFile(await csv.path(), "utf8")).toContain('\r\n"total",');
  });
});
