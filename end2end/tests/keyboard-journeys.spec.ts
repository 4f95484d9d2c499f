// Whole jobs without a mouse: every control is reached with the tab key, is seen to have the focus, and does its work by Enter,
// Space or typing.

import type { Locator, Page } from "@playwright/test";
import { ADMIN, MODELS, NOBODY, expect, generate, test } from "../fixtures.ts";
import { alive } from "../pages/app.ts";

test.use({ storageState: NOBODY });

/** Tab stops that a page may have before something counts as out of reach. */
const STOPS = 150;

class Keyboard {
  constructor(private page: Page) {}

  /** Presses the tab key until this has the focus, which must be seen there. */
  async reach(target: Locator) {
    const has = () => target.evaluate((element) => element === document.activeElement);
    await expect(target).toHaveCount(1);
    for (let stop = 0; !(await has()); stop += 1) {
      expect(stop, `tab stops before ${target}`).toBeLessThan(STOPS);
      await this.page.keyboard.press("Tab");
    }
    await expect(target).toBeInViewport();
    const ring = await target.evaluate((element) => {
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
      return (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none";
    });
    expect(ring, `${target} shows that it has the focus`).toBe(true);
  }

  async type(target: Locator, text: string) {
    await this.reach(target);
    await this.page.keyboard.insertText(text);
  }

  async press(target: Locator, key = "Enter") {
    await this.reach(target);
    await this.page.keyboard.press(key);
  }
}

test("sign in, add a user, give a key, use it, disable and revoke it", async ({ page, start, fake }) => {
  const fortress = await start({ OLLAMA_SERVERS: fake.url, ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
  const keys = new Keyboard(page);
  const field = (name: string) => page.getByLabel(name, { exact: true });
  const button = (name: string) => page.getByRole("button", { name, exact: true });
  await page.goto(`${fortress.url}/admin/users`);
  await alive(page);
  await keys.type(field("Name"), ADMIN.name);
  await keys.type(field("Password"), ADMIN.password);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Users" })).toBeVisible();
  await alive(page);

  await keys.type(page.getByRole("region", { name: "Add a user" }).getByLabel("Name", { exact: true }), "keys only");
  await keys.press(button("Add user"));
  const link = page.getByRole("table", { name: "Users" }).getByRole("link", { name: "keys only", exact: true });
  await keys.press(link);
  await expect(page.getByRole("heading", { level: 1, name: "keys only" })).toBeVisible();

  const form = page.getByRole("region", { name: "Create a key" });
  await keys.type(form.getByLabel("Name", { exact: true }), "mine");
  await page.keyboard.press("Enter");
  const key = (await form.getByTestId("new-key").textContent())!;
  await fortress.waitForModel(MODELS[0], key);
  expect(await generate(fortress.url, key)).toBe(200);

  const row = page.getByRole("listitem", { name: "mine", exact: true });
  await keys.press(row.getByRole("button", { name: "Disable", exact: true }), "Space");
  await expect(row).toContainText("Disabled");
  expect(await generate(fortress.url, key)).toBe(401);
  await keys.press(row.locator("summary").filter({ hasText: "Revoke" }));
  await keys.press(row.getByRole("button", { name: "Revoke key", exact: true }));
  await expect(row).toContainText("Revoked");
});

test("add a backend, drain it, and remove it", async ({ page, start, startFake }) => {
  const fortress = await start({ ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
  const fake = await startFake();
  const keys = new Keyboard(page);
  await page.goto(`${fortress.url}/admin/login?next=${encodeURIComponent("/admin/backends")}`);
  await alive(page);
  await keys.type(page.getByLabel("Name", { exact: true }), ADMIN.name);
  await keys.type(page.getByLabel("Password", { exact: true }), ADMIN.password);
  await keys.press(page.getByRole("button", { name: "Sign in", exact: true }));
  await expect(page.getByRole("heading", { level: 1, name: "Backends" })).toBeVisible();
  await alive(page);
  const form = page.getByRole("region", { name: "Add a backend" });
  await keys.type(form.getByLabel("Name", { exact: true }), "by keys");
  await keys.type(form.getByLabel("URL", { exact: true }), fake.url);
  await page.keyboard.press("Enter");
  const row = page.getByRole("listitem", { name: "by keys", exact: true });
  await keys.press(row.getByRole("button", { name: "Drain", exact: true }));
  await expect(row).toContainText("Drained");
  await keys.press(row.locator("summary").filter({ hasText: "Remove" }));
  await keys.press(row.getByRole("button", { name: "Remove backend", exact: true }));
  await expect(row).toHaveCount(0);
});

test.describe("for whoever asks for less motion", () => {
  test.use({ contextOptions: { reducedMotion: "reduce" } });

  test("nothing moves or fades", async ({ page, start, fake }) => {
    const fortress = await start({ OLLAMA_SERVERS: fake.url, ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
    await page.goto(`${fortress.url}/admin/login`);
    await alive(page);
    const moving = () =>
      page.evaluate(() => {
        const lasts = (text: string) => text.split(",").some((part) => parseFloat(part) > 0);
        const slow = [...document.querySelectorAll("*")].filter((element) =>
          [undefined, "::before", "::after"].some((part) => {
            const { transitionDuration, animationDuration, animationName } = getComputedStyle(element, part);
            return lasts(transitionDuration) || (animationName !== "none" && lasts(animationDuration));
          }),
        );
        return slow.map((element) => element.outerHTML.slice(0, 100)).slice(0, 3);
      });
    expect(await moving()).toEqual([]);
    await page.getByLabel("Name", { exact: true }).fill(ADMIN.name);
    await page.getByLabel("Password", { exact: true }).fill(ADMIN.password);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Dashboard" })).toBeVisible();
    for (const [path, heading] of [["/admin", "Dashboard"], ["/admin/backends", "Backends"], ["/admin/usage", "Usage"], ["/admin/help", "Help & Credits"]]) {
      await page.goto(fortress.url + path);
      await expect(page.getByRole("heading", { level: 1, name: heading })).toBeVisible();
      await alive(page);
      expect(await moving(), path).toEqual([]);
    }
  });
});
