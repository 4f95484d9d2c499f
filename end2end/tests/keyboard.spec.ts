// The keyboard and screen readers get everywhere: the way past the navigation, the drawer of phones, focus.

import { expect, test } from "../fixtures.ts";
import { App } from "../pages/app.ts";

const focused = (page: import("@playwright/test").Page) => page.evaluate(() => document.activeElement?.textContent?.trim());

test("the first tab stop leads past the navigation, the next ones are the navigation", async ({ page }) => {
  await new App(page).open("/admin/users");
  await page.keyboard.press("Tab");
  const skip = page.getByRole("link", { name: "Skip to the content" });
  await expect(skip).toBeFocused();
  await expect(skip).toBeInViewport();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("button", { name: "Find anything" })).toBeFocused();
  const links = await page.getByRole("navigation", { name: "Pages", exact: true }).getByRole("link").allTextContents();
  expect(links).toEqual(expect.arrayContaining(["Dashboard", "Users", "Help & Credits"]));
  for (const name of links) {
    await page.keyboard.press("Tab");
    expect(await focused(page)).toBe(name);
  }
  await skip.focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("main")).toBeFocused();
});

test("after a navigation the heading has the focus", async ({ page }) => {
  const app = new App(page);
  await app.open();
  await expect(page.getByRole("heading", { level: 1 }), "the first page leaves it alone").not.toBeFocused();
  await app.go("Help & Credits");
  await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
});

test.describe("on phones", () => {
  test.use({ viewport: { width: 390, height: 844 } });

  test("the drawer takes the focus, closes with Escape and gives it back", async ({ page }) => {
    const app = new App(page);
    await app.open();
    const button = page.getByRole("button", { name: "Show the navigation" });
    await expect(button).toHaveAttribute("aria-expanded", "false");
    await expect(page.getByRole("navigation", { name: "Pages", exact: true })).toBeHidden();
    await button.focus();
    await page.keyboard.press("Enter");
    await expect(page.getByRole("link", { name: "Dashboard", exact: true })).toBeFocused();
    await expect(page.locator("button[aria-controls=drawer]")).toHaveAttribute("aria-expanded", "true");
    await page.keyboard.press("Escape");
    await expect(button).toBeFocused();
    await expect(button).toHaveAttribute("aria-expanded", "false");
    await expect(page.getByRole("navigation", { name: "Pages", exact: true })).toBeHidden();

    // The keyboard does not get behind an open drawer.
    await button.click();
    await expect(page.getByRole("link", { name: "Dashboard", exact: true })).toBeFocused();
    for (let stop = 0; stop < 12; stop += 1) {
      await page.keyboard.press("Tab");
      expect(await page.evaluate(() => document.activeElement?.closest(".drawer-content"))).toBeNull();
    }
    await page.getByRole("button", { name: "Close the navigation" }).click();
    await expect(button).toBeFocused();

    await button.click();
    await app.go("Users");
    await expect(page.getByRole("heading", { level: 1, name: "Users" })).toBeFocused();
    await expect(page.getByRole("navigation", { name: "Pages", exact: true })).toBeHidden();
  });

  test("the copy button covers no code, and users look like links", async ({ page, key }) => {
    void key; // A user to look at.
    const app = new App(page);
    await app.open("/admin/help");
    const block = page.locator("#calls div.relative").first();
    await expect(block.getByRole("button")).toBeVisible();
    const [code, copy] = [(await block.locator("pre").boundingBox())!, (await block.getByRole("button").boundingBox())!];
    expect(copy.y + copy.height, "the button ends above the code").toBeLessThanOrEqual(code.y);
    await app.open("/admin/users");
    const name = page.getByRole("table", { name: "Users" }).getByRole("link").first();
    await expect(name).toHaveCSS("text-decoration-line", "underline");
  });
});

test.describe("on phones without JavaScript", () => {
  test.use({ viewport: { width: 390, height: 844 }, javaScriptEnabled: false });

  test("the drawer opens, and the skip link works", async ({ page }) => {
    await page.goto("/admin");
    await page.getByTitle("Navigation", { exact: true }).click();
    await page.getByRole("link", { name: "Users", exact: true }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Users" })).toBeVisible();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(/#content$/);
  });
});
