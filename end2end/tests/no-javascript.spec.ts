// Sign-in, set-up, users and keys work where JavaScript does not.

import { ADMIN, NOBODY, expect, generate, test } from "../fixtures.ts";
import { BackendsPage } from "../pages/backends.ts";
import { LoginPage } from "../pages/login.ts";
import { SetupPage } from "../pages/setup.ts";
import { UserPage, UsersPage } from "../pages/users.ts";

test.use({ javaScriptEnabled: false });

test.describe("without a session", () => {
  test.use({ storageState: NOBODY });

  test("signing in fails with a reason and succeeds", async ({ page }) => {
    const login = new LoginPage(page);
    await page.goto("/admin/users");
    await login.expectShown();
    await login.send(ADMIN.name, "a wrong password");
    await expect(page.getByRole("alert")).toBeVisible();
    expect(page.url(), "what was typed does not come back in the address").not.toContain("wrong");
    await login.signIn(ADMIN.name, ADMIN.password);
    await expect(page.getByRole("navigation", { name: "Pages", exact: true })).toBeVisible();
  });

  test("the whole first run works", async ({ page, start, startFake }) => {
    const fake = await startFake();
    const fortress = await start({ OLLAMA_SERVERS: fake.url });
    const setup = new SetupPage(page);
    await setup.open(await fortress.setupLink());
    await setup.type("Name", "the operator");
    await setup.type("Password", "short");
    await setup.click("Continue");
    await expect(page.getByLabel("Password", { exact: true })).toHaveAttribute("aria-invalid", "true");
    await expect(page.getByLabel("Name", { exact: true }), "what was typed stays").toHaveValue("the operator");
    expect(page.url(), "but for the secret").not.toContain("short");
    await setup.createAdmin("a long enough password");
    await setup.takeOffer(fake.url);
    const key = await setup.createKey();
    expect(await generate(fortress.url, key)).toBe(200);
  });
});

test("users are added, disabled, enabled and removed", async ({ page }) => {
  const users = new UsersPage(page);
  await page.goto("/admin/users");
  await users.add("plain user");
  await users.send("plain user");
  await expect(users.form.getByLabel("Name", { exact: true })).toHaveAttribute("aria-invalid", "true");
  await expect(users.form.getByLabel("Name", { exact: true }), "what was typed stays").toHaveValue("plain user");
  await users.press("plain user", "Disable");
  await expect(users.row("plain user")).toContainText("Disabled");
  await users.press("plain user", "Enable");
  await expect(users.row("plain user")).toContainText("Enabled");
  await users.remove("plain user");
});

test("a key is created, limited, disabled, enabled and revoked, with faults shown", async ({ page, fortress, key: other }) => {
  void other; // The worker's gateway lists its models by now.
  const users = new UsersPage(page);
  const user = new UserPage(page);
  await page.goto("/admin/users");
  await users.add("plain keys");
  await users.openUser("plain keys");
  await user.send("half", "5", "");
  await expect(page.getByText(/window in minutes too, or leave both empty/i)).toBeVisible();
  for (const [label, typed] of Object.entries({ Name: "half", Requests: "5", "Window (Minutes)": "" })) {
    await expect(user.form.getByLabel(label, { exact: true }), "what was typed stays").toHaveValue(typed);
  }
  await user.send("half", "6", "");
  await expect(user.form.getByLabel("Requests", { exact: true }), "of the last form that was sent").toHaveValue("6");

  await user.send("plain", "1", "10");
  const key = (await page.getByTestId("new-key").textContent())!;
  expect([await generate(fortress.url, key), await generate(fortress.url, key)]).toEqual([200, 429]);
  await user.setLimit("plain", "", "");
  await expect(user.key("plain")).toContainText("Default limit");
  expect(await generate(fortress.url, key)).toBe(200);
  await user.disable("plain");
  expect(await generate(fortress.url, key)).toBe(401);
  await user.enable("plain");
  await user.revoke("plain");
  expect(await generate(fortress.url, key)).toBe(401);
});

test("a backend is added, changed, loses its token and is removed", async ({ page, startFake }) => {
  const fake = await startFake("--token", "backend-secret");
  const backends = new BackendsPage(page);
  await page.goto("/admin/backends");
  const row = await backends.add("plain box", fake.url, "backend-secret");
  await expect(row).toContainText("2 models");
  await backends.edit("plain box", { Name: "plain box 2" });
  await expect(backends.row("plain box 2")).toContainText("A token is stored");
  await backends.forgetToken("plain box 2");
  await backends.remove("plain box 2");
});
