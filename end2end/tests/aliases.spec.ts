// Aliases: added, changed and removed, what they lead to at this moment, and requests that follow at once.

import { MODELS, expect, test } from "../fixtures.ts";
import { AliasesPage, AutoSection } from "../pages/aliases.ts";
import { App } from "../pages/app.ts";

/** Asks for a model, which may be one that only embeds; the status, and the model that answered where it is another. */
async function ask(url: string, key: string, model: string) {
  const answer = await fetch(`${url}/api/show`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model }),
  });
  await answer.text();
  return [answer.status, answer.headers.get("x-fortress-model")];
}

test("an alias is added, followed by requests, changed and removed", async ({ page, fortress, key }) => {
  await new App(page).open("/admin/aliases");
  const aliases = new AliasesPage(page);
  await aliases.add("Quick", ["nobody-has-it", MODELS[0]], "for short answers");
  await expect(aliases.row("quick")).toContainText("for short answers");
  await expect(aliases.model("quick", 1)).toContainText("Missing");
  await expect(aliases.model("quick", 1)).toContainText("No backend has it.");
  await expect(aliases.model("quick", 2)).toContainText("In use");
  await expect(aliases.form.getByLabel("Name", { exact: true }), "ready for the next one").toHaveValue("");
  expect(await ask(fortress.url, key, "quick")).toEqual([200, MODELS[0]]);

  await aliases.openEdit("quick");
  await aliases.type("quick", [MODELS[1], MODELS[0]]);
  await aliases.save("quick");
  await expect(aliases.model("quick", 1)).toContainText(MODELS[1]);
  await expect(aliases.model("quick", 2)).toContainText("Standby");
  expect(await ask(fortress.url, key, "QUICK:latest")).toEqual([200, MODELS[1]]);
  expect(await fortress.run("alias", "list")).toMatch(new RegExp(`quick +${MODELS[1]}, ${MODELS[0]} +${MODELS[1]} on `));

  await aliases.remove("quick");
  expect(await ask(fortress.url, key, "quick")).toEqual([404, null]);
});

test("what cannot be is said beside its field, a circle with its way, and what was typed stays", async ({ page, fortress, problems }) => {
  problems.allow(/status of 400/);
  await fortress.run("alias", "set", "round-1", "round-2");
  await new App(page).open("/admin/aliases");
  const aliases = new AliasesPage(page);
  await aliases.send("round-2", ["x", "round-1"]);
  const models = aliases.form.getByLabel("Models", { exact: true });
  await expect(models).toHaveAttribute("aria-invalid", "true");
  await expect(models).toHaveValue("x\nround-1");
  await expect(aliases.form).toContainText("Goes round in a circle: round-2, then round-1, then round-2.");
  await aliases.send("two words", ["x"]);
  await expect(aliases.form.getByLabel("Name", { exact: true })).toHaveAttribute("aria-invalid", "true");
  await aliases.remove("round-1");
});

test("whoever comes second is told, sees what it is now, and can save what was typed", async ({ page, fortress, problems }) => {
  problems.allow(/status of 409/);
  await fortress.run("alias", "set", "shared", "first");
  await new App(page).open("/admin/aliases");
  const aliases = new AliasesPage(page);
  await aliases.openEdit("shared");
  await aliases.type("shared", ["mine"]);
  await fortress.run("alias", "set", "shared", "theirs");
  await aliases.save("shared");
  await expect(aliases.row("shared").getByRole("alert")).toContainText("Somebody else changed the alias shared meanwhile");
  await expect(aliases.model("shared", 1)).toContainText("theirs");
  await aliases.save("shared");
  await expect(aliases.model("shared", 1)).toContainText("mine");
  await aliases.remove("shared");
});

test("an alias that hides a model says so, and one that nothing can answer too", async ({ page, fortress, key }) => {
  void key; // The worker's gateway lists its models by now.
  const [model] = MODELS;
  await fortress.run("alias", "set", model, MODELS[1]);
  await fortress.run("alias", "set", "dead", "nobody-has-it");
  await new App(page).open("/admin/aliases");
  const aliases = new AliasesPage(page);
  await expect(page.getByText("None of its models can be used now")).toHaveCount(1);
  await expect(aliases.row("dead")).toContainText("None of its models can be used now");
  await expect(page.getByText("Backends have a model")).toHaveCount(1);
  for (const name of (await fortress.run("alias", "list", "--json").then(JSON.parse)).map((row: { name: string }) => row.name)) {
    await aliases.remove(name);
  }
  await expect(page.getByText("No alias yet.")).toBeVisible();
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("aliases are added, changed and removed, with faults shown", async ({ page, fortress, key }) => {
    void key; // The worker's gateway lists its models by now.
    const aliases = new AliasesPage(page);
    await page.goto("/admin/aliases");
    await aliases.add("plain", [MODELS[0]]);
    await expect(aliases.model("plain", 1)).toContainText("In use");
    await aliases.send("plain", ["x y"]);
    await expect(aliases.form.getByLabel("Name", { exact: true })).toHaveAttribute("aria-invalid", "true");
    await expect(aliases.form.getByLabel("Models", { exact: true }), "what was typed stays").toHaveValue("x y");
    await page.goto("/admin/aliases");
    await aliases.openEdit("plain");
    await aliases.type("plain", ["mine"]);
    await fortress.run("alias", "set", "plain", "theirs");
    await aliases.save("plain");
    await expect(page.getByRole("alert")).toContainText("Somebody else changed the alias plain meanwhile");
    await expect(aliases.model("plain", 1)).toContainText("theirs");
    await expect(aliases.row("plain").getByLabel("Models", { exact: true }), "what was typed stays").toHaveValue("mine");
    await aliases.save("plain");
    await expect(aliases.model("plain", 1)).toContainText("mine");
    await aliases.remove("plain");
  });
});

