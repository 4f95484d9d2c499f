// Administrators with their roles: made, changed, ended; what each role is offered; and the password that dangerous changes
// ask for, with scripts in a dialog and without them on a page.

import type { Browser, BrowserContextOptions, Page } from "@playwright/test";
import { ADMIN, type Fortress, NOBODY, expect, test } from "../fixtures.ts";
import { AdministratorsPage } from "../pages/administrators.ts";
import { App, alive } from "../pages/app.ts";
import { LoginPage } from "../pages/login.ts";
import type { Problems } from "../problems.ts";

const PHRASE = "another fine phrase";
const ENVIRONMENT = { ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password };

// Gateways of their own: administrators are nothing to share between tests.
test.use({ storageState: NOBODY });

async function signIn(page: Page, url: string, name = ADMIN.name, password = ADMIN.password, to = "/admin/administrators") {
  await page.goto(`${url}${to}`);
  await new LoginPage(page).signIn(name, password);
}

test("an owner adds, changes, disables and removes administrators", async ({ page, start, problems }) => {
  problems.allow(/Failed to load resource/);
  const { url } = await start(ENVIRONMENT);
  const admins = new AdministratorsPage(page);
  await signIn(page, url);
  await new App(page).expectPage("Administrators");
  await alive(page);
  await admins.send("grace", "short", "operator");
  await expect(admins.form.getByLabel("Password", { exact: true })).toHaveAttribute("aria-invalid", "true");
  await expect(admins.form.getByLabel("Name", { exact: true })).toHaveValue("grace");
  await admins.add("grace", PHRASE, "operator");
  const grace = admins.card("grace");
  await expect(grace).toContainText("operator");
  await expect(grace).toContainText("Last seen never");

  await admins.open("grace", "Change role");
  await grace.getByLabel("Role", { exact: true }).selectOption("viewer");
  await grace.getByRole("button", { name: "Save role" }).click();
  await expect(grace.getByText("viewer", { exact: true })).toBeVisible();

  await admins.open("grace", "Reset password");
  await grace.getByLabel("New password", { exact: true }).fill("a third fine phrase");
  await grace.getByRole("button", { name: "Set password" }).click();
  await expect(grace.getByRole("button", { name: "Set password" })).toBeHidden();

  await grace.getByRole("button", { name: "Disable", exact: true }).click();
  await expect(grace).toContainText("Disabled");
  await admins.open("grace", "Remove");
  await grace.getByRole("button", { name: "Remove administrator" }).click();
  await expect(grace).toHaveCount(0);
  await expect(admins.card(ADMIN.name)).toContainText("You");
  await expect(admins.card(ADMIN.name).getByRole("button", { name: "Disable" })).toHaveCount(0);
});

test("whoever is disabled is signed out at once", async ({ page, browser, start, problems }) => {
  problems.allow(/Failed to load resource/, /EventSource|401/);
  const { url } = await start(ENVIRONMENT);
  const admins = new AdministratorsPage(page);
  await signIn(page, url);
  await alive(page);
  await admins.add("grace", PHRASE, "viewer");
  const context = await problems.newContext(browser, { locale: "en-GB" });
  const other = await context.newPage();
  await signIn(other, url, "grace", PHRASE, "/admin/users");
  await expect(other.getByRole("note")).toContainText("Your role is viewer");
  await expect(other.getByRole("region", { name: "Add a user" })).toHaveCount(0);
  await page.reload();
  await alive(page);
  await admins.card("grace").getByText("1 open session").click();
  await expect(admins.card("grace")).toContainText("Chrome on Linux");
  await admins.card("grace").getByRole("button", { name: "Disable", exact: true }).click();
  await expect(admins.card("grace")).toContainText("Disabled");
  await other.getByRole("navigation", { name: "Pages", exact: true }).getByRole("link", { name: "Backends" }).click();
  await new LoginPage(other).expectShown();
  await context.close();
});

