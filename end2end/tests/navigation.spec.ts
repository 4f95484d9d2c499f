// The app is a single-page app after its first page: the document is never loaded again.

import { ADMIN, NOBODY, expect, test } from "../fixtures.ts";
import { alive, App } from "../pages/app.ts";
import { LoginPage } from "../pages/login.ts";
import { UsersPage } from "../pages/users.ts";

const PAGES = ["Dashboard", "Backends", "Models", "Aliases", "Downloads", "Usage", "Users", "Requests", "Playground", "Administrators", "Network", "Audit", "Settings", "Your account", "Help & Credits"];

test("every page is reached by its link, with title and focus, in the same document", async ({ page }) => {
  const app = new App(page);
  await app.open();
  const links = page.getByRole("navigation", { name: "Pages", exact: true }).getByRole("link");
  expect(await links.allTextContents(), "none is left out").toEqual(PAGES);
  await app.mark();
  for (const name of [...PAGES.slice(1), PAGES[0]]) {
    await app.go(name);
    await expect(page.getByRole("heading", { level: 1 }), "the keyboard goes on in the new page").toBeFocused();
    await expect(page.getByRole("link", { name, exact: true, includeHidden: true }).first()).toHaveAttribute("aria-current", "page");
  }
  await app.expectSameDocument();
});

test("back and forward go through pages in the same document", async ({ page }) => {
  const app = new App(page);
  await app.open();
  await app.mark();
  await app.go("Users");
  await app.go("Settings");
  await page.goBack();
  await app.expectPage("Users");
  await page.goBack();
  await app.expectPage("Dashboard");
  await page.goForward();
  await app.expectPage("Users");
  await app.expectSameDocument();
});

test("a page inside the app can be opened by its address", async ({ page }) => {
  const app = new App(page);
  const users = new UsersPage(page);
  await app.open("/admin/users");
  await users.add("deep link");
  await users.openUser("deep link");
  const address = page.url();
  const other = await page.context().newPage();
  await other.goto(address);
  await expect(other.getByRole("heading", { level: 1, name: "deep link" })).toBeVisible();
  await alive(other);
  await new App(other).go("Users");
});

test("an unknown page says so", async ({ page, problems }) => {
  problems.allow(/status of 404/);
  const answer = await page.goto("/admin/no-such-page");
  expect(answer?.status()).toBe(404);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
});

test("an unknown user is not found, by its address and by a link", async ({ page, problems }) => {
  problems.allow(/status of 404/);
  for (const id of ["0123456789ab", "no-id"]) {
    const answer = await page.goto(`/admin/users/${id}`);
    expect(answer?.status(), id).toBe(404);
    await expect(page.getByRole("alert")).toHaveText("User not found.");
    await alive(page);
    await new App(page).go("Users");
  }
});

test("an expired session leads to the sign-in page and back", async ({ page, context, problems }) => {
  problems.allow(/status of 401/);
  const app = new App(page);
  await app.open();
  await app.mark();
  await context.clearCookies();
  await page.getByRole("link", { name: "Settings", exact: true }).click();
  const login = new LoginPage(page);
  await login.expectShown();
  await login.send(ADMIN.name, ADMIN.password);
  await app.expectPage("Settings");
});

test("a page opened without a session leads to the sign-in page and back", async ({ page, context }) => {
  await context.clearCookies();
  await page.goto("/admin/users");
  const login = new LoginPage(page);
  await login.expectShown();
  await alive(page);
  await login.send(ADMIN.name, ADMIN.password);
  await new App(page).expectPage("Users");
});

test("signing out ends the session", async ({ browser, fortress, problems }) => {
  // A session of its own: the worker's must live on.
  const context = await problems.newContext(browser, { baseURL: fortress.url, storageState: NOBODY });
  const own = await context.newPage();
  const login = new LoginPage(own);
  await login.open();
  await alive(own);
  await login.signIn(ADMIN.name, ADMIN.password);
  const cookies = await context.cookies();
  await own.getByRole("button", { name: "Sign out" }).click();
  await login.expectShown();
  await context.addCookies(cookies);
  await own.goto("/admin/users");
  await login.expectShown();
  await context.close();
});
