import { expect, type Page } from "@playwright/test";
import { answered, madeAnew } from "./answered.ts";

/** The settings. */
export class SettingsPage {
  constructor(private page: Page) {}

  field(label: string) {
    return this.page.getByLabel(label, { exact: true });
  }

  /** Fills in, and presses the button that saves; what came of it is the test's to see. */
  async send(values: Record<string, string>) {
    await this.fill(values);
    await answered(this.page, () => this.press());
  }

  /** Fills in and saves, and waits until the form shows what is in force now. */
  async save(values: Record<string, string> = {}) {
    await this.fill(values);
    await this.saveBy(() => this.press());
  }

  /** Saves what is filled in, and waits as {@link save} does. */
  async saveBy(send: () => Promise<unknown>) {
    await madeAnew(this.page, this.form, send);
    await expect(this.saved).toBeVisible();
  }

  /** Forgets what is saved of one setting, and waits until the form shows what counts now. */
  async reset(label: string) {
    await madeAnew(this.page, this.form, () => this.resetOf(label).click());
    await expect(this.page.getByRole("status").filter({ hasText: "The setting was reset" })).toBeVisible();
  }

  private resetOf(label: string) {
    const end = label.replace(/[()]/g, "\\$&");
    return this.page.getByRole("button", { name: new RegExp(`^Reset to .*: ${end}$`) });
  }

  get search() {
    return this.page.getByRole("searchbox", { name: "Search the settings" });
  }

  /** Tries Redis with what is filled in; what was found is the test's to see. */
  async tryRedis() {
    await answered(this.page, () => this.page.getByRole("button", { name: "Test these fields" }).click());
  }

  private async fill(values: Record<string, string>) {
    for (const [label, value] of Object.entries(values)) await this.field(label).fill(value);
  }

  private press = () => this.button.click();

  private get button() {
    return this.page.getByRole("button", { name: "Save settings" });
  }

  private get form() {
    return this.page.locator("form#settings");
  }

  get saved() {
    return this.page.getByRole("status").filter({ hasText: "Settings saved" });
  }
}
