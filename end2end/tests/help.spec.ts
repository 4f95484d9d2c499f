// The Help page: its contents follow, its search finds, and every page leads to what speaks of it.

import { expect, test } from "../fixtures.ts";
import { App } from "../pages/app.ts";

test("the contents follow what is read, and the search narrows the sections", async ({ page }) => {
  await new App(page).open("/admin/help");
  const contents = page.getByRole("navigation", { name: "On this page" });
  await expect(contents.getByRole("link", { name: "How to use the gateway" })).toHaveAttribute("aria-current", "location");
  await contents.getByRole("link", { name: "Backup" }).click();
  await expect(page.locator("#backup")).toBeFocused();
  await expect(contents.getByRole("link", { name: "Backup" })).toHaveAttribute("aria-current", "location");
  const search = page.getByRole("searchbox", { name: "Search the help" });
  await search.fill("passphrase MACHINE");
  await expect(page.locator("#backup")).toBeVisible();
  await expect(page.locator("#usage")).toBeHidden();
  await expect(contents.getByRole("link", { name: "Usage" })).toBeHidden();
  await expect(page.getByRole("status").filter({ hasText: /^\d+ of \d+ sections$/ })).toBeVisible();
  await search.fill("teapot kettle");
  await expect(page.getByRole("status").filter({ hasText: "Nothing here speaks of that." })).toBeVisible();
  await search.fill("");
  await expect(page.locator("#usage")).toBeVisible();
});

test("every page leads to the section that speaks of it", async ({ page }) => {
  const app = new App(page);
  await app.open("/admin");
  await app.mark();
  for (const [name, section] of [["Requests", "requests"], ["Settings", "settings"], ["Network", "network"], ["Dashboard", "dashboard"]]) {
    await app.go(name);
    await page.getByRole("link", { name: "Help on this page" }).click();
    await app.expectPage("Help & Credits");
    await expect(page.locator(`#${section}`)).toBeFocused();
    await expect(page.locator(`#${section}`)).toBeInViewport();
  }
  await expect(page.getByRole("link", { name: "Help on this page" })).toHaveCount(0);
  await app.expectSameDocument();
});
