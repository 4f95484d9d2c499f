// Sending a form, and knowing that it was answered. What a page shows may be of the form before: a note that something was
// saved, a count, a fault, and whatever the test itself typed or chose.

import { expect, type Locator, type Page, type Request, type Response } from "@playwright/test";

/** What led to a request, before all redirects. */
function first(request: Request): Request {
  const before = request.redirectedFrom();
  return before ? first(before) : request;
}

/**
 * Does what sends a form, and waits until its answer is on the page: with scripts the server function's, without the page that
 * follows the plain form. Gives that answer.
 */
export async function answered(page: Page, send: () => Promise<unknown>): Promise<Response> {
  const isAnswer = (answer: Response) => {
    const sent = first(answer.request());
    const isRedirect = answer.status() >= 300 && answer.status() < 400;
    return !isRedirect && sent.method() === "POST" && new URL(sent.url()).pathname.startsWith("/admin/fn/");
  };
  await page.evaluate(() => document.documentElement.setAttribute("data-before", ""));
  const [answer] = await Promise.all([page.waitForResponse(isAnswer), send()]);
  if (answer.request().isNavigationRequest()) {
    await expect(page.locator("html[data-before]"), "the next page is there").toHaveCount(0);
    await page.waitForLoadState("domcontentloaded");
  } else {
    await expect(page.locator("button[aria-disabled=true], button[disabled]"), "no form waits for an answer").toHaveCount(0);
  }
  return answer;
}

/** The same of a form that is made anew, with what is in force, once it was saved. What is typed earlier would be lost. */
export async function madeAnew(page: Page, form: Locator, send: () => Promise<unknown>) {
  await form.evaluate((form) => form.setAttribute("data-before", ""));
  const answer = await answered(page, send);
  await expect(page.locator("form[data-before]"), "the form is made anew").toHaveCount(0);
  return answer;
}
