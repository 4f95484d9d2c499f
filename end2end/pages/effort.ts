// How much a person does for a job: clicks, and fields filled in.

import type { Locator, Page } from "@playwright/test";

export type Effort = { clicks: number; fields: number };

type Method = (this: Locator, ...args: unknown[]) => Promise<unknown>;

/** Counts what `job` does by any locator. Emptying a field that nobody has to empty counts as nothing. */
export async function effortOf(page: Page, job: () => Promise<unknown>): Promise<Effort> {
  const effort: Effort = { clicks: 0, fields: 0 };
  const locators = Object.getPrototypeOf(page.locator("html")) as Record<string, Method>;
  const fills = (value: unknown) => void (effort.fields += value === "" ? 0 : 1);
  const counted: Record<string, (value: unknown) => void> = {
    click: () => void (effort.clicks += 1),
    check: () => void (effort.clicks += 1),
    uncheck: () => void (effort.clicks += 1),
    fill: fills,
    selectOption: fills,
    setInputFiles: fills,
  };
  const before = Object.fromEntries(Object.keys(counted).map((name) => [name, locators[name]]));
  for (const [name, count] of Object.entries(counted)) {
    locators[name] = function (...args) {
      count(args[0]);
      return before[name].apply(this, args);
    };
  }
  try {
    await job();
  } finally {
    Object.assign(locators, before);
  }
  return effort;
}
