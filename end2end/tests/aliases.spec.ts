// Aliases: added, changed and removed, what they lead to at this moment, and requests that follow at once.

import { MODELS, expect, test } from "../fixtures.ts";
import { AliasesPage } from "../pages/aliases.ts";
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
