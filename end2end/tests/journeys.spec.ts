// Every job of the program before this one (shared limits, keys and backends of a fleet), from the dashboard on, with its clicks
// and fields counted. No job may take more than it took there. Those numbers are of its last pages: the link of the navigation,
// what its forms ask for, their buttons, and its dialogs that ask back.

import type { Page } from "@playwright/test";
import { ADMIN, MODELS, NOBODY, expect, generate, test, type Fake, type Fortress } from "../fixtures.ts";
import { answered } from "../pages/answered.ts";
import { alive, App, copy } from "../pages/app.ts";
import { BackendsPage } from "../pages/backends.ts";
import { effortOf, type Effort } from "../pages/effort.ts";
import { LoginPage } from "../pages/login.ts";
import { ModelsPage } from "../pages/models.ts";
import { UserPage, UsersPage } from "../pages/users.ts";

type World = { page: Page; app: App; fortress: Fortress; fake: Fake; scripts: boolean };
type Job = {
  name: string;
  /** What it took before; what the pages of then could not do has none. */
  before?: Effort;
  /** Only with scripts, or only where there is room for the table. */
  needs?: "scripts" | "room";
  run: (world: World) => Promise<void>;
};

const took = (clicks: number, fields: number): Effort => ({ clicks, fields });

/** One after the other: what one leaves the next one takes. */
const JOBS: Job[] = [
  {
    name: "add a backend",
    before: took(2, 2),
    run: async ({ page, app, fake }) => {
      await app.go("Backends");
      await new BackendsPage(page).add("journey", fake.url);
    },
  },
  {
    name: "look at a backend's models anew",
    before: took(2, 0),
    run: async ({ page, app }) => {
      await app.go("Backends");
      await new BackendsPage(page).test("journey", "answers with");
    },
  },
  {
    name: "rename a backend",
    before: took(3, 1),
    run: async ({ page, app }) => {
      await app.go("Backends");
      await new BackendsPage(page).edit("journey", { Name: "journey 2" });
      await expect(new BackendsPage(page).row("journey 2")).toBeVisible();
    },
  },
  {
    name: "load a model",
    before: took(4, 1),
    run: async ({ page, app }) => {
      await app.go("Models");
      await new ModelsPage(page).open("journey:1b");
      await new ModelsPage(page).press("Load", "journey:1b", "journey 2");
    },
  },
  {
    name: "delete a model",
    // The name that has to be typed is the one field more.
    before: took(4, 1),
    run: async ({ page, app }) => {
      const models = new ModelsPage(page);
      await app.go("Models");
      await models.open("journey:1b");
      const form = await models.begin("Delete");
      await form.getByLabel(/Type/).fill("journey:1b");
      await models.send(form, "Delete model");
    },
  },
  {
    name: "remove a backend",
    before: took(3, 0),
    run: async ({ page, app }) => {
      await app.go("Backends");
      await new BackendsPage(page).remove("journey 2");
    },
  },
  {
    name: "add a user",
    before: took(2, 2),
    run: async ({ page, app }) => {
      await app.go("Users");
      await new UsersPage(page).add("traveller");
    },
  },
  {
    name: "create a key and copy it",
    before: took(4, 1),
    needs: "scripts",
    run: async ({ page, app, fortress }) => {
      await app.go("Users");
      await new UsersPage(page).openUser("traveller");
      const key = await new UserPage(page).create("first");
      await copy(new UserPage(page).form.getByRole("button", { name: "Copy", exact: true }).first());
      await expect.poll(() => generate(fortress.url, key)).toBe(200);
    },
  },
  {
    name: "create a key with a limit of its own",
    before: took(3, 3),
    run: async ({ page, app }) => {
      await app.go("Users");
      await new UsersPage(page).openUser("traveller");
      await new UserPage(page).create("second", "5", "1");
    },
  },
  {
    name: "disable a key",
    before: took(3, 0),
    run: async ({ page, app }) => {
      await app.go("Users");
      await new UsersPage(page).openUser("traveller");
      await new UserPage(page).disable("second");
    },
  },
  {
    name: "revoke a key",
    before: took(4, 0),
    run: async ({ page, app }) => {
      await app.go("Users");
      await new UsersPage(page).openUser("traveller");
      await new UserPage(page).revoke("second");
    },
  },
  {
    name: "see what a user used",
    before: took(2, 0),
    needs: "room",
    run: async ({ page, app }) => {
      await app.go("Users");
      await new UsersPage(page).row("traveller").getByRole("link", { name: /see the usage of traveller/ }).click();
      await expect(page.getByRole("heading", { level: 1 })).toHaveText("Usage of user traveller");
    },
  },
  {
    name: "remove a user",
    before: took(3, 0),
    run: async ({ page, app }) => {
      await app.go("Users");
      await new UsersPage(page).remove("traveller");
    },
  },
  {
    name: "take the usage of all keys as CSV",
    before: took(2, 0),
    run: async ({ page, app }) => {
      await app.go("Usage");
      const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Export CSV" }).click()]);
      expect(file.suggestedFilename()).toMatch(/\.csv$/);
    },
  },
  {
    name: "take a chart as PNG",
    before: took(2, 0),
    needs: "scripts",
    run: async ({ page, app }) => {
      await app.go("Usage");
      const button = page.getByRole("figure", { name: "Errors" }).getByRole("button", { name: "PNG" });
      const [file] = await Promise.all([page.waitForEvent("download"), button.click()]);
      expect(file.suggestedFilename()).toBe("errors.png");
    },
  },
  {
    name: "deny an address",
    before: took(2, 1),
    run: async ({ page, app }) => {
      await app.go("Network");
      await page.getByLabel("Denied for the API", { exact: true }).fill("192.0.2.9");
      await answered(page, () => page.getByRole("button", { name: "Save network settings" }).click());
      await expect(page.getByRole("status").filter({ hasText: "Network settings saved" })).toBeVisible();
    },
  },
  {
    name: "set the limit of all keys",
    run: async ({ page, app }) => {
      await app.go("Settings");
      await page.getByLabel("Requests", { exact: true }).fill("1000");
      await page.getByLabel("Window (Minutes)", { exact: true }).fill("1");
      await answered(page, () => page.getByRole("button", { name: "Save settings" }).click());
      await expect(page.getByRole("status").filter({ hasText: "Settings saved" })).toBeVisible();
    },
  },
  {
    name: "read the help",
    before: took(1, 0),
    run: async ({ app }) => app.go("Help & Credits"),
  },
];

