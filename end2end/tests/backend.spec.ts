// One backend by itself: how it is, what it did, its models, and what can be done to it there.

import { MODELS, expect, generate, test } from "../fixtures.ts";
import { App } from "../pages/app.ts";
import { answered } from "../pages/answered.ts";
import { BackendsPage } from "../pages/backends.ts";
import { ModelsPage } from "../pages/models.ts";
import { written } from "../pages/requests.ts";

for (const [size, viewport] of Object.entries({ desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } })) {
  test.describe(`on a ${size}`, () => {
    test.use({ viewport });

    test("a backend shows how it is, what it did and what it has", async ({ page, fortress, key }) => {
      expect(await generate(fortress.url, key)).toBe(200);
      await new App(page).open("/admin/backends");
      await written(page, fortress.url);
      const card = page.getByRole("main").getByRole("listitem").filter({ hasText: "Version" }).first();
      const name = (await card.getAttribute("aria-label"))!;
      await card.getByRole("link", { name, exact: true }).click();
      await new App(page).expectPage(name);
      const state = page.getByRole("region", { name: "State" });
      await expect(state).toContainText("Up");
      await expect(state).toContainText("closed: requests go there");
      await expect(state.getByText("2 models")).toBeVisible();
      await expect(page.getByRole("main")).toContainText(/Last 24 hours: [1-9]\d* requests?, \d+ errors?, half answered within/);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
      await page.getByRole("link", { name: "History", exact: true }).click();
      await new App(page).expectPage(`History of ${name}`);
      for (const title of ["Requests by model", "Errors", "Latency (ms)", "Time to the first byte (ms)"]) {
        const figure = page.getByRole("figure", { name: title });
        await figure.getByText("Numbers", { exact: true }).click();
        await expect(figure.getByRole("table")).toBeVisible();
      }
      await expect(page.getByRole("figure", { name: "Requests by model" }).getByRole("table")).toContainText(MODELS[0]);
      const week = page.getByRole("navigation", { name: "Range" }).getByRole("link", { name: "7 days" });
      await week.click();
      await expect(page).toHaveURL(/range=7d/);
      await expect(week).toHaveAttribute("aria-current", "true");
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);

      await page.getByRole("main").getByRole("link", { name: "Requests", exact: true }).click();
      await new App(page).expectPage("Requests");
      await expect(page).toHaveURL(/backend=/);
    });
  });
}

test("its models are searched, loaded and let go of, and lead to what else can be done", async ({ page, startFake, fortress }) => {
  const fake = await startFake("--models", "own-a:1b,own-b:1b");
  await fortress.run("backend", "add", "--name", "models box", "--url", fake.url);
  await new App(page).open("/admin/backends");
  await new BackendsPage(page).row("models box").getByRole("link", { name: "models box" }).click();
  const models = new ModelsPage(page);
  const list = page.getByRole("list", { name: "Its models" });
  await expect(list.locator(":scope > li")).toHaveCount(2);
  await models.press("Load", "own-b:1b", "models box");
  await expect(models.outcomes).toHaveText(/models box: Loaded/);
  await expect(list.locator(":scope > li").first(), "what is in memory comes first").toContainText("own-b:1b");
  await expect(list.locator(":scope > li").first()).toContainText("warm:");
  await models.press("Unload", "own-b:1b", "models box");
  await expect(list).not.toContainText("warm:");
  await list.getByRole("link", { name: "Copy, delete own-a:1b" }).click();
  const form = await models.begin("Copy");
  await expect(form.getByLabel("models box", { exact: true })).toBeChecked();
  await fortress.run("backend", "remove", "models box");
});

test("it is drained, taken back, changed and removed on its own page, and one that is gone says so", async ({ page, startFake, fortress, problems }) => {
  problems.allow(/status of 404/);
  const fake = await startFake("--models", "own-c:1b");
  await fortress.run("backend", "add", "--name", "own page", "--url", fake.url);
  await new App(page).open("/admin/backends");
  await new BackendsPage(page).row("own page").getByRole("link", { name: "own page" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "own page" })).toBeVisible();
  const address = page.url();
  const state = page.getByRole("region", { name: "State" });
  const press = (button: string) => answered(page, () => state.getByRole("button", { name: button, exact: true }).click());
  await press("Drain");
  await expect(state).toContainText("Drained");
  await press("Take back");
  await expect(state).not.toContainText("Drained");
  await press("Test now");
  await expect(state).toContainText("answers with 1 model");
  await state.getByText("Edit", { exact: true }).click();
  await state.getByLabel("Name", { exact: true }).fill("own page 2");
  await press("Save backend");
  await expect(page.getByRole("heading", { level: 1, name: "own page 2" })).toBeVisible();
  await state.getByText("Remove", { exact: true }).click();
  await press("Remove backend");
  await expect(page.getByRole("alert")).toHaveText("Backend not found.");
  const answer = await page.goto(address);
  expect(answer?.status()).toBe(404);
  await page.getByRole("link", { name: "All backends" }).click();
  await new App(page).expectPage("Backends");
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("a backend's page works by plain forms", async ({ page, startFake, fortress }) => {
    const fake = await startFake("--models", "plain-a:1b");
    await fortress.run("backend", "add", "--name", "plain page", "--url", fake.url);
    await page.goto("/admin/backends");
    await new BackendsPage(page).row("plain page").getByRole("link", { name: "plain page" }).click();
    const models = new ModelsPage(page);
    await models.press("Keep loaded", "plain-a:1b", "plain page");
    await expect(models.outcomes).toHaveText(/plain page: Loaded to stay/);
    await answered(page, () => page.getByRole("button", { name: "Drain", exact: true }).click());
    await expect(page.getByRole("region", { name: "State" })).toContainText("Drained");
    await fortress.run("backend", "remove", "plain page");
  });
});
