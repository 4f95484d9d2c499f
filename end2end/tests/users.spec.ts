// Many users: found, ordered, paged and switched together; what is written down about them; keys that take the place of
// others; where keys were used from, and when they end.

import type { Page } from "@playwright/test";
import { ADMIN, NOBODY, expect, generate, test } from "../fixtures.ts";
import { App } from "../pages/app.ts";
import { LoginPage } from "../pages/login.ts";
import { UserPage, UsersPage } from "../pages/users.ts";

const PHONE = { width: 390, height: 844 };
const WAYS = [
  { way: "with JavaScript", options: {} },
  { way: "without JavaScript", options: { javaScriptEnabled: false } },
  { way: "on a phone", options: { viewport: PHONE } },
];

/** Adds users by the page's own server function. */
async function addAll(page: Page, url: string, names: string[]) {
  for (const name of names) {
    const answer = await page.request.post("/admin/fn/users/add", { form: { "input[name]": name }, headers: { origin: url } });
    expect(answer.status(), name).toBe(200);
  }
}

for (const { way, options } of WAYS) {
  test.describe(way, () => {
    test.use(options);
    const tag = way.replaceAll(" ", "-");

    test("users are found, ordered and paged, and the address says how", async ({ page, fortress }) => {
      await addAll(page, fortress.url, [...Array(51)].map((_, n) => `${tag} ${String(n).padStart(2, "0")}`));
      await addAll(page, fortress.url, [`Ольга ${tag}`, `somebody else, not ${[...tag].reverse().join("")}`]);
      const users = new UsersPage(page);
      await new App(page).open("/admin/users");
      await users.search(tag.toUpperCase(), "Enabled", "By name");
      await expect(users.pages).toContainText(/^1 to 50 of 52 that fit, of [\d,]+ users/);
      expect((await users.names()).slice(0, 2)).toEqual([`${tag} 00`, `${tag} 01`]);
      expect(new URL(page.url()).search).toContain("sort=name");
      await users.pages.getByRole("link", { name: "Next" }).click();
      await expect(users.pages).toContainText("51 to 52 of 52");
      expect(await users.names()).toEqual([`${tag} 50`, `Ольга ${tag}`]);
      await page.reload();
      expect(await users.names(), "the address leads here").toEqual([`${tag} 50`, `Ольга ${tag}`]);
      await page.goBack();
      await expect(users.pages).toContainText("1 to 50 of 52");
      await users.search(`ольга ${tag}`);
      await expect(users.row(`Ольга ${tag}`)).toBeVisible();
      await expect(users.pages).toContainText("1 to 1 of 1 that fit");
      await users.search("no such user anywhere");
      await expect(page.getByRole("main")).toContainText("No user fits.");
      await page.getByRole("link", { name: "Show all users" }).click();
      await expect(users.row(`Ольга ${tag}`)).toBeVisible();
      await page.goto("/admin/users?sort=odd");
      await expect(page.getByRole("main")).toContainText("Choose one of those that are offered.");
    });

    test("chosen users are disabled and enabled together, and it is told whom", async ({ page, fortress, problems }) => {
      problems.allow(/Failed to load resource/);
      const names = ["one", "two", "three"].map((name) => `${name} ${tag}`);
      await addAll(page, fortress.url, names);
      const users = new UsersPage(page);
      await new App(page).open(`/admin/users?search=${tag}`);
      await users.switchChosen("Disable chosen");
      await expect(page.getByRole("main").getByRole("alert")).toContainText("Choose at least one user");
      for (const name of names.slice(0, 2)) await users.box(name).check();
      if (options.javaScriptEnabled !== false) await expect(page.getByRole("main")).toContainText(/2 users: (one|two)/);
      await users.switchChosen("Disable chosen");
      await expect(page.getByRole("main").getByRole("status").filter({ hasText: "Disabled 2 users" })).toContainText(names[0]);
      for (const name of names.slice(0, 2)) await expect(users.row(name)).toContainText("Disabled");
      await expect(users.row(names[2])).toContainText("Enabled");
      await expect(users.box(names[0]), "nothing stays chosen").not.toBeChecked();
      for (const name of names) await users.box(name).check();
      await users.switchChosen("Enable chosen");
      await expect(page.getByRole("main")).toContainText("1 was enabled already");
      for (const name of names) await expect(users.row(name)).toContainText("Enabled");
      expect(new URL(page.url()).search, "still where it was").toContain(tag);
    });

    test("of two who write a note at once the second is told, and nothing is lost", async ({ page, fortress, problems }) => {
      problems.allow(/Failed to load resource/);
      await addAll(page, fortress.url, [`noted ${tag}`]);
      const users = new UsersPage(page);
      const user = new UserPage(page);
      await new App(page).open("/admin/users");
      await users.openUser(`noted ${tag}`);
      let form = await user.remarksOf(page.getByRole("main"));
      await form.label.fill("team a");
      await form.note.fill("two\nlines");
      await fortress.run("user", "note", `noted ${tag}`, "--label", "team b");
      await form.save();
      form = await user.remarksOf(page.getByRole("main"));
      await expect(form.label).toHaveAccessibleDescription(/Somebody else has changed the label meanwhile to “team b”/);
      await expect(form.label, "what was typed stays").toHaveValue("team a");
      await expect(form.note).toHaveValue("two\nlines");
      await form.save();
      await expect(page.getByRole("main")).toContainText("team a");
      await expect(page.locator("p").filter({ hasText: /^two\s+lines$/ })).toBeVisible();
      expect(JSON.parse(await fortress.run("user", "list", "--json")).find((row: { name: string }) => row.name === `noted ${tag}`).remarks).toMatchObject({ label: "team a", note: "two\nlines" });
      await page.goto(`/admin/users?search=TEAM A`);
      await expect(users.row(`noted ${tag}`)).toContainText("team a");
    });

    test("a rotated key works on for its overlap, and the new one is shown once", async ({ page, fortress, problems, key }) => {
      problems.allow(/Failed to load resource/);
      void key; // The worker's gateway lists its models by now.
      await addAll(page, fortress.url, [`rotating ${tag}`]);
      const users = new UsersPage(page);
      const user = new UserPage(page);
      await new App(page).open("/admin/users");
      await users.openUser(`rotating ${tag}`);
      await user.send("laptop");
      const first = (await page.getByTestId("new-key").textContent())!;
      await new App(page).open(new URL(page.url()).pathname);
      await user.rotate("laptop", "Until the time below", "yesterday");
      await expect(user.key("laptop").getByLabel("Until (UTC)", { exact: true })).toHaveAccessibleDescription(/Must be a day like/);
      await user.key("laptop").getByLabel("This key still works", { exact: true }).selectOption("24 hours");
      await user.press("laptop", "Rotate key");
      const second = (await page.getByTestId("new-key").textContent())!;
      expect(second).toMatch(/^op_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/);
      await expect(user.key("laptop (replaced)")).toContainText(`Replaced by ${second.slice(0, 15)} and works until 2`);
      await expect(user.key("laptop (replaced)").getByText("Rotate", { exact: true })).toHaveCount(0);
      expect([await generate(fortress.url, first), await generate(fortress.url, second)]).toEqual([200, 200]);
      await new App(page).open(new URL(page.url()).pathname);
      expect(await page.content(), "shown once").not.toContain(second.slice(16));
      await user.rotate("laptop", "Not at all");
      const third = (await page.getByTestId("new-key").textContent())!;
      expect([await generate(fortress.url, first), await generate(fortress.url, second), await generate(fortress.url, third)]).toEqual([200, 401, 200]);
    });
  });
}

