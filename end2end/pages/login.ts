import { expect, type Page } from "@playwright/test";

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

  /** Fills in and sends; does not wait for what follows. */
  async send(name: string, password: string) {
    await this.page.getByLabel("Name").fill(name);
    await this.page.getByLabel("Password", { exact: true }).fill(password);
    await this.page.getByRole("button", { name: "Sign in" }).click();
  }

  async signIn(name: string, password: string) {
    await this.send(name, password);
    await expect(this.page).not.toHaveURL(/\/admin\/login/);
  }
}
