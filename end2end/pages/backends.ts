import { expect, type Locator, type Page } from "@playwright/test";
import { answered } from "./answered.ts";

/** The list of backends. */
export class BackendsPage {
  readonly form: Locator;

  constructor(private page: Page) {
    this.form = page.getByRole("region", { name: "Add a backend" });
  }

  /** One backend, by its name. */
  row(name: string) {
    return this.page.getByRole("listitem", { name, exact: true });
  }

  /** Fills the form in and sends it; what came of it is the test's to see. */
  async send(name: string, url: string, token = "") {
    await this.form.getByLabel("Name", { exact: true }).fill(name);
    await this.form.getByLabel("URL", { exact: true }).fill(url);
    await this.form.getByLabel("Token", { exact: true }).fill(token);
    await answered(this.page, () => this.form.getByRole("button", { name: "Add backend" }).click());
  }

  async add(name: string, url: string, token = "") {
    await this.send(name, url, token);
    await expect(this.row(name)).toBeVisible();
    return this.row(name);
  }

  /** Tests a backend now; what it found, as a sentence. */
  async test(name: string, finding: string | RegExp) {
    await this.press(name, "Test now");
    await expect(this.row(name).getByRole("status")).toContainText(finding);
  }

  /** Changes a backend's members, those given. */
  async edit(name: string, changes: Record<string, string>) {
    const row = this.row(name);
    await row.getByText("Edit", { exact: true }).click();
    for (const [label, value] of Object.entries(changes)) await row.getByLabel(label, { exact: true }).fill(value);
    await this.press(name, "Save backend");
  }

  /** Opens the part of a form, the one that adds or one in a row, that says how much of the work a backend gets. */
  async openShare(form: Locator) {
    await form.getByText("Share of the work", { exact: true }).click();
    await expect(form.getByLabel("Requests at once", { exact: true })).toBeVisible();
  }

  /** Presses a button that sends a form of a backend; what came of it is the test's to see. */
  async press(name: string, button: string) {
    await answered(this.page, () => this.row(name).getByRole("button", { name: button, exact: true }).click());
  }

  async forgetToken(name: string) {
    const row = this.row(name);
    await row.getByText("Edit", { exact: true }).click();
    await row.getByLabel("Forget the stored token").check();
    await this.press(name, "Save backend");
    await expect(row).toContainText("No token");
  }

  async remove(name: string) {
    await this.row(name).getByText("Remove", { exact: true }).click();
    await this.press(name, "Remove backend");
    await expect(this.row(name)).toHaveCount(0);
  }
}