test("what a role may not do is not offered, also after signing in without another document", async ({ page, start }) => {
  const fortress = await start(ENVIRONMENT);
  const admins = new AdministratorsPage(page);
  await signIn(page, fortress.url);
  await alive(page);
  await admins.add("grace", PHRASE, "operator");
  const app = new App(page);
  await app.mark();
  await page.getByRole("button", { name: "Sign out" }).click();
  const login = new LoginPage(page);
  await login.expectShown();
  await login.signIn("grace", PHRASE);
  await app.go("Users");
  await expect(page.getByRole("region", { name: "Add a user" })).toBeVisible();
  await app.go("Settings");
  await expect(page.getByRole("note")).toContainText("only an owner may change settings");
  await expect(page.getByLabel("Public URL")).toBeDisabled();
  await expect(page.getByRole("button", { name: "Save settings" })).toHaveCount(0);
  await app.go("Administrators");
  await expect(admins.card(ADMIN.name)).toBeVisible();
  await expect(admins.form).toHaveCount(0);
  await app.expectSameDocument();
});

test.describe("the password is asked for again", () => {
  /** A gateway that was restarted since the sign-in: it knows no password. */
  async function restarted(browser: Browser, fortress: Fortress, options: BrowserContextOptions, problems: Problems) {
    const context = await problems.newContext(browser, { locale: "en-GB", ...options });
    const page = await context.newPage();
    await signIn(page, fortress.url);
    await page.goto("about:blank");
    await fortress.halt();
    await fortress.boot();
    return { context, page };
  }

  test("in a dialog, which then goes on with what was typed", async ({ browser, start, problems }) => {
    problems.allow(/Failed to load resource/);
    const fortress = await start(ENVIRONMENT);
    const { context, page } = await restarted(browser, fortress, {}, problems);
    await page.goto(`${fortress.url}/admin/administrators`);
    await alive(page);
    const admins = new AdministratorsPage(page);
    await admins.send("grace", PHRASE, "viewer");
    const dialog = page.getByRole("dialog", { name: "Confirm it is you" });
    await expect(dialog).toBeVisible();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await expect(dialog).toBeHidden();
    await expect(admins.form.getByLabel("Name", { exact: true })).toHaveValue("grace");
    await admins.form.getByRole("button", { name: "Add administrator" }).click();
    await dialog.getByLabel("Your password", { exact: true }).fill("a wrong password");
    await dialog.getByRole("button", { name: "Go on" }).click();
    await expect(dialog).toContainText(/wrong/);
    await dialog.getByLabel("Your password", { exact: true }).fill(ADMIN.password);
    await dialog.getByRole("button", { name: "Go on" }).click();
    await expect(dialog).toBeHidden();
    await expect(admins.card("grace")).toBeVisible();
    await admins.add("ada", PHRASE, "viewer");
    await context.close();
  });

  test("on a page without scripts, which leads back to what was typed", async ({ browser, start, problems }) => {
    const fortress = await start(ENVIRONMENT);
    const { context, page } = await restarted(browser, fortress, { javaScriptEnabled: false }, problems);
    await page.goto(`${fortress.url}/admin/administrators`);
    const admins = new AdministratorsPage(page);
    await admins.send("grace", PHRASE, "operator");
    await new App(page).expectPage("Confirm it is you");
    await page.getByRole("textbox", { name: "Your password" }).fill("a wrong password");
    await page.getByRole("button", { name: "Go on" }).click();
    await expect(page.getByRole("region", { name: "Your password" })).toContainText("wrong");
    await page.getByRole("textbox", { name: "Your password" }).fill(ADMIN.password);
    await page.getByRole("button", { name: "Go on" }).click();
    await new App(page).expectPage("Administrators");
    await expect(admins.form.getByLabel("Name", { exact: true })).toHaveValue("grace");
    await expect(admins.form.getByLabel("Role", { exact: true })).toHaveValue("operator");
    await expect(admins.form.getByLabel("Password", { exact: true }), "secrets do not come back").toHaveValue("");
    await admins.add("grace", PHRASE, "operator");
    await context.close();
  });
});