/** What a request for auto gets: the status, the model, and why. */
async function pick(url: string, key: string, path: string, body: object) {
  const answer = await fetch(url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: "auto", stream: false, ...body }),
  });
  await answer.text();
  return [answer.status, answer.headers.get("x-fortress-model"), answer.headers.get("x-fortress-auto")];
}

/** As it is before anybody decides anything of it. */
async function forgotten(fortress: { run: (...args: string[]) => Promise<string> }) {
  await fortress.run("auto", "models");
  await fortress.run("auto", "off");
}

test("auto is switched on, given models with what they are for, and picks by that", async ({ page, fortress, key, problems }) => {
  problems.allow(/status of 400/);
  await forgotten(fortress);
  await new App(page).open("/admin/aliases");
  const auto = new AutoSection(page);
  await expect(auto.on).not.toBeChecked();
  await auto.on.check();
  await auto.save();
  await expect(auto.section.getByRole("status").filter({ hasText: "Saved." })).toBeVisible();
  await expect(auto.section.getByText("Now, for a plain question")).toBeVisible();
  const [model, embed] = MODELS;
  const general = "of the models that are for general use";
  expect(await pick(fortress.url, key, "/api/chat", { messages: [{ role: "user", content: "why" }] })).toEqual([200, model, expect.stringContaining(general)]);
  expect(await pick(fortress.url, key, "/api/embed", { input: "why" })).toEqual([200, embed, expect.stringContaining("make embeddings")]);

  // The order is that of the places.
  await auto.model(1).fill(embed);
  await auto.place(1).fill("2");
  await auto.model(2).fill(model);
  await auto.place(2).fill("1");
  await auto.purpose(2, "code").check();
  await auto.purpose(2, "general").uncheck();
  await auto.save();
  await expect(auto.model(1)).toHaveValue(model);
  await expect(auto.place(2)).toHaveValue("2");
  await expect(auto.purpose(1, "code")).toBeChecked();
  await expect(auto.purpose(1, "general")).not.toBeChecked();
  await expect(auto.model(3), "rows for more").toHaveValue("");
  const code = "code in the last message, first of the models that are for code";
  expect(await pick(fortress.url, key, "/v1/completions", { prompt: "a python script" })).toEqual([200, model, code]);
  expect(await fortress.run("auto", "show")).toMatch(new RegExp(`auto is on, and picks from the models below[^]*${model} +code +text +on `));

  // What cannot be is said, and what was typed stays.
  await auto.model(3).fill("two words");
  await auto.save();
  await expect(auto.section.getByRole("alert")).toContainText('"two words" must be one model, without a star');
  await expect(auto.model(3)).toHaveValue("two words");
  await auto.model(3).fill("");
  await auto.model(2).fill("");
  await auto.on.uncheck();
  await auto.save();
  await expect(auto.section.getByText("Now, for a plain question")).toHaveCount(0);
  await expect(auto.model(2)).toHaveValue("");
  expect(await pick(fortress.url, key, "/api/generate", { prompt: "why" })).toEqual([404, null, null]);
  await forgotten(fortress);
});

test.describe("auto without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("is switched on, changed and refused, with what was typed", async ({ page, fortress, key }) => {
    await forgotten(fortress);
    const auto = new AutoSection(page);
    await page.goto("/admin/aliases");
    await auto.on.check();
    await auto.model(1).fill("nobody-has-it");
    await auto.model(2).fill(MODELS[0]);
    await auto.purpose(2, "images").check();
    await auto.save();
    await expect(auto.on).toBeChecked();
    await expect(auto.purpose(2, "images")).toBeChecked();
    await expect(auto.section.getByText("No backend has it.")).toBeVisible();
    const see = "image in the request, first of the models that see images";
    expect(await pick(fortress.url, key, "/api/generate", { prompt: "what", images: ["aGk="] })).toEqual([200, MODELS[0], see]);
    await auto.on.uncheck();
    await auto.model(1).fill("x y");
    await auto.purpose(1, "tools").check();
    await auto.save();
    await expect(auto.section.getByRole("alert")).toContainText('"x y" must be one model');
    await expect(auto.model(1), "what was typed stays").toHaveValue("x y");
    await expect(auto.purpose(1, "tools")).toBeChecked();
    await expect(auto.on).not.toBeChecked();
    await forgotten(fortress);
  });
});
