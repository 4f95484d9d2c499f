import { expect, type Locator, type Page } from "@playwright/test";
import { answered } from "./answered.ts";

/** The models of the fleet, and one of them. */
export class ModelsPage {
  readonly list: Locator;
  /** What backends made of the last order. */
  readonly outcomes: Locator;

  constructor(private page: Page) {
    this.list = page.getByRole("list", { name: "Models", exact: true });
    this.outcomes = page.getByRole("list", { name: "What each backend made of it" });
  }

  /** One model of the list. */
  row(name: string) {
    return this.list.locator(":scope > li").filter({ has: this.page.getByRole("link", { name, exact: true }) });
  }

  /** Fills the filter in and sends it. */
  async filter(fields: { name?: string; backend?: string; which?: string; order?: string }) {
    const form = this.page.getByRole("region", { name: "Filter" });
    if (fields.name !== undefined) await form.getByLabel("Name", { exact: true }).fill(fields.name);
    for (const [label, option] of [["Backend", fields.backend], ["Which", fields.which], ["Order", fields.order]] as const) {
      if (option !== undefined) await form.getByLabel(label, { exact: true }).selectOption({ label: option });
    }
    await form.getByRole("button", { name: "Show", exact: true }).click();
  }

  async open(name: string) {
    await this.row(name).getByRole("link", { name, exact: true }).click();
    await expect(this.page.getByRole("heading", { level: 1, name, exact: true })).toBeVisible();
  }

  /** A backend that has the model that is shown. */
  place(backend: string) {
    return this.page.getByRole("main").getByRole("listitem", { name: backend, exact: true });
  }

  /** Presses a button beside a backend, and waits for what came of it. */
  async press(words: string, model: string, backend: string) {
    await answered(this.page, () => this.page.getByRole("button", { name: `${words} ${model} on ${backend}`, exact: true }).click());
  }

  /** Opens one of the forms for several backends. */
  async begin(label: "Load or unload" | "Copy" | "Delete") {
    const part = this.page.getByRole("region", { name: "On several backends at once" }).locator("details").filter({ hasText: label }).first();
    await part.locator("summary").click();
    return part;
  }

  async send(form: Locator, button: string) {
    await answered(this.page, () => form.getByRole("button", { name: button, exact: true }).click());
  }
}
