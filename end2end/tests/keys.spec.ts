// A key from its creation to its end, each change seen by a caller of the API at once.

import { expect, generate, test } from "../fixtures.ts";
import { alive, App } from "../pages/app.ts";
import { UserPage, UsersPage } from "../pages/users.ts";

test.beforeEach(async ({ page, key }) => {
  void key; // The worker's gateway lists its models by now.
  await new App(page).open("/admin/users");
});

test("a key is limited, changed, disabled, enabled and revoked, and callers see each at once", async ({ page, fortress }) => {
  const users = new UsersPage(page);
  const user = new UserPage(page);
  await users.add("life cycle");
  await users.openUser("life cycle");
  const key = await user.create("two a minute", "2", "1");
  await expect(user.key("two a minute")).toContainText("2 requests in 1 minute");
  const call = () => generate(fortress.url, key);

  expect([await call(), await call(), await call()]).toEqual([200, 200, 429]);
  await user.setLimit("two a minute", "100", "1");
  await expect(user.key("two a minute")).toContainText("100 requests in 1 minute");
  expect(await call()).toBe(200);

  await user.disable("two a minute");
  expect(await call()).toBe(401);
  await user.enable("two a minute");
  expect(await call()).toBe(200);

  await user.revoke("two a minute");
  expect(await call()).toBe(401);
  await expect(user.key("two a minute").getByRole("button")).toHaveCount(0);
});

test("a limit takes both numbers or neither, and the fault stands beside the field", async ({ page, problems }) => {
  problems.allow(/Failed to load resource/);
  const users = new UsersPage(page);
  const user = new UserPage(page);
  await users.add("both or neither");
  await users.openUser("both or neither");

  await user.send("half", "5", "");
  const minutes = user.form.getByLabel("Window (Minutes)", { exact: true });
  await expect(minutes).toHaveAccessibleDescription(/window in minutes too, or leave both empty/);
  await expect(minutes).toHaveAttribute("aria-invalid", "true");
  await expect(user.form.getByLabel("Requests", { exact: true }), "what was typed stays").toHaveValue("5");
  await user.send("half", "", "5");
  await expect(user.form.getByLabel("Requests", { exact: true })).toHaveAccessibleDescription(/number of requests too/);
  await user.send("half", "0", "5");
  await expect(user.form.getByLabel("Requests", { exact: true })).toHaveAccessibleDescription(/whole number from 1/);
  await expect(user.key("half")).toHaveCount(0);

  await user.create("whole");
  await expect(user.key("whole")).toContainText("Default limit");
});

test("a key is shown once", async ({ page }) => {
  const users = new UsersPage(page);
  const user = new UserPage(page);
  await users.add("shown once");
  await users.openUser("shown once");
  const key = await user.create("secret");
  await page.reload();
  await alive(page);
  await expect(user.key("secret")).toContainText(key.slice(-4));
  expect(await page.content()).not.toContain(key.slice(16));
});

test("disabling a user refuses its keys, removing it ends them", async ({ page, fortress }) => {
  const users = new UsersPage(page);
  const user = new UserPage(page);
  await users.add("whole user");
  await users.openUser("whole user");
  const key = await user.create("any");
  const app = new App(page);
  await app.go("Users");
  await users.press("whole user", "Disable");
  await expect(users.row("whole user")).toContainText("Disabled");
  expect(await generate(fortress.url, key)).toBe(401);
  await users.press("whole user", "Enable");
  await expect(users.row("whole user")).toContainText("Enabled");
  expect(await generate(fortress.url, key)).toBe(200);
  await users.remove("whole user");
  expect(await generate(fortress.url, key)).toBe(401);
});