test.use({ storageState: NOBODY });

const MODES = {
  "on a desk": {},
  "on a phone": { viewport: { width: 390, height: 844 } },
  "without JavaScript": { javaScriptEnabled: false },
};

for (const [mode, options] of Object.entries(MODES)) {
  test.describe(mode, () => {
    test.use(options);

    test("no job takes more clicks or fields than it did before", async ({ page, start, startFake }) => {
      const fake = await startFake("--models", "journey:1b");
      const fortress = await start({ OLLAMA_SERVERS: (await startFake("--models", MODELS.join(","))).url, ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
      const scripts = mode !== "without JavaScript";
      const world = { page, app: new App(page), fortress, fake, scripts };
      await page.goto(`${fortress.url}/admin/login`);
      const signIn = await effortOf(page, () => new LoginPage(page).signIn(ADMIN.name, ADMIN.password));
      expect(signIn).toEqual(took(1, 2));
      const done: Record<string, string> = {};
      for (const { name, before, needs, run } of JOBS) {
        if ((needs === "scripts" && !scripts) || (needs === "room" && mode === "on a phone")) continue;
        await test.step(name, async () => {
          await world.app.open("/admin", fortress.url);
          const now = await effortOf(page, () => run(world));
          // The drawer of phones is one click more for every way through the navigation, as it was.
          if (mode === "on a phone") now.clicks -= 1;
          done[name] = `${now.clicks} clicks, ${now.fields} fields${before ? ` (before: ${before.clicks}, ${before.fields})` : " (not before)"}`;
          if (before) {
            expect.soft(now.clicks, `clicks to ${name}`).toBeLessThanOrEqual(before.clicks);
            expect.soft(now.fields, `fields to ${name}`).toBeLessThanOrEqual(before.fields);
          }
        });
      }
      if (mode === "on a desk") console.table(done);
    });
  });
}
