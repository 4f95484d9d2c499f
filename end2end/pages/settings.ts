import { type Page } from "@playwright/test";

/** The settings. */
export class SettingsPage {
  constructor(private page: Page) {}

  field(label: string) {
    return this.page.getByLabel(label, { exact: true });
  }

  async save(values: Record<string, string>) {
    for (const [label, value] of Object.entries(values)) await this.field(label).fill(value);
    await this.page.getByRole("button", { name: "Save settings" }).click();
  }

  get saved() {
    return this.page.getByRole("status").filter({ hasText: "Settings saved" });
  }
}
