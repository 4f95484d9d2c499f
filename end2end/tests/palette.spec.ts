// The command palette: by keys, mouse and touch, it finds pages, settings, help and what is configured, and leads there.

import type { Page } from "@playwright/test";
import { expect, test } from "../fixtures.ts";
import { alive, App } from "../pages/app.ts";
import { UsersPage } from "../pages/users.ts";

const dialog = (page: Page) => page.getByRole("dialog", { name: "Find anything" });
const input = (page: Page) => dialog(page).getByRole("combobox", { name: "Find" });
const option = (page: Page, name: string | RegExp) => dialog(page).getByRole("option", { name });

async function type(page: Page, text: string) {
  const answer = page.waitForResponse((response) => response.url().includes("/admin/fn/find") && new URL(response.url()).searchParams.get("input[text]") === text);
  await input(page).fill(text);
  await answer;
}

test("it opens by its keys, is worked by the keyboard alone, and leads to a page without another document", async ({ page }) => {
  const app = new App(page);
  const parts: string[] = [];
  page.on("request", (request) => void (/palette/.test(request.url()) && parts.push(request.url())));
  await app.open("/admin");
  await app.mark();
  expect(parts, "no page pays for it").toEqual([]);
  await page.keyboard.press("ControlOrMeta+k");
  await expect(input(page)).toBeFocused();
  expect(parts.length).toBeGreaterThan(0);
  await expect(option(page, "Dashboard")).toHaveAttribute("aria-selected", "true");
  await expect(input(page)).toHaveAttribute("aria-activedescendant", await option(page, "Dashboard").getAttribute("id") ?? "none");
  await page.keyboard.press("ArrowDown");
  await expect(option(page, "Dashboard")).toHaveAttribute("aria-selected", "false");
  await expect(option(page, "Backends")).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowUp");
  await expect(dialog(page).getByRole("option").last(), "before the first is the last").toHaveAttribute("aria-selected", "true");
  // Enter before the answer is there waits for it.
  await input(page).pressSequentially("administr");
  await page.keyboard.press("Enter");
  await app.expectPage("Administrators");
  await expect(dialog(page)).toBeHidden();
  await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
  await app.expectSameDocument();
  // Again by the same keys, which close it, too; nothing is left of before.
  await page.keyboard.press("ControlOrMeta+k");
  await expect(input(page)).toHaveValue("");
  await expect(option(page, "Dashboard")).toBeVisible();
  await page.keyboard.press("ControlOrMeta+k");
  await expect(dialog(page)).toBeHidden();
});

test("the secret of a key that is pasted gets into no address", async ({ page, key }) => {
  await new App(page).open("/admin");
  const asked: string[] = [];
  page.on("request", (request) => void asked.push(request.url()));
  await page.keyboard.press("ControlOrMeta+k");
  const answer = page.waitForResponse((response) => new URL(response.url()).searchParams.get("input[text]") === key.slice(0, 15));
  await input(page).fill(key);
  await answer;
  expect(asked.filter((url) => url.includes(key.slice(16, 40)))).toEqual([]);
});

test("the focus returns to where it was, and a button opens it for mouse and touch", async ({ page }) => {
  await new App(page).open("/admin/users");
  const field = page.getByRole("searchbox").first();
  await field.focus();
  await page.keyboard.press("ControlOrMeta+k");
  await expect(input(page)).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(dialog(page)).toBeHidden();
  await expect(field).toBeFocused();
  const button = page.getByRole("button", { name: "Find anything" });
  await button.click();
  await expect(input(page)).toBeFocused();
  await dialog(page).getByRole("button", { name: "Close" }).click();
  await expect(button).toBeFocused();
  await page.setViewportSize({ width: 390, height: 844 });
  await page.locator(".navbar").getByRole("button", { name: "Find anything" }).click();
  await type(page, "network");
  await option(page, /^Network/).first().click();
  await new App(page).expectPage("Network");
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

test("settings, help and what is configured are found, and a field gets the focus", async ({ page, key }) => {
  void key; // The worker's gateway lists its models by now.
  const app = new App(page);
  const users = new UsersPage(page);
  await app.open("/admin/users");
  await users.add("palette person");
  await page.keyboard.press("ControlOrMeta+k");
  await type(page, "palette pers");
  await option(page, /palette person.*User/).click();
  await app.expectPage("palette person");
  await page.keyboard.press("ControlOrMeta+k");
  await type(page, "longest wait");
  await page.keyboard.press("Enter");
  await app.expectPage("Settings");
  await expect(page.getByLabel("Longest wait (seconds)", { exact: true })).toBeFocused();
  // On the same page, too.
  await page.keyboard.press("ControlOrMeta+k");
  await type(page, "days that sums");
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("Days that sums are kept", { exact: true })).toBeFocused();
  await page.keyboard.press("ControlOrMeta+k");
  await type(page, "llama");
  await expect(option(page, /llama.*Model/).first()).toBeVisible();
  await type(page, "close the way");
  await page.keyboard.press("Enter");
  await app.expectPage("Help & Credits");
  await expect(page.locator("#port")).toBeFocused();
  await page.keyboard.press("ControlOrMeta+k");
  await type(page, "no such thing anywhere");
  await expect(dialog(page).getByText("Nothing has that in its name.")).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(input(page), "there is nothing to open").toBeFocused();
});

test("a gateway that does not answer is told of, and asked again", async ({ page, problems }) => {
  problems.allow(/Failed to load resource/);
  await new App(page).open("/admin");
  await page.keyboard.press("ControlOrMeta+k");
  await expect(option(page, "Dashboard")).toBeVisible();
  await page.route("**/admin/fn/find?*", (route) => route.abort());
  await input(page).fill("users");
  await expect(dialog(page).getByRole("alert")).toBeVisible();
  await page.unroute("**/admin/fn/find?*");
  await dialog(page).getByRole("button", { name: "Try again" }).click();
  await expect(option(page, /^Users/)).toBeVisible();
  await expect(dialog(page).getByRole("alert")).toHaveCount(0);
  await alive(page);
});
