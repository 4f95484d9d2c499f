import { expect, type Page } from "@playwright/test";
import { answered } from "./answered.ts";
import { alive } from "./app.ts";

/** The sign-in page. */
export class LoginPage {
  constructor(private page: Page) {}

  async open() {
    await this.page.goto("/admin/login");
  }

  async expectShown() {
    await expect(this.page).toHaveURL(/\/admin\/login/);
    await expect(this.page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  }

  /** Fills in and sends; the answer. */
  async send(name: string, password: string) {
    await this.expectShown();
    await alive(this.page);
    await this.page.getByLabel("Name").fill(name);
    await this.page.getByLabel("Password", { exact: true }).fill(password);
    return answered(this.page, () => this.page.getByRole("button", { name: "Sign in" }).click());
  }

  async signIn(name: string, password: string) {
    await this.send(name, password);
    await expect(this.page).not.toHaveURL(/\/admin\/login/);
  }
}
