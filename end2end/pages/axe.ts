// What axe finds wrong for people who read a page with other means than eyes and a mouse.

import axe from "axe-core";
import { type Page, expect } from "@playwright/test";

declare global {
  interface Window {
    axe: typeof axe;
  }
}

/** WCAG 2.2, levels A and AA, and axe's own good practices. */
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export async function expectAccessible(page: Page, name: string): Promise<void> {
  // Evaluated and not added as an element, which the page's own policy would refuse.
  await page.evaluate(axe.source);
  const found = await page.evaluate(async (tags) => {
    const { violations } = await window.axe.run({ runOnly: { type: "tag", values: tags } });
    return violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 200)} — ${failureSummary}`) }));
  }, TAGS);
  expect.soft(found, `${name}, as axe sees it`).toEqual([]);
}
