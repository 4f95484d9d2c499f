// Settings are validated, saved and in force; the Help page tells the truth about this very gateway.

import { ADMIN, MODELS, NOBODY, expect, generate, test } from "../fixtures.ts";
import { alive, App, copy } from "../pages/app.ts";
import { LoginPage } from "../pages/login.ts";
import { SettingsPage } from "../pages/settings.ts";

const SECTIONS = [
  "How to use the gateway",
  "What the gateway does with a request",
  "Keys: limits and status",
  "Examples",
  "Close the way around the gateway",
  "Who may come in",
  "Redis (optional)",
  "Credits",
];

test.describe("settings", () => {
  // A gateway of its own: settings hold for all its tests.
  test.use({ storageState: NOBODY });

  test("are validated, saved all together, in force at once, and survive a restart", async ({ page, start, fake, problems }) => {
    problems.allow(/Failed to load resource/);
    const fortress = await start({
      OLLAMA_SERVERS: fake.url,
      ADMIN_USER: ADMIN.name,
      ADMIN_PASSWORD: ADMIN.password,
      RATE_LIMIT_REQUESTS: "50",
      RATE_LIMIT_WINDOW_MINUTES: "1",
    });
    await fortress.key();
    // Looking for the model must not use up the default limit, which is small here.
    const looking = await fortress.run("key", "create", "--user", "clients", "--name", "looking", "--requests", "100000", "--minutes", "1");
    await fortress.waitForModel(MODELS[0], looking.trim());
    const settings = new SettingsPage(page);
    await page.goto(`${fortress.url}/admin/settings`);
    await new LoginPage(page).send(ADMIN.name, ADMIN.password);
    await new App(page).expectPage("Settings");
    await alive(page);
    await expect(settings.field("Requests")).toHaveValue("50");
    await expect(settings.field("Requests")).toHaveAccessibleDescription(/Set by the environment/);
    await expect(settings.field("Redis host")).toHaveValue("");
    await expect(page.getByTestId("redis-state")).toHaveCount(1);
    await expect(page.getByTestId("redis-state")).toContainText("Redis: not configured");

    await settings.send({ "Catalogue interval (seconds)": "soon", "Stall time-out (seconds)": "99" });
    await expect(settings.field("Catalogue interval (seconds)")).toHaveAttribute("aria-invalid", "true");
    await expect(settings.saved).toHaveCount(0);

    await settings.save({ "Catalogue interval (seconds)": "60", Requests: "2", "Window (Minutes)": "10" });
    await expect(settings.field("Requests")).toHaveAccessibleDescription(/overrides the environment/);
    // A key that was never used: what another was admitted before counts against it.
    const fresh = await fortress.createKey("clients", "fresh");
    const call = () => generate(fortress.url, fresh);
    expect([await call(), await call(), await call()]).toEqual([200, 200, 429]);

    await fortress.halt();
    await fortress.boot();
    await page.goto(`${fortress.url}/admin/settings`);
    await expect(settings.field("Catalogue interval (seconds)"), "the session survives too").toHaveValue("60");
    await expect(settings.field("Stall time-out (seconds)")).toHaveValue("99");
    await expect(settings.field("Requests")).toHaveValue("2");
  });

  test("the strategy is chosen, explained on the Help page, and given up again", async ({ page, start }) => {
    const fortress = await start({ ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password, BALANCE: "weighted" });
    const settings = new SettingsPage(page);
    await page.goto(`${fortress.url}/admin/settings`);
    await new LoginPage(page).send(ADMIN.name, ADMIN.password);
    await new App(page).expectPage("Settings");
    await alive(page);
    const strategy = settings.field("Strategy");
    await expect(strategy).toHaveValue("weighted");
    await expect(strategy).toHaveAccessibleDescription(/Set by the environment/);
    await strategy.selectOption("round-robin");
    await settings.save({ "Requests that may wait": "0" });
    await expect(strategy).toHaveAccessibleDescription(/overrides the environment/);
    await page.goto(`${fortress.url}/admin/help`);
    const routing = page.locator("#routing");
    await expect(routing.locator("dt").filter({ hasText: "in force" })).toContainText("Round robin");
    await expect(routing).toContainText("no queue is kept");
    await page.goto(`${fortress.url}/admin/settings`);
    await alive(page);
    await strategy.selectOption({ label: "As the environment says, or the default" });
    await settings.save({ "Requests that may wait": "", "Longest wait (seconds)": "30" });
    await expect(strategy).toHaveValue("weighted");
    await expect(settings.field("Requests that may wait")).toHaveValue("1000");
  });

  test("a Redis address is tried and its state said honestly", async ({ page, start, problems }) => {
    problems.allow(/status of 400/);
    const fortress = await start({ ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
    const settings = new SettingsPage(page);
    await page.goto(`${fortress.url}/admin/settings`);
    await new LoginPage(page).send(ADMIN.name, ADMIN.password);
    await new App(page).expectPage("Settings");
    await alive(page);
    await settings.tryRedis();
    await expect(page.getByText("No Redis is named here.")).toBeVisible();
    // Nobody listens there. The port of a server that has gone may be another test's by now.
    const gate = { hostname: "127.0.0.1", port: "1" };
    // What is typed is tried, and not saved by that.
    await settings.field("Redis host").fill(gate.hostname);
    await settings.field("Redis port").fill(gate.port);
    await settings.tryRedis();
    await expect(page.getByRole("status").filter({ hasText: /refused/i })).toBeVisible();
    await expect(page.getByTestId("redis-state").first()).toContainText("Redis: not configured");
    await expect(settings.saved).toHaveCount(0);
    await expect(settings.field("Redis port")).toHaveValue(gate.port);
    await settings.field("Redis port").fill("0");
    await settings.tryRedis();
    await expect(page.getByRole("alert").filter({ hasText: /1 to 65535/ })).toBeVisible();
    await settings.save({ "Redis host": gate.hostname, "Redis port": gate.port, "Redis password": "geheim" });
    await expect(settings.field("Redis port")).toHaveValue(gate.port);
    await expect(settings.field("Redis password")).toHaveValue("");
    // Under the fields and in the frame of all pages.
    await expect(page.getByTestId("redis-state").filter({ hasText: /not reachable.*refused/i })).toHaveCount(2);
    await settings.tryRedis();
    await expect(page.getByRole("status").filter({ hasText: /refused/i })).toBeVisible();
    // The Enter key saves: it does not press the test's button, which comes first.
    await settings.field("Redis user").fill("somebody");
    await settings.saveBy(() => settings.field("Redis user").press("Enter"));
    await expect(settings.field("Redis user")).toHaveValue("somebody");
    await page.reload();
    await expect(settings.field("Redis user")).toHaveValue("somebody");
  });

  test.describe("without JavaScript", () => {
    test.use({ javaScriptEnabled: false });

    test("a Redis is tried before it is saved, and what was typed stays", async ({ page, start }) => {
      const fortress = await start({ ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
      const settings = new SettingsPage(page);
      await page.goto(`${fortress.url}/admin/settings`);
      await new LoginPage(page).send(ADMIN.name, ADMIN.password);
      // Nobody listens there.
      const gate = { hostname: "127.0.0.1", port: "1" };
      await settings.field("Redis host").fill(gate.hostname);
      await settings.field("Redis port").fill(gate.port);
      await settings.field("Redis password").fill("geheim");
      await settings.field("Redis over TLS").check();
      await settings.field("Requests").fill("77");
      await settings.tryRedis();
      await expect(page.getByRole("status").filter({ hasText: /refused/i })).toBeVisible();
      for (const [label, value] of [["Redis port", gate.port], ["Requests", "77"], ["Redis password", ""]]) {
        await expect(settings.field(label)).toHaveValue(value);
      }
      await expect(settings.field("Redis over TLS")).toBeChecked();
      await page.goto(`${fortress.url}/admin/settings`);
      await expect(settings.field("Redis host"), "nothing was saved").toHaveValue("");
      await expect(settings.field("Requests")).toHaveValue("");
    });
  });
});

test("the Help page has every section, live values and working copy buttons", async ({ page, key, fortress, context }) => {
  void key; // The worker's gateway lists its models by now.
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await new App(page).open("/admin/help");
  for (const section of SECTIONS) await expect(page.getByRole("heading", { level: 2, name: section })).toBeVisible();
  const calls = page.locator("#calls");
  await expect(calls).toContainText(`${fortress.url}/api/tags`);
  await expect(calls).toContainText(MODELS[0]);
  await expect(page.locator("#routing")).toContainText("30 seconds");
  await expect(page.locator("#keys")).toContainText("no limit");
  await expect(page.locator("#port")).toContainText("11434");
  await expect(page.locator("#credits")).toContainText("ParisNeo");

  const block = calls.locator("div.relative").first();
  await copy(block.getByRole("button", { name: "Copy" }));
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toBe(await block.locator("pre").textContent());
});
