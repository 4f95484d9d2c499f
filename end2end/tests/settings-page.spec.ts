// The Settings page as a page: groups with their contents, the search, resets of single settings, and what is typed, which
// nothing takes away. With scripts and without.

import type { Page } from "@playwright/test";
import { ADMIN, NOBODY, expect, test } from "../fixtures.ts";
import { answered } from "../pages/answered.ts";
import { alive, App } from "../pages/app.ts";
import { LoginPage } from "../pages/login.ts";
import { SettingsPage } from "../pages/settings.ts";

test.use({ storageState: NOBODY });

const ENVIRONMENT = { ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password, MAX_BODY_MB: "10" };

async function open(page: Page, url: string, address = "/admin/settings") {
  await page.goto(`${url}${address}`);
  if (page.url().includes("/admin/login")) await new LoginPage(page).send(ADMIN.name, ADMIN.password);
  await new App(page).expectPage("Settings");
  await alive(page);
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? "with JavaScript" : "without JavaScript", () => {
    test.use({ javaScriptEnabled });

    test("a saved setting says what a reset brings back, and one of the environment that there is none", async ({ page, start }) => {
      const fortress = await start(ENVIRONMENT);
      const settings = new SettingsPage(page);
      await open(page, fortress.url);
      const [stall, body] = ["Stall time-out (seconds)", "Largest request body (MB)"];
      await expect(settings.field(stall)).toHaveAccessibleDescription(/This is the default/);
      await expect(settings.field(body)).toHaveAccessibleDescription(/Set by the environment, so there is nothing to reset here; the default is 64/);
      await expect(page.getByRole("button", { name: /^Reset / })).toHaveCount(0);
      await settings.save({ [stall]: "99", [body]: "20" });
      await expect(settings.field(stall)).toHaveAccessibleDescription(/Saved here; the default is 300/);
      await expect(settings.field(body)).toHaveAccessibleDescription(/overrides the environment, which says 10/);
      await settings.reset(body);
      await expect(settings.field(body)).toHaveValue("10");
      await expect(settings.field(stall), "the others stay").toHaveValue("99");
      await settings.reset(stall);
      await expect(settings.field(stall)).toHaveValue("300");
      await page.goto(`${fortress.url}/admin/audit`);
      await expect(page.getByText("setting reset").first()).toBeVisible();
    });

    test("the search narrows the settings, and what is not shown is saved all the same", async ({ page, start }) => {
      const fortress = await start(ENVIRONMENT);
      const settings = new SettingsPage(page);
      await open(page, fortress.url);
      await settings.field("Stall time-out (seconds)").fill("98");
      if (javaScriptEnabled) {
        await settings.search.fill("wait longest");
      } else {
        await open(page, fortress.url, "/admin/settings?q=wait+longest");
        await expect(settings.search).toHaveValue("wait longest");
      }
      await expect(settings.field("Longest wait (seconds)")).toBeVisible();
      await expect(settings.field("First byte time-out (seconds)")).toBeVisible();
      await expect(settings.field("Requests")).toBeHidden();
      await expect(page.getByRole("group", { name: "Redis", exact: true })).toBeHidden();
      await expect(page.getByRole("status").filter({ hasText: /^\d of 30 settings$/ })).toBeVisible();
      await settings.save({ "Longest wait (seconds)": "31" });
      await open(page, fortress.url);
      await expect(settings.field("Longest wait (seconds)")).toHaveValue("31");
      await expect(settings.field("Stall time-out (seconds)")).toHaveValue(javaScriptEnabled ? "98" : "300");
      await open(page, fortress.url, "/admin/settings?q=teapot");
      await expect(page.getByText("No setting is called so")).toBeVisible();
      await page.getByRole("link", { name: "Show all settings" }).click();
      await expect(settings.field("Requests")).toBeVisible();
    });

    test("a fault is found from the top of the page, wherever its field is and whatever is searched for", async ({ page, start, problems }) => {
      problems.allow(/Failed to load resource/);
      const fortress = await start(ENVIRONMENT);
      const settings = new SettingsPage(page);
      await open(page, fortress.url);
      await settings.send({ "Days that sums are kept": "2" });
      const field = settings.field("Days that sums are kept");
      await expect(field).toHaveAttribute("aria-invalid", "true");
      await expect(field).toHaveAccessibleDescription(/from 30 to/);
      if (javaScriptEnabled) {
        await expect(field).toBeFocused();
        await settings.search.fill("redis");
        await expect(field, "it stays until it is mended").toBeVisible();
      }
      const fault = page.getByRole("alert").filter({ hasText: "Nothing was saved" });
      await fault.getByRole("link", { name: "Days that sums are kept" }).click();
      await expect(field).toBeInViewport();
      await settings.save({ "Days that sums are kept": "31" });
      await expect(fault).toHaveCount(0);
    });
  });
}

