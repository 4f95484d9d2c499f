// The own account: password, sessions, and a second factor from its QR code to signing in with it, with scripts and without.

import type { Page } from "@playwright/test";
import { ADMIN, NOBODY, expect, test } from "../fixtures.ts";
import { code } from "../pages/administrators.ts";
import { answered } from "../pages/answered.ts";
import { App, alive } from "../pages/app.ts";
import { LoginPage } from "../pages/login.ts";

const ENVIRONMENT = { ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password };

test.use({ storageState: NOBODY });

async function signIn(page: Page, url: string, password = ADMIN.password) {
  await page.goto(`${url}/admin/account`);
  await new LoginPage(page).signIn(ADMIN.name, password);
  await new App(page).expectPage("Your account");
}

/** Turns the second factor on; its secret and the recovery codes. */
async function turnOn(page: Page) {
  const part = page.getByRole("region", { name: "Second factor" });
  await part.getByRole("button", { name: "Set up a second factor" }).click();
  await expect(part.getByRole("img", { name: "QR code for the authenticator app" }).locator("svg")).toBeVisible();
  const secret = (await part.getByTestId("factor-secret").textContent())!;
  await part.getByLabel("Current code").fill("000000");
  await part.getByRole("button", { name: "Turn on" }).click();
  await expect(part.getByText(/is not the code of this moment/i)).toBeVisible();
  await part.getByLabel("Current code").fill(code(secret));
  await part.getByRole("button", { name: "Turn on" }).click();
  const codes = part.getByRole("list", { name: "Recovery codes" }).getByRole("listitem");
  await expect(codes).toHaveCount(8);
  const recovery = await codes.allTextContents();
  await page.goto(page.url().split("?")[0]);
  await expect(part).toContainText("8 recovery codes left");
  await expect(codes, "shown once").toHaveCount(0);
  return { secret, recovery };
}

/** Signs in by the last of these codes; the others are refused. */
async function signOutAndIn(page: Page, codes: string[]) {
  await page.getByRole("button", { name: "Sign out" }).click();
  await new LoginPage(page).expectShown();
  await new LoginPage(page).send(ADMIN.name, ADMIN.password);
  await expect(page.getByRole("heading", { name: "Enter your code" })).toBeVisible();
  for (const code of codes) {
    await page.getByLabel("Code", { exact: true }).fill(code);
    await answered(page, () => page.getByRole("button", { name: "Go on" }).click());
    if (code !== codes.at(-1)) await expect(page.getByRole("alert")).toContainText(/code is wrong or was used/);
  }
  await expect(page.getByRole("navigation", { name: "Pages", exact: true })).toBeVisible();
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? "with scripts" : "without scripts", () => {
    test.use({ javaScriptEnabled });

    test("a second factor is set up, asked for, and turned off", async ({ page, start, problems }) => {
      problems.allow(/Failed to load resource/);
      const { url } = await start(ENVIRONMENT);
      await signIn(page, url);
      await alive(page);
      const { secret, recovery } = await turnOn(page);
      await alive(page);
      const once = code(secret, 1);
      await signOutAndIn(page, ["000000", once]);
      await page.goto(`${url}/admin/account`);
      await alive(page);
      await signOutAndIn(page, [once, recovery[0]]);
      await page.goto(`${url}/admin/account`);
      await alive(page);
      const part = page.getByRole("region", { name: "Second factor" });
      await expect(part).toContainText("7 recovery codes left");
      await part.getByText("Turn off", { exact: true }).click();
      await part.getByRole("button", { name: "Turn the second factor off" }).click();
      await expect(part.getByRole("button", { name: "Set up a second factor" })).toBeVisible();
    });

    test("the password is changed, and other sessions end", async ({ page, browser, start, problems }) => {
      problems.allow(/Failed to load resource/);
      const { url } = await start(ENVIRONMENT);
      const context = await problems.newContext(browser, { locale: "en-GB", javaScriptEnabled });
      const other = await context.newPage();
      await signIn(other, url);
      await signIn(page, url);
      await alive(page);
      const sessions = page.getByRole("region", { name: "Where you are signed in" }).getByRole("listitem");
      await expect(sessions).toHaveCount(2);
      await expect(sessions.filter({ hasText: "This one" })).toHaveCount(1);
      const form = page.getByRole("region", { name: "Password", exact: true });
      await form.getByLabel("Current password", { exact: true }).fill("a wrong one");
      await form.getByLabel("New password", { exact: true }).fill("another fine phrase");
      await form.getByRole("button", { name: "Change password" }).click();
      await expect(form.getByLabel("Current password", { exact: true })).toHaveAttribute("aria-invalid", "true");
      await form.getByLabel("Current password", { exact: true }).fill(ADMIN.password);
      await form.getByLabel("New password", { exact: true }).fill("another fine phrase");
      await form.getByRole("button", { name: "Change password" }).click();
      await expect(sessions).toHaveCount(1);
      await other.goto(`${url}/admin/users`);
      await new LoginPage(other).expectShown();
      await new LoginPage(other).signIn(ADMIN.name, "another fine phrase");

      await page.reload();
      await alive(page);
      await expect(sessions).toHaveCount(2);
      await sessions.filter({ hasNotText: "This one" }).getByRole("button", { name: "End", exact: true }).click();
      await expect(sessions).toHaveCount(1);
      await other.goto(`${url}/admin/users`);
      await new LoginPage(other).expectShown();
      await context.close();
    });
  });
}
