// What an open page does when the world around it changed: in another tab, by a restart, by a forged link.

import { ADMIN, NOBODY, expect, test } from "../fixtures.ts";
import { answered } from "../pages/answered.ts";
import { alive, App } from "../pages/app.ts";
import { BackendsPage } from "../pages/backends.ts";
import { LoginPage } from "../pages/login.ts";
import { SetupPage } from "../pages/setup.ts";
import { UserPage, UsersPage } from "../pages/users.ts";

const WORDS = "Your session is broken. Call 555-0100.";
const FORGED = Buffer.from(JSON.stringify({ kind: "forbidden", message: WORDS })).toString("base64url");

for (const javaScriptEnabled of [true, false]) {
  test.describe(`${javaScriptEnabled ? "with" : "without"} JavaScript`, () => {
    test.use({ javaScriptEnabled });

    test.describe("without a session", () => {
      test.use({ storageState: NOBODY });

      test("a link cannot put words into the sign-in page", async ({ page }) => {
        for (const path of ["/admin/fn/session/login", "%2Fadmin%2Ffn%2Fsession%2Flogin"]) {
          await page.goto(`/admin/login?next=/admin/users&__path=${path}&__err=${FORGED}`);
          await alive(page);
          await new LoginPage(page).expectShown();
          await expect(page.getByRole("alert")).toHaveCount(0);
          expect(await page.content()).not.toContain("555-0100");
          expect(page.url()).not.toContain("__err");
        }
        await new LoginPage(page).send(ADMIN.name, ADMIN.password);
        await new App(page).expectPage("Users");
      });

      test("a second tab of the set-up is told that it went on elsewhere, and goes on there", async ({ page, context, start, fake, problems }) => {
        problems.allow(/status of 409/);
        const fortress = await start({ OLLAMA_SERVERS: fake.url });
        const setup = new SetupPage(page);
        await setup.open(await fortress.setupLink());
        const tab = await context.newPage();
        const second = new SetupPage(tab);
        await tab.goto(`${fortress.url}/admin/setup`);
        await alive(tab);
        await setup.createAdmin("a long enough password");

        const notice = tab.getByRole("alert").filter({ hasText: "The set-up went on in another window or tab" });
        // The notice of one step may be there still at the next: it is looked for where the next one was refused.
        const refused = javaScriptEnabled ? 409 : 200;
        await second.type("Password", "another long password");
        expect((await second.click("Continue")).status()).toBe(refused);
        await expect(tab.getByRole("heading", { name: "Your first backend" })).toBeVisible();
        await expect(notice).toBeVisible();
        await setup.takeOffer(fake.url);
        expect((await second.clickOffer(fake.url)).status()).toBe(refused);
        await second.expectKeyStep();
        await expect(notice).toBeVisible();
        await setup.createKey();
        expect((await second.click("Create key")).status()).toBe(refused);
        await expect(notice).toBeVisible();
        await expect(tab.getByRole("link", { name: "Go to the dashboard" })).toBeVisible();
      });
    });

    test("what was removed elsewhere is said, and its buttons go", async ({ page, fortress, startFake, problems }) => {
      problems.allow(/status of 40[49]/);
      const tag = javaScriptEnabled ? "js" : "plain";
      const users = new UsersPage(page);
      const user = new UserPage(page);
      await fortress.run("user", "add", `gone ${tag}`);
      await fortress.run("user", "add", `open ${tag}`);
      const revoked = await fortress.createKey(`open ${tag}`, "revoked elsewhere");
      await page.goto("/admin/users");
      await alive(page);
      const behind = page.getByRole("alert").filter({ hasText: "changed or removed elsewhere" });

      await fortress.run("user", "remove", `gone ${tag}`);
      await users.press(`gone ${tag}`, "Disable");
      await expect(behind).toContainText("User not found.");
      await expect(users.row(`gone ${tag}`)).toHaveCount(0);

      await users.openUser(`open ${tag}`);
      await fortress.run("key", "revoke", revoked.slice(0, 15));
      await user.press("revoked elsewhere", "Disable");
      await expect(behind).toContainText("revoked");
      await expect(user.key("revoked elsewhere")).toContainText("Revoked");
      await expect(user.key("revoked elsewhere").getByRole("button")).toHaveCount(0);

      await fortress.run("user", "remove", `open ${tag}`);
      await user.send("too late");
      await expect(page.getByRole("alert")).toHaveText("User not found.");
      await expect(page.getByRole("button", { name: /Create key|Disable|Enable/ })).toHaveCount(0);
      await page.getByRole("link", { name: "Back to all users" }).click();
      await new App(page).expectPage("Users");

      const fake = await startFake();
      await fortress.run("backend", "add", "--name", `lost ${tag}`, "--url", fake.url);
      await page.goto("/admin/backends");
      await alive(page);
      await fortress.run("backend", "remove", `lost ${tag}`);
      await new BackendsPage(page).press(`lost ${tag}`, "Test now");
      await expect(behind).toContainText("Backend not found.");
      await expect(new BackendsPage(page).row(`lost ${tag}`)).toHaveCount(0);
    });
  });
}

test.describe("a restart", () => {
  test.use({ storageState: NOBODY });

  test("leaves open pages with a way to try again, and the session lives on", async ({ page, start, problems }) => {
    problems.allow(/ERR_CONNECTION_REFUSED|Failed to load resource|ERR_/);
    const fortress = await start({ ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
    await page.goto(`${fortress.url}/admin/users`);
    await new LoginPage(page).send(ADMIN.name, ADMIN.password);
    const app = new App(page);
    await app.expectPage("Users");
    await alive(page);
    await app.mark();
    const port = new URL(fortress.url).port;
    await fortress.halt();

    const users = new UsersPage(page);
    await users.form.getByLabel("Name", { exact: true }).fill("after the restart");
    await users.form.getByRole("button", { name: "Add user" }).click();
    const failed = users.form.getByRole("alert");
    await expect(failed).toContainText("The gateway does not answer");
    await expect(users.form.getByLabel("Name", { exact: true })).toHaveValue("after the restart");
    await fortress.boot(port);
    await failed.getByRole("button", { name: "Try again" }).click();
    await expect(users.row("after the restart")).toBeVisible();
    await expect(failed).toHaveCount(0);

    for (const name of ["Backends", "Users", "Settings", "Help & Credits", "Dashboard"]) {
      await fortress.halt();
      await page.getByRole("navigation", { name: "Pages", exact: true }).getByRole("link", { name, exact: true }).click();
      await expect(page.getByRole("alert"), name).toContainText("The gateway does not answer");
      await fortress.boot(port);
      await page.getByRole("button", { name: "Try again" }).click();
      await expect(page.getByRole("alert"), name).toHaveCount(0);
      await app.expectPage(name);
      await expect(page.getByRole("main")).toContainText(/Add a|Save settings|Examples|In flight/);
    }
    await app.expectSameDocument();
  });
});
