// The audit log in a browser: found, filtered, leafed through, opened and taken away as a file.

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Page } from "@playwright/test";
import { ADMIN, NOBODY, expect, test } from "../fixtures.ts";
import { alive, App } from "../pages/app.ts";
import { AuditPage } from "../pages/audit.ts";
import { LoginPage } from "../pages/login.ts";

const FOLDER = resolve(import.meta.dirname, "../test-results/screenshots");

/** A page that is signed in to a gateway of its own. */
async function signedIn(page: Page, url: string) {
  await page.goto(`${url}/admin/login`);
  await new LoginPage(page).signIn(ADMIN.name, ADMIN.password);
}

const OWN = { ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password };

test.describe("a gateway of its own", () => {
  test.use({ storageState: NOBODY });

  test("rows are filtered, the address says how, and back leads back", async ({ page, problems, start }) => {
    // A filter that is not understood.
    problems.allow(/status of 400/);
    const fortress = await start(OWN);
    await fortress.run("user", "add", "ada");
    await fortress.run("user", "disable", "ada");
    await expect(fortress.run("user", "add", "ADA")).rejects.toThrow();
    await signedIn(page, fortress.url);
    const app = new App(page);
    const audit = new AuditPage(page);
    await alive(page);
    await app.mark();
    await app.go("Audit");
    await expect(audit.rows.first()).toContainText("Signed in");
    const table = await audit.changes("User switched", "User ada");
    await expect(table.getByRole("row", { name: "enabled" })).toHaveText(/enabled\s*yes\s*no/);

    await audit.fill("Who", "Command Line");
    await audit.field("Outcome").selectOption("Refused");
    await audit.show();
    await expect(audit.rows).toHaveCount(1);
    await expect(audit.rows).toContainText("a value was not accepted: name");
    await expect(page).toHaveURL((url) => url.searchParams.get("outcome") === "refused");
    await audit.fill("Containing", "nothing like that");
    await audit.show();
    await expect(page.getByText("Nothing in the log fits.")).toBeVisible();
    await page.goBack();
    await expect(audit.rows).toHaveCount(1);
    await expect(audit.field("Containing"), "the form says what is shown").toHaveValue("");
    await page.goBack();
    await expect(audit.field("Who")).toHaveValue("");
    await expect(audit.field("Outcome")).toHaveValue("");
    await expect(audit.row("User switched")).toHaveCount(1);
    await app.expectSameDocument();

    await audit.fill("From", "yesterday");
    await audit.show();
    await expect(audit.field("From")).toHaveAttribute("aria-invalid", "true");
    await expect(audit.filter).toContainText("Give a time as");
    await expect(audit.field("From"), "what was typed stays").toHaveValue("yesterday");
    await expect(audit.rows).toHaveCount(0);
    await audit.fill("From", "1h");
    await audit.show();
    await expect(audit.row("User switched")).toHaveCount(1);

    // The same address is the same page.
    await audit.fill("Containing", "switched");
    await audit.show();
    await expect(audit.rows).toHaveCount(1);
    await page.reload();
    await expect(audit.rows).toHaveCount(1);
    await expect(audit.field("Containing")).toHaveValue("switched");
  });

  test("older rows are on further pages, and the whole is a file", async ({ page, start }) => {
    const fortress = await start(OWN);
    for (let number = 0; number < 60; number += 1) await fortress.run("user", "add", number === 0 ? "=formula()" : `user ${number}`);
    await signedIn(page, fortress.url);
    const audit = new AuditPage(page);
    await new App(page).open("/admin/audit", fortress.url);
    await expect(audit.rows).toHaveCount(50);
    await audit.pages.getByRole("link", { name: "Older" }).click();
    await expect(audit.row("=formula()")).toHaveCount(1);
    await expect(audit.pages.getByRole("link", { name: "Older" })).toHaveCount(0);
    await audit.pages.getByRole("link", { name: "Newest" }).click();
    await expect(audit.rows).toHaveCount(50);
    await page.goBack();
    await expect(audit.row("=formula()")).toHaveCount(1);

    await audit.fill("Containing", "formula");
    await audit.show();
    await expect(audit.rows).toHaveCount(1);
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Export CSV" }).click()]);
    expect(download.suggestedFilename()).toMatch(/^audit-\d{4}-\d\d-\d\d\.csv$/);
    const csv = await readFile(await download.path(), "utf8");
    expect(csv.split("\r\n"), "the line of names and the one row that is shown").toHaveLength(3);
    expect(csv).toContain("user =formula()");
    const lines = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Export JSON lines" }).click()]);
    const row = JSON.parse(await readFile(await lines[0].path(), "utf8"));
    expect(row.actor.name).toBe("command line");
  });

  test.describe("where JavaScript does not work", () => {
    test.use({ javaScriptEnabled: false });

    test("it is read, filtered and leafed through", async ({ page, start }) => {
      const fortress = await start(OWN);
      for (let number = 0; number < 55; number += 1) await fortress.run("user", "add", `user ${number}`);
      await signedIn(page, fortress.url);
      const audit = new AuditPage(page);
      await page.goto(`${fortress.url}/admin/audit`);
      await expect(audit.rows).toHaveCount(50);
      await audit.pages.getByRole("link", { name: "Older" }).click();
      await expect(audit.row("user 0")).toHaveCount(1);
      await audit.fill("Containing", "user 54");
      await audit.show();
      await expect(audit.rows).toHaveCount(1);
      await expect(audit.field("Containing")).toHaveValue("user 54");
      const table = await audit.changes("User added", "User user 54");
      await expect(table).toContainText("enabled");
      await audit.fill("From", "tomorrow");
      await audit.show();
      await expect(audit.field("From")).toHaveAttribute("aria-invalid", "true");
      await expect(audit.field("From")).toHaveValue("tomorrow");
    });
  });
});

for (const [size, viewport] of Object.entries({ wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } })) {
  for (const colorScheme of ["light", "dark"] as const) {
    test.describe(`${size}, ${colorScheme}`, () => {
      test.use({ viewport, colorScheme, storageState: NOBODY });

      test("a picture of the page", async ({ page, start }) => {
        const fortress = await start(OWN);
        await fortress.run("user", "add", "a user with a rather long name that has to go somewhere");
        await fortress.run("key", "create", "--user", "a user with a rather long name that has to go somewhere", "--name", "laptop", "--requests", "60", "--minutes", "1");
        await expect(fortress.run("user", "remove", "nobody")).rejects.toThrow();
        for (let call = 0; call < 3; call += 1) await fetch(`${fortress.url}/admin/fn/users/add`, { method: "POST", headers: { "sec-fetch-site": "same-origin" } });
        await signedIn(page, fortress.url);
        const audit = new AuditPage(page);
        await new App(page).open("/admin/audit", fortress.url);
        await audit.changes("Key created", "Key laptop");
        await page.screenshot({ path: `${FOLDER}/audit-${size}-${colorScheme}.png`, fullPage: true });
        const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        expect(content, "it is not wider than its window").toBeLessThanOrEqual(window);
      });
    });
  }
}
