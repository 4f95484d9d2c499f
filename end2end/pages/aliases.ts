import { expect, type Locator, type Page } from "@playwright/test";
import { answered } from "./answered.ts";

/** The list of aliases. */
export class AliasesPage {
  readonly form: Locator;

  constructor(private page: Page) {
    this.form = page.getByRole("region", { name: "Add an alias" });
  }

  /** One alias, by its name. */
  row(name: string) {
    return this.page.getByRole("listitem", { name, exact: true });
  }

  /** One of the models that an alias leads to, by its place from 1. */
  model(name: string, place: number) {
    return this.row(name).getByRole("list").getByRole("listitem").nth(place - 1);
  }

  /** Fills the form in and sends it; what came of it is the test's to see. */
  async send(name: string, models: string[], note = "") {
    await this.form.getByLabel("Name", { exact: true }).fill(name);
    await this.form.getByLabel("Models", { exact: true }).fill(models.join("\n"));
    await this.form.getByLabel("Note", { exact: true }).fill(note);
    await answered(this.page, () => this.form.getByRole("button", { name: "Add alias" }).click());
  }

  async add(name: string, models: string[], note = "") {
    await this.send(name, models, note);
    // Names are shown as requests are matched with them.
    await expect(this.row(name.toLowerCase())).toBeVisible();
  }

  async openEdit(name: string) {
    await this.row(name).getByText("Edit", { exact: true }).click();
  }

  /** Types other models into the form that is open. */
  async type(name: string, models: string[]) {
    await this.row(name).getByLabel("Models", { exact: true }).fill(models.join("\n"));
  }

  async save(name: string) {
    await answered(this.page, () => this.row(name).getByRole("button", { name: "Save alias" }).click());
  }

  async remove(name: string) {
    await this.row(name).getByText("Remove", { exact: true }).click();
    await answered(this.page, () => this.row(name).getByRole("button", { name: "Remove alias" }).click());
    await expect(this.row(name)).toHaveCount(0);
  }
}

/** The section of the model auto. */
export class AutoSection {
  readonly section: Locator;

  constructor(private page: Page) {
    this.section = page.getByRole("region", { name: "The model auto" });
  }

  get on() {
    return this.section.getByLabel("Clients may ask for auto");
  }

  model(row: number) {
    return this.section.getByLabel(`Model of row ${row}`);
  }

  place(row: number) {
    return this.section.getByLabel(`Place of row ${row}`);
  }

  /** The box of what the model of a row is for. */
  purpose(row: number, word: string) {
    return this.section.getByRole("listitem", { name: `Row ${row}`, exact: true }).getByLabel(word, { exact: true });
  }

  async save() {
    await answered(this.page, () => this.section.getByRole("button", { name: "Save auto" }).click());
  }
}
