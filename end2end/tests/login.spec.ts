// Signing in, and what a guesser sees.

import { ADMIN, NOBODY, expect, test } from "../fixtures.ts";
import { alive } from "../pages/app.ts";
import { LoginPage } from "../pages/login.ts";

test.use({ storageState: NOBODY });

test("a wrong password and an unknown name get the same answer", async ({ page, problems }) => {
  problems.allow(/Failed to load resource/);
  const login = new LoginPage(page);
  await login.open();
  await alive(page);
  const answers = [];
  for (const name of [ADMIN.name, "nobody"]) {
    await login.send(name, "a wrong password");
    const alert = page.getByRole("alert");
    await expect(alert).toBeVisible();
    answers.push(await alert.textContent());
    await page.reload();
    await alive(page);
  }
  expect(answers[0]).toBe(answers[1]);
});

test("five failures lock the account, and the right password does not help then", async ({ page, start, problems }) => {
  problems.allow(/Failed to load resource/);
  const fortress = await start({ ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
  const login = new LoginPage(page);
  await page.goto(`${fortress.url}/admin/login`);
  await alive(page);
  for (let attempt = 0; attempt < 5; attempt += 1) {
    await login.send(ADMIN.name, "a wrong password");
  }
  expect((await login.send(ADMIN.name, ADMIN.password)).status()).toBe(401);
  await expect(page.getByRole("alert")).toContainText(/minute/);
  await page.goto(`${fortress.url}/admin`);
  await login.expectShown();
});

test("before there is an administrator the page says how to get the set-up link", async ({ page, start }) => {
  const fortress = await start();
  await page.goto(`${fortress.url}/admin`);
  await expect(page.getByText("This gateway has no administrator yet")).toBeVisible();
  await expect(page.getByLabel("Password", { exact: true })).toHaveCount(0);
});
