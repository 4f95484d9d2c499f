// The Network page's lists and the classes of endpoints on the Settings page: faults beside their fields, and what a caller
// meets once they are saved. With scripts and without.

import type { Page } from "@playwright/test";
import { ADMIN, MODELS, NOBODY, expect, generate, test } from "../fixtures.ts";
import { answered, madeAnew } from "../pages/answered.ts";
import { alive, App } from "../pages/app.ts";
import { LoginPage } from "../pages/login.ts";
import { SettingsPage } from "../pages/settings.ts";

test.use({ storageState: NOBODY });

const ENVIRONMENT = { ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password };

async function open(page: Page, url: string, name: string, path: string) {
  await page.goto(`${url}${path}`);
  if (page.url().includes("/admin/login")) await new LoginPage(page).signIn(ADMIN.name, ADMIN.password);
  await new App(page).expectPage(name);
  await alive(page);
}

const list = (url: string, key: string) => fetch(`${url}/api/tags`, { headers: { authorization: `Bearer ${key}` } });

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? "with JavaScript" : "without JavaScript", () => {
    test.use({ javaScriptEnabled });

    test("a line that is no network is told of beside its field, and nothing is saved", async ({ page, start, problems }) => {
      problems.allow(/Failed to load resource/);
      const fortress = await start(ENVIRONMENT);
      const key = await fortress.key();
      await open(page, fortress.url, "Network", "/admin/network");
      const field = (label: string) => page.getByLabel(label, { exact: true });
      const denied = field("Denied for the API");
      await field("Allowed for the API").fill("198.51.100.0/24");
      await denied.fill("192.0.2.7\n10.0.0.300");
      await answered(page, () => page.getByRole("button", { name: "Save network settings" }).click());
      await expect(denied).toHaveAttribute("aria-invalid", "true");
      await expect(denied).toHaveAccessibleDescription(/Line 2: "10\.0\.0\.300" is no address or network/);
      await expect(denied, "what was typed stays").toHaveValue("192.0.2.7\n10.0.0.300");
      await expect(field("Allowed for the API")).not.toHaveAttribute("aria-invalid", "true");
      expect((await list(fortress.url, key)).status, "the good field is not saved either").toBe(200);
      await page.goto(`${fortress.url}/admin/network`);
      await expect(field("Allowed for the API")).toHaveValue("");
      await expect(denied).toHaveValue("");
    });

    test("who is denied meets it at once, and is let in again at once", async ({ page, start }) => {
      const fortress = await start(ENVIRONMENT);
      const key = await fortress.key();
      await open(page, fortress.url, "Network", "/admin/network");
      const denied = page.getByLabel("Denied for the API", { exact: true });
      const saved = page.getByRole("status").filter({ hasText: "Network settings saved" });
      const button = page.getByRole("button", { name: "Save network settings" });
      const save = async (text: string) => {
        await denied.fill(text);
        await madeAnew(page, page.locator("form").filter({ has: button }), () => button.click());
        await expect(denied).toHaveAccessibleDescription(text ? /Saved here/ : /^((?!Saved here).)*$/);
        await expect(saved).toBeVisible();
      };
      expect((await list(fortress.url, key)).status).toBe(200);
      await save("127.0.0.0/8");
      await expect(denied).toHaveValue("127.0.0.0/8");
      const refused = await list(fortress.url, key);
      expect([refused.status, await refused.json()]).toEqual([403, { error: "requests from 127.0.0.1 are not accepted here" }]);
      expect((await fetch(`${fortress.url}/admin/login`)).status, "these pages are another list").toBe(200);
      await save("");
      expect((await list(fortress.url, key)).status).toBe(200);
    });

    test("a class of endpoints that is switched off is out of reach of keys at once", async ({ page, start, fake }) => {
      const fortress = await start({ ...ENVIRONMENT, OLLAMA_SERVERS: fake.url });
      const key = await fortress.key();
      await fortress.waitForModel(MODELS[0], key);
      await open(page, fortress.url, "Settings", "/admin/settings");
      const settings = new SettingsPage(page);
      const save = async (label: string, choice: string) => {
        await settings.field(label).selectOption(choice);
        await settings.save();
        await expect(settings.field(label).locator("option:checked")).toHaveText(choice);
      };
      const reached = async () => [await generate(fortress.url, key), (await list(fortress.url, key)).status];
      expect(await reached()).toEqual([200, 200]);
      await save("Who may use models", "No key");
      expect(await reached()).toEqual([403, 200]);
      await save("Who may list models", "No key");
      expect(await reached()).toEqual([403, 403]);
      await save("Who may use models", "All keys");
      await save("Who may list models", "All keys");
      expect(await reached()).toEqual([200, 200]);
    });
  });
}

test("what another administrator saved meanwhile is shown, and a choice asked for, before it can be saved over", async ({ page, context, start, problems }) => {
  problems.allow(/Failed to load resource/);
  const fortress = await start(ENVIRONMENT);
  await open(page, fortress.url, "Network", "/admin/network");
  const other = await context.newPage();
  await open(other, fortress.url, "Network", "/admin/network");
  const field = (on: Page, label: string) => on.getByLabel(label, { exact: true });
  const form = (on: Page) => on.locator("form").filter({ has: on.getByRole("button", { name: "Save network settings" }) });
  const save = (on: Page) => on.getByRole("button", { name: "Save network settings" }).click();
  await field(other, "Denied for the API").fill("192.0.2.7");
  await field(other, "Allowed for the admin pages").fill("127.0.0.0/8");
  await madeAnew(other, form(other), () => save(other));

  await field(page, "Denied for the API").fill("198.51.100.9");
  await field(page, "Allowed for the admin pages").fill("127.0.0.1");
  await field(page, "Denied for the admin pages").fill("203.0.113.1");
  await madeAnew(page, form(page), () => save(page));
  const choices = page.getByRole("alert").filter({ hasText: "Somebody else changed this" });
  await expect(choices.getByRole("listitem"), "what nobody else touched is not asked about").toHaveCount(2);
  await expect(choices).toContainText("192.0.2.7");
  await expect(field(page, "Denied for the API"), "what was typed stays").toHaveValue("198.51.100.9");
  await expect(field(page, "Denied for the admin pages")).toHaveValue("203.0.113.1");

  const sent: string[] = [];
  page.on("request", (request) => void (request.method() === "POST" && sent.push(request.url())));
  await save(page);
  await expect(choices, "one is led to the choice").toBeFocused();
  await choices.getByRole("button", { name: "Take what is stored: Allowed for the admin pages" }).click();
  await expect(field(page, "Allowed for the admin pages")).toHaveValue("127.0.0.0/8");
  await expect(field(page, "Allowed for the admin pages")).toBeFocused();
  await choices.getByRole("button", { name: "Keep mine: Denied for the API" }).click();
  await expect(choices).toBeHidden();
  expect(sent.filter((url) => url.includes("/network/")), "nothing was sent without a choice").toEqual([]);
  await madeAnew(page, form(page), () => save(page));
  await other.reload();
  await expect(field(other, "Denied for the API")).toHaveValue("198.51.100.9");
  await expect(field(other, "Allowed for the admin pages")).toHaveValue("127.0.0.0/8");
  await expect(field(other, "Denied for the admin pages")).toHaveValue("203.0.113.1");
});