test("a whole key finds its user, and its secret never gets into the address", async ({ page, key }) => {
  const users = new UsersPage(page);
  await new App(page).open("/admin/users");
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await users.search(key);
  await expect(users.pages).toContainText("1 to 1 of 1 that fit");
  await expect(page.getByRole("search").getByLabel("Search", { exact: true })).toHaveValue(key.slice(0, 15));
  expect([...asked, page.url()].filter((url) => url.includes(key.slice(16, 40)))).toEqual([]);
});

test("where a key was used from last, and that it ends soon", async ({ page, fortress, key: other }) => {
  void other; // The worker's gateway lists its models by now.
  await addAll(page, fortress.url, ["ending soon"]);
  const users = new UsersPage(page);
  const user = new UserPage(page);
  await new App(page).open("/admin/users");
  await users.openUser("ending soon");
  const key = await user.create("laptop");
  await expect(user.key("laptop")).toContainText("never");
  expect(await generate(fortress.url, key)).toBe(200);
  await expect(async () => {
    await page.reload();
    await expect(user.key("laptop")).toContainText("from 127.0.0.1", { timeout: 500 });
  }).toPass();
  await new App(page).open(new URL(page.url()).pathname);
  await user.setPolicy("laptop", { "Expires (UTC)": "3d" });
  await expect(user.key("laptop")).toContainText("Expires in 3 days, on 2");
  await new App(page).open("/admin/users?show=expiring");
  await expect(users.row("ending soon")).toContainText("1 key expires soon");
  await expect(users.row("ending soon")).toContainText("127.0.0.1");
});

test.describe("a viewer", () => {
  test.use({ storageState: NOBODY });

  test("finds users and is offered nothing that changes them", async ({ page, start }) => {
    const fortress = await start({ ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
    await fortress.pipe("another fine phrase\n", "admin", "create", "grace", "--role", "viewer", "--password-stdin");
    await fortress.run("user", "add", "ada");
    await fortress.run("user", "note", "ada", "--note", "from the third floor");
    await page.goto(`${fortress.url}/admin/users?search=THIRD`);
    await new LoginPage(page).signIn("grace", "another fine phrase");
    await new App(page).open("/admin/users?search=THIRD", fortress.url);
    const users = new UsersPage(page);
    await expect(users.row("ada")).toBeVisible();
    await expect(page.getByRole("checkbox")).toHaveCount(0);
    await users.openUser("ada");
    await expect(page.getByRole("main")).toContainText("from the third floor");
    await expect(page.getByText("Label and note", { exact: true })).toHaveCount(0);
  });
});
