// A picture of every page, wide and narrow, light and dark, for people to look at; that no page is wider than its window, and
// that axe finds nothing wrong with it.

import { copyFile } from "node:fs/promises";
import { resolve } from "node:path";
import { ADMIN, MODELS, NOBODY, expect, generate, test } from "../fixtures.ts";
import { code } from "../pages/administrators.ts";
import { alive, App } from "../pages/app.ts";
import { expectAccessible } from "../pages/axe.ts";
import { DashboardPage } from "../pages/dashboard.ts";
import { LoginPage } from "../pages/login.ts";
import { call, written } from "../pages/requests.ts";
import { SetupPage } from "../pages/setup.ts";

const FOLDER = resolve(import.meta.dirname, "../test-results/screenshots");
const SIZES = { wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } };
const PAGES = { dashboard: "/admin", backends: "/admin/backends", upgrade: "/admin/backends/upgrade", models: "/admin/models", model: "/admin/models?model=llama3.2:latest", aliases: "/admin/aliases", pulls: "/admin/pulls?model=qwen3:8b", users: "/admin/users", requests: "/admin/requests", playground: "/admin/playground", usage: "/admin/usage", settings: "/admin/settings", network: "/admin/network", audit: "/admin/audit", administrators: "/admin/administrators", account: "/admin/account", confirm: "/admin/confirm", help: "/admin/help" };

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ["light", "dark"] as const) {
    test.describe(`${size}, ${colorScheme}`, () => {
      test.use({ viewport, colorScheme });

      test("pages behind the sign-in", async ({ page, fortress, key }) => {
        for (let call = 0; call < 5; call += 1) await generate(fortress.url, key, "Why is the sky blue?");
        const id = JSON.parse(await fortress.run("user", "list", "--json"))[0].id;
        await call(fortress.url, key, "a model that nobody has, with a rather long name that has to go somewhere");
        await written(page, fortress.url);
        const [row] = (await (await page.request.get("/admin/fn/requests/list?input[outcome]=complete")).json()).page.rows;
        const backend = JSON.parse(await fortress.run("backend", "list", "--json"))[0].id;
        const request = `/admin/requests/${row.request}?at=${row.at}`;
        await fortress.run("alias", "set", "fast", MODELS[0], "phi4", "--note", "Short answers while somebody waits");
        await fortress.run("alias", "set", "default", "a-model-with-a-rather-long-name:70b-instruct-q4_K_M", "fast");
        for (const [name, path] of Object.entries({ ...PAGES, user: `/admin/users/${id}`, backend: `/admin/backends/${backend}`, history: `/admin/backends/${backend}/history`, request })) {
          await new App(page).open(path);
          if (name === "dashboard") await drawn(page);
          await shoot(page, `${name}-${size}-${colorScheme}`);
        }
        await page.keyboard.press("ControlOrMeta+k");
        await page.getByRole("combobox", { name: "Find" }).fill("re");
        await expect(page.getByRole("dialog").getByRole("option").first()).toBeVisible();
        await shoot(page, `palette-${size}-${colorScheme}`);
        if (size === "wide" && colorScheme === "light" && process.env.UPDATE_SCREENSHOTS === "1") {
          await copyFile(`${FOLDER}/dashboard-wide-light.png`, resolve(import.meta.dirname, "../../docs/dashboard.png"));
        }
      });

      test.describe("without a session", () => {
        test.use({ storageState: NOBODY });

        test("sign-in and set-up", async ({ page, start, fake }) => {
          await page.goto("/admin/login");
          await alive(page);
          await shoot(page, `login-${size}-${colorScheme}`);
          const fortress = await start({ OLLAMA_SERVERS: fake.url });
          const setup = new SetupPage(page);
          await setup.open(await fortress.setupLink());
          await alive(page);
          await shoot(page, `setup-1-${size}-${colorScheme}`);
          await setup.createAdmin("a long enough password");
          await expect(setup.offer(fake.url)).toContainText(MODELS[0]);
          await shoot(page, `setup-2-${size}-${colorScheme}`);
          await setup.takeOffer(fake.url);
          await shoot(page, `setup-3-${size}-${colorScheme}`);
          await setup.createKey();
          await expect(page.getByRole("radio", { name: "curl" })).toBeVisible();
          await shoot(page, `setup-4-${size}-${colorScheme}`);
        });

        test("the second factor", async ({ page, start }) => {
          const { url } = await start({ ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
          await page.goto(`${url}/admin/account`);
          await new LoginPage(page).signIn(ADMIN.name, ADMIN.password);
          await alive(page);
          const part = page.getByRole("region", { name: "Second factor" });
          await part.getByRole("button", { name: "Set up a second factor" }).click();
          await expect(part.getByRole("img").locator("svg")).toBeVisible();
          await shoot(page, `factor-1-${size}-${colorScheme}`);
          await part.getByLabel("Current code").fill(code((await part.getByTestId("factor-secret").textContent())!));
          await part.getByRole("button", { name: "Turn on" }).click();
          await expect(part.getByRole("list", { name: "Recovery codes" })).toBeVisible();
          await shoot(page, `factor-2-${size}-${colorScheme}`);
          await page.context().clearCookies();
          await page.goto(`${url}/admin/login`);
          await new LoginPage(page).send(ADMIN.name, ADMIN.password);
          await expect(page.getByRole("heading", { name: "Enter your code" })).toBeVisible();
          await shoot(page, `code-${size}-${colorScheme}`);
        });
      });
    });
  }
}

/** The charts hold the calls just made. */
async function drawn(page: import("@playwright/test").Page) {
  const dashboard = new DashboardPage(page);
  await dashboard.expectLive();
  await expect(dashboard.total("Requests")).not.toHaveText("0");
  await expect.poll(() => dashboard.drawn("Requests")).toBeGreaterThan(500);
}

async function shoot(page: import("@playwright/test").Page, name: string) {
  await page.screenshot({ path: `${FOLDER}/${name}.png`, fullPage: true });
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  expect.soft(content, `${name} is not wider than its window`).toBeLessThanOrEqual(window);
  await expectAccessible(page, name);
}