test("nothing that was typed goes when the page reads again, and what was saved is said of the last save only", async ({ page, start, problems, browser }) => {
  problems.allow(/Failed to load resource/);
  const fortress = await start(ENVIRONMENT);
  const settings = new SettingsPage(page);
  await open(page, fortress.url);
  // A save is held back while somebody goes on typing.
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.route("**/admin/fn/settings/save", async (route) => {
    await held;
    await route.continue();
  });
  await settings.field("Stall time-out (seconds)").fill("97");
  const reading = page.waitForResponse(/settings\/get/);
  await page.getByRole("button", { name: "Save settings" }).click();
  await settings.field("Public URL").fill("https://typed.example");
  await settings.field("Who may list models").selectOption("No key");
  await settings.field("Redis over TLS").check();
  release();
  await reading;
  await expect(settings.saved).toBeVisible();
  await expect(settings.field("Stall time-out (seconds)")).toHaveAccessibleDescription(/Saved here/);
  const kept = async () => {
    await expect(settings.field("Public URL")).toHaveValue("https://typed.example");
    await expect(settings.field("Who may list models").locator("option:checked")).toHaveText("No key");
    await expect(settings.field("Redis over TLS")).toBeChecked();
  };
  await kept();
  await settings.field("Redis over TLS").uncheck();

  // Nor does it with a reset of something else, whose own field forgets what was typed.
  await settings.field("Stall time-out (seconds)").fill("5");
  await settings.field("Redis over TLS").check();
  await settings.reset("Stall time-out (seconds)");
  await expect(settings.field("Stall time-out (seconds)")).toHaveValue("300");
  await kept();
  await settings.field("Redis over TLS").uncheck();

  // Somebody else saves meanwhile: their value shows where nothing was typed, and saving again saves both.
  await page.unroute("**/admin/fn/settings/save");
  const context = await browser.newContext({ storageState: NOBODY });
  const other = await context.newPage();
  await open(other, fortress.url);
  await new SettingsPage(other).save({ "Longest wait (seconds)": "77" });
  await context.close();
  await settings.field("Public URL").fill("");
  await settings.field("Requests that may wait").fill("12");
  const again = page.waitForResponse(/settings\/get/);
  await answered(page, () => page.getByRole("button", { name: "Save settings" }).click());
  await again;
  await expect(page.getByRole("alert").filter({ hasText: "changed in the meantime" })).toBeVisible();
  await expect(settings.saved, "nothing was saved now").toHaveCount(0);
  await expect(settings.field("Longest wait (seconds)")).toHaveValue("77");
  await expect(settings.field("Requests that may wait")).toHaveValue("12");
  await settings.save();
  await page.reload();
  await expect(settings.field("Longest wait (seconds)")).toHaveValue("77");
  await expect(settings.field("Requests that may wait")).toHaveValue("12");
  await expect(settings.field("Who may list models").locator("option:checked")).toHaveText("No key");
});

test("what was typed on the Network page stays over another's save", async ({ page, start, problems, browser }) => {
  problems.allow(/Failed to load resource/);
  const fortress = await start(ENVIRONMENT);
  const at = async (page: Page) => {
    await page.goto(`${fortress.url}/admin/network`);
    if (page.url().includes("/admin/login")) await new LoginPage(page).send(ADMIN.name, ADMIN.password);
    await new App(page).expectPage("Network");
    await alive(page);
  };
  const save = (page: Page) => answered(page, () => page.getByRole("button", { name: "Save network settings" }).click());
  await at(page);
  await page.getByLabel("Denied for the API", { exact: true }).fill("192.0.2.7");
  const context = await browser.newContext({ storageState: NOBODY });
  const other = await context.newPage();
  await at(other);
  await other.getByLabel("Allowed for the API", { exact: true }).fill("127.0.0.0/8");
  await save(other);
  await context.close();
  await save(page);
  await expect(page.getByRole("alert").filter({ hasText: "changed in the meantime" })).toBeVisible();
  await expect(page.getByLabel("Allowed for the API", { exact: true })).toHaveValue("127.0.0.0/8");
  await expect(page.getByLabel("Denied for the API", { exact: true })).toHaveValue("192.0.2.7");
  await save(page);
  await expect(page.getByRole("status").filter({ hasText: "Network settings saved" })).toBeVisible();
  await page.reload();
  await expect(page.getByLabel("Allowed for the API", { exact: true })).toHaveValue("127.0.0.0/8");
  await expect(page.getByLabel("Denied for the API", { exact: true })).toHaveValue("192.0.2.7");
});

test("the contents follow what is read, and an address with a field leads to it", async ({ page, start }) => {
  const fortress = await start(ENVIRONMENT);
  const settings = new SettingsPage(page);
  await open(page, fortress.url);
  const contents = page.getByRole("navigation", { name: "On this page" });
  await expect(contents.getByRole("link", { name: "Default limit" })).toHaveAttribute("aria-current", "location");
  await contents.getByRole("link", { name: "Endpoint protection" }).click();
  await expect(page.getByRole("group", { name: "Endpoint protection", exact: true })).toBeFocused();
  await expect(contents.getByRole("link", { name: "Endpoint protection" })).toHaveAttribute("aria-current", "location");
  await expect(contents.getByRole("link", { name: "Default limit" })).not.toHaveAttribute("aria-current");
  await open(page, fortress.url, "/admin/settings#queue_seconds");
  await expect(settings.field("Longest wait (seconds)")).toBeFocused();
  await expect(settings.field("Longest wait (seconds)")).toBeInViewport();
});
