// The models of the whole fleet: found, told apart, loaded, kept, let go of, copied and deleted on chosen backends.

import { ADMIN, NOBODY, expect, test, type Fake, type Fortress } from "../fixtures.ts";
import { alive, App } from "../pages/app.ts";
import { BackendsPage } from "../pages/backends.ts";
import { LoginPage } from "../pages/login.ts";
import { ModelsPage } from "../pages/models.ts";

test.use({ storageState: NOBODY });

type Fleet = { fortress: Fortress; fakes: Fake[] };

/** A gateway with backends gpu-1, gpu-2 … that have these models. */
async function fleet(
  start: (environment?: Record<string, string>) => Promise<Fortress>,
  startFake: (...args: string[]) => Promise<Fake>,
  lists: string[],
): Promise<Fleet> {
  const fortress = await start({ ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
  const fakes: Fake[] = [];
  for (const [at, models] of lists.entries()) {
    const fake = await startFake("--models", models);
    await fortress.run("backend", "add", "--name", `gpu-${at + 1}`, "--url", fake.url);
    fakes.push(fake);
  }
  return { fortress, fakes };
}

async function signIn(page: import("@playwright/test").Page, fortress: Fortress, path: string) {
  await page.goto(`${fortress.url}/admin/login?next=${encodeURIComponent(path)}`);
  await alive(page);
  await new LoginPage(page).signIn(ADMIN.name, ADMIN.password);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
}

test("an empty fleet says what to do", async ({ page, start, startFake }) => {
  const { fortress } = await fleet(start, startFake, []);
  await signIn(page, fortress, "/admin/models");
  await expect(page.getByRole("main")).toContainText("No backend yet. Add the address of an Ollama");
  await page.getByRole("link", { name: "Add a backend" }).click();
  await new App(page).expectPage("Backends");
});

test("models are found, sorted and told apart, with the question in the address", async ({ page, start, startFake }) => {
  const { fortress, fakes } = await fleet(start, startFake, ["llama3.2,qwen3:4b", "llama3.2,nomic-embed-text"]);
  const app = new App(page);
  const models = new ModelsPage(page);
  await signIn(page, fortress, "/admin/models");
  await expect(models.list.locator(":scope > li")).toHaveCount(3);
  await expect(models.row("llama3.2:latest")).toContainText("3.2B · Q4_K_M · llama");
  await expect(models.row("llama3.2:latest").getByRole("list", { name: "Backends" })).toHaveText(/gpu-1 cold\s*gpu-2 cold/);
  await app.mark();
  await models.filter({ name: "EMBED" });
  await expect(models.list.locator(":scope > li")).toHaveCount(1);
  await expect(page).toHaveURL(/search=EMBED/);
  await expect(models.row("nomic-embed-text:latest")).toContainText("137M");
  await page.goBack();
  await expect(models.list.locator(":scope > li")).toHaveCount(3);
  await expect(page.getByLabel("Name", { exact: true })).toHaveValue("");
  await models.filter({ backend: "gpu-1", order: "Backends, most first" });
  await expect(models.list.getByRole("link")).toHaveText(["llama3.2:latest", "qwen3:4b"]);
  await app.expectSameDocument();

  // Another digest under the same name is told, with who has which.
  await fakes[1].script({ digests: { "llama3.2:latest": "ab".repeat(32) } });
  await app.go("Backends");
  await new BackendsPage(page).test("gpu-2", "answers with 2 models");
  await page.goto(`${fortress.url}/admin/models?show=drift`);
  await expect(models.row("llama3.2:latest")).toContainText("abababababab on gpu-2");
  await expect(models.row("llama3.2:latest")).toContainText("Not the same on every backend");
  await expect(models.list.locator(":scope > li")).toHaveCount(1);
  await alive(page);
  await models.filter({ name: "nothing like it" });
  await expect(page.getByRole("main")).toContainText("No model fits.");
  await page.getByRole("link", { name: "Show all models" }).click();
  await expect(page.getByRole("main")).toContainText("1 name means different models on different backends");
});

test("a model is loaded, kept and let go of where one clicks, and a backend that fails hides no other", async ({ page, start, startFake }) => {
  const { fortress, fakes } = await fleet(start, startFake, ["llama3.2", "llama3.2"]);
  const models = new ModelsPage(page);
  await signIn(page, fortress, "/admin/models");
  await models.open("llama3.2:latest");
  await models.press("Load", "llama3.2:latest", "gpu-1");
  await expect(models.outcomes).toHaveText(/gpu-1: Loaded: \d\.\d GB in VRAM/);
  await expect(models.place("gpu-1")).toContainText("warm:");
  await expect(models.place("gpu-2")).toContainText("cold");
  await models.press("Keep loaded", "llama3.2:latest", "gpu-2");
  const sent = (await fakes[1].waitFor("keep_alive")) as unknown as { body: string };
  expect(JSON.parse(sent.body).keep_alive).toBe(-1);
  await expect(models.place("gpu-2")).toContainText("warm:");
  await models.press("Unload", "llama3.2:latest", "gpu-2");
  await expect(models.outcomes).toHaveText(/gpu-2: Unloaded/);
  await expect(models.place("gpu-2")).toContainText("cold");

  await fakes[1].script({ faults: { "/api/generate": "not_json" } });
  let form = await models.begin("Load or unload");
  await form.getByLabel("Everywhere it lies (2 backends)").check();
  await models.send(form, "Load on the chosen backends");
  await expect(models.outcomes.getByRole("listitem")).toHaveText([/gpu-1: Loaded/, /gpu-2: Failed\. Its answer is not Ollama's/]);
  await expect(page.getByRole("main")).toContainText("llama3.2:latest: done by 1 of 2");
  await page.getByRole("button", { name: "Dismiss" }).click();
  await expect(models.outcomes).toHaveCount(0);
});

test("a model is copied, and deleted once its name was typed", async ({ page, start, startFake, problems }) => {
  problems.allow(/status of 400/);
  const { fortress } = await fleet(start, startFake, ["llama3.2", "llama3.2"]);
  const models = new ModelsPage(page);
  await signIn(page, fortress, "/admin/models?model=llama3.2:latest");
  let form = await models.begin("Copy");
  await form.getByLabel("New name").fill("team/mine:1");
  await models.send(form, "Copy model");
  await expect(form, "nobody was chosen").toContainText("Choose at least one backend.");
  await expect(form.getByLabel("New name")).toHaveValue("team/mine:1");
  await form.getByLabel("gpu-2", { exact: true }).check();
  await models.send(form, "Copy model");
  await expect(models.outcomes).toHaveText(/gpu-2: Copied to team\/mine:1/);

  await new App(page).go("Models");
  await models.open("team/mine:1");
  form = await models.begin("Delete");
  await expect(form.getByLabel("gpu-2", { exact: true }), "the only one is chosen").toBeChecked();
  await form.getByLabel("Type team/mine:1 to confirm").fill("mine");
  await models.send(form, "Delete model");
  await expect(form).toContainText("Type the name of the model as it stands here: team/mine:1.");
  await form.getByLabel("Type team/mine:1 to confirm").fill("team/mine:1");
  await models.send(form, "Delete model");
  await expect(models.outcomes).toHaveText(/gpu-2: Deleted/);
  await expect(page.getByRole("main")).toContainText("No backend has this model now.");
  await new App(page).go("Audit");
  const entry = page.getByRole("list", { name: "Audit log" }).getByRole("listitem").first();
  await expect(entry).toContainText("Deletion of a model sent: model team/mine:1 on gpu-2");
});

test("whoever may only read sees the models and no button", async ({ page, start, startFake }) => {
  const { fortress } = await fleet(start, startFake, ["llama3.2"]);
  await fortress.pipe(`${ADMIN.password}\n`, "admin", "create", "reader", "--role", "viewer", "--password-stdin");
  await page.goto(`${fortress.url}/admin/login?next=/admin/models%3Fmodel%3Dllama3.2:latest`);
  await alive(page);
  await new LoginPage(page).signIn("reader", ADMIN.password);
  await expect(new ModelsPage(page).place("gpu-1")).toContainText("cold");
  await expect(page.getByRole("main")).toContainText("only an operator or owner may load, copy or delete models");
  await expect(page.getByRole("main").getByRole("button")).toHaveCount(0);
});

test("on a phone nothing is wider than the window", async ({ page, start, startFake }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  const long = `${"a-rather-long-name-".repeat(4)}x:70b-instruct-q4_k_m`;
  const { fortress } = await fleet(start, startFake, [`llama3.2,${long}`, "llama3.2"]);
  await signIn(page, fortress, "/admin/models");
  const models = new ModelsPage(page);
  const wide = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(await wide()).toBeLessThanOrEqual(0);
  await models.open(long);
  await models.press("Load", long, "gpu-1");
  await expect(models.place("gpu-1")).toContainText("warm:");
  await models.begin("Delete");
  expect(await wide()).toBeLessThanOrEqual(0);
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("models are searched, loaded and deleted by plain forms", async ({ page, start, startFake }) => {
    const { fortress } = await fleet(start, startFake, ["llama3.2,qwen3:4b", "llama3.2"]);
    const models = new ModelsPage(page);
    await page.goto(`${fortress.url}/admin/login?next=/admin/models`);
    await new LoginPage(page).signIn(ADMIN.name, ADMIN.password);
    await models.filter({ name: "llama", which: "All models" });
    await expect(models.list.locator(":scope > li")).toHaveCount(1);
    await models.open("llama3.2:latest");
    await models.press("Load", "llama3.2:latest", "gpu-1");
    await expect(models.outcomes).toHaveText(/gpu-1: Loaded/);
    await expect(models.place("gpu-1")).toContainText("warm:");
    let form = await models.begin("Delete");
    await form.getByLabel("gpu-2", { exact: true }).check();
    await form.getByLabel("Type llama3.2:latest to confirm").fill("llama");
    await models.send(form, "Delete model");
    await expect(page.getByText("Type the name of the model as it stands here: llama3.2:latest.")).toBeVisible();
    await expect(page.getByLabel("gpu-2", { exact: true }).last(), "what was ticked stays").toBeChecked();
    await page.getByLabel("Type llama3.2:latest to confirm").fill("llama3.2:latest");
    await models.send(page.getByRole("main"), "Delete model");
    await expect(models.outcomes).toHaveText(/gpu-2: Deleted/);
    await expect(models.place("gpu-2")).toHaveCount(0);
    await expect(models.place("gpu-1")).toBeVisible();
  });
});
