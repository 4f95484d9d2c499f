import { expect, type Locator, type Page } from "@playwright/test";

/** The Audit page. */
export class AuditPage {
  readonly filter: Locator;
  readonly rows: Locator;
  readonly pages: Locator;

  constructor(private page: Page) {
    this.filter = page.getByRole("region", { name: "Filter" });
    this.rows = page.getByRole("list", { name: "Audit log" }).getByRole("listitem");
    this.pages = page.getByRole("navigation", { name: "Pages of the log" });
  }

  row(text: string) {
    return this.rows.filter({ hasText: text });
  }

  async fill(label: string, text: string) {
    await this.filter.getByLabel(label, { exact: true }).fill(text);
  }

  async show() {
    await this.filter.getByRole("button", { name: "Show" }).click();
  }

  /** Opens a row; its table of what changed. */
  async changes(text: string, what: string) {
    const row = this.row(text).first();
    await row.locator("summary").click();
    const table = row.getByRole("table", { name: what, exact: true });
    await expect(table).toBeVisible();
    return table;
  }

  field(name: string) {
    return this.filter.getByLabel(name, { exact: true });
  }
}
