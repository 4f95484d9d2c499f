// Limits and permissions of keys and users: set in the page, met by callers at once, and where each stands.

import { expect, generate, test } from "../fixtures.ts";
import { App } from "../pages/app.ts";
import { UserPage, UsersPage } from "../pages/users.ts";

test.beforeEach(async ({ page, key }) => {
  void key; // The worker's gateway lists its models by now.
  await page.goto("/admin/users");
});

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? "with JavaScript" : "without JavaScript", () => {
    test.use({ javaScriptEnabled });

    test("a key's policy shows its faults beside the fields, and in force at once", async ({ page, fortress, problems }) => {
      problems.allow(/Failed to load resource/);
      if (javaScriptEnabled) await new App(page).open("/admin/users");
      const users = new UsersPage(page);
      const user = new UserPage(page);
      const name = `policies ${javaScriptEnabled}`;
      await users.add(name);
      await users.openUser(name);
      await user.send("laptop");
      const key = (await page.getByTestId("new-key").textContent())!;
      const card = user.key("laptop");

      await user.setPolicy("laptop", { "Requests at once": "0", "Allowed networks": "10.0.0.300", "Tokens a day": "1" });
      await expect(card.getByLabel("Requests at once", { exact: true })).toHaveAccessibleDescription(/whole number from 1/);
      await expect(card.getByLabel("Allowed networks", { exact: true })).toHaveAttribute("aria-invalid", "true");
      await expect(card.getByLabel("Tokens a day", { exact: true }), "what was typed stays").toHaveValue("1");
      expect(await generate(fortress.url, key)).toBe(200);

      await card.getByLabel("Requests at once", { exact: true }).fill("4");
      await card.getByLabel("Allowed networks", { exact: true }).fill("127.0.0.0/8");
      await card.getByLabel("See which backend answers", { exact: true }).selectOption("Allowed");
      await user.press("laptop", "Save limits and permissions");
      await expect(card).toContainText("At most 4 requests at once");
      await expect(card).toContainText("Only from 127.0.0.0/8");
      await expect(card).toContainText("May see which backend answers");
      // Counted from what was used before the limit was there.
      await expect.poll(() => generate(fortress.url, key)).toBe(429);
      if (!javaScriptEnabled) await page.reload();
      await expect(card.getByLabel("Standing now")).toContainText(/Tokens today.* of 1/);
      await expect(card.getByLabel("Standing now")).not.toContainText(/Tokens today *0 of 1/);
    });
  });
}

test("what all keys of a user share, and live where they stand", async ({ page, fortress }) => {
  await new App(page).open("/admin/users");
  const users = new UsersPage(page);
  const user = new UserPage(page);
  await users.add("sharing");
  await users.openUser("sharing");
  const key = await user.create("first", "5", "60");
  const standing = user.key("first").getByLabel("Standing now");
  await expect(standing).toContainText("0 of 5");
  expect(await generate(fortress.url, key)).toBe(200);
  await expect(standing).toContainText("1 of 5");

  const form = user.policyOf(page.locator("main"));
  await form.open();
  await form.getByLabel("Allowed models", { exact: true }).fill("phi*");
  await page.getByRole("button", { name: "Save limits and permissions" }).first().click();
  await expect(page.locator("main")).toContainText("Models: phi*");
  expect(await generate(fortress.url, key)).not.toBe(200);
});
