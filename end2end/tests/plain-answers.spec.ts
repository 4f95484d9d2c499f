// Without JavaScript every action says what came of it: faults beside the row they belong to with what was typed, results
// of tests, what was saved. Once, and never through the address.

import { ADMIN, NOBODY, NOWHERE, expect, test } from "../fixtures.ts";
import { BackendsPage } from "../pages/backends.ts";
import { DashboardPage } from "../pages/dashboard.ts";
import { LoginPage } from "../pages/login.ts";
import { SettingsPage } from "../pages/settings.ts";
import { UserPage, UsersPage } from "../pages/users.ts";

test.use({ javaScriptEnabled: false });

test("the dashboard does not pretend to be live, and shows its numbers", async ({ page }) => {
  await page.goto("/admin");
  await expect(page.getByRole("status").filter({ hasText: /^As of \d{4}-\d\d-\d\d \d\d:\d\d UTC$/ })).toBeVisible();
  await expect(page.getByText("Connecting")).toHaveCount(0);
  await expect(page.getByRole("table", { name: "Requests" })).toBeInViewport();
  await expect(new DashboardPage(page).chart("Requests")).toBeHidden();
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth), "no wider than a phone").toBeLessThanOrEqual(390);
});

test("a backend is tested, and its row says what was found, once", async ({ page, startFake }) => {
  const fake = await startFake("--version", "0.9.9");
  const backends = new BackendsPage(page);
  await page.goto("/admin/backends");
  await backends.add("plain good", fake.url);
  await backends.add("plain gone", NOWHERE);
  await backends.test("plain good", "Ollama 0.9.9 answers with 2 models");
  await expect(backends.row("plain gone").getByRole("status")).toHaveText("");
  await backends.test("plain gone", "Connection refused");
  expect(new URL(page.url()).search).toBe("");
  await page.goto("/admin/backends");
  await expect(backends.row("plain gone").getByRole("status")).toHaveText("");

  // A change that is refused stays open in its own row with what was typed, but for the token.
  await backends.edit("plain gone", { Name: "plain good", Token: "s3cr3t" });
  const row = page.getByRole("listitem", { name: "plain gone", exact: true });
  await expect(row.getByLabel("Name", { exact: true })).toBeVisible();
  await expect(row.getByLabel("Name", { exact: true })).toHaveValue("plain good");
  await expect(row.getByLabel("Name", { exact: true })).toHaveAttribute("aria-invalid", "true");
  expect(await page.content()).not.toContain("s3cr3t");
  await backends.send("new one", "not an address");
  await expect(backends.form.getByLabel("URL", { exact: true })).toHaveAttribute("aria-invalid", "true");
  await expect(backends.form.getByLabel("URL", { exact: true })).toHaveValue("not an address");
  await expect(backends.form.getByLabel("Name", { exact: true })).toHaveValue("new one");
  await backends.remove("plain good");
  await backends.remove("plain gone");
});

test("a fault of one key stands in its row, with what was typed", async ({ page }) => {
  const users = new UsersPage(page);
  const user = new UserPage(page);
  await page.goto("/admin/users");
  await users.add("plain rows");
  await users.openUser("plain rows");
  await user.create("one", "7", "7");
  await user.create("two", "8", "8");
  await user.setLimit("one", "12", "");
  const one = user.key("one").getByLabel("Window (Minutes)", { exact: true });
  await expect(one).toBeVisible();
  await expect(one).toHaveAttribute("aria-invalid", "true");
  await expect(user.key("one").getByLabel("Requests", { exact: true })).toHaveValue("12");
  await expect(user.key("two").getByLabel("Requests", { exact: true })).toHaveValue("8");
  await expect(user.key("two").getByLabel("Requests", { exact: true })).toBeHidden();
  expect(new URL(page.url()).search, "nothing in the address").toBe("");
  await page.goto(page.url());
  await expect(user.key("one").getByLabel("Requests", { exact: true })).toHaveValue("7");
});

test.describe("settings", () => {
  test.use({ storageState: NOBODY });

  test("say that they were saved, keep what was refused, and test Redis", async ({ page, start }) => {
    const fortress = await start({ ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
    const settings = new SettingsPage(page);
    await page.goto(`${fortress.url}/admin/settings`);
    await new LoginPage(page).send(ADMIN.name, ADMIN.password);
    await settings.tryRedis();
    await expect(page.getByText("No Redis is named here.")).toBeVisible();
    await settings.send({ "Or one Redis address": NOWHERE.replace("http", "redis"), "Stall time-out (seconds)": "never" });
    await expect(settings.field("Stall time-out (seconds)")).toHaveAttribute("aria-invalid", "true");
    await expect(settings.field("Stall time-out (seconds)")).toHaveValue("never");
    await expect(settings.saved).toHaveCount(0);
    await settings.save({ "Stall time-out (seconds)": "99" });
    await settings.tryRedis();
    await expect(page.getByRole("status").filter({ hasText: /refused/i })).toBeVisible();
    await expect(settings.saved, "the notice is shown once").toHaveCount(0);
    await page.reload();
    await expect(page.getByRole("status").filter({ hasText: /refused/i })).toHaveCount(0);
  });
});
