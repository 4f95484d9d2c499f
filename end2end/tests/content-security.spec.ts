// The content security policy bites: what a hole in a page would let in does not run, and the watch over violations sees it.

import { ADMIN, NOBODY, expect, test } from "../fixtures.ts";
import { LoginPage } from "../pages/login.ts";
import { alive } from "../pages/app.ts";

test.use({ storageState: NOBODY });

const SCRIPTS = {
  "a script without a nonce": `<script>document.documentElement.dataset.ran = "1"</script>`,
  "a script with a made-up nonce": `<script nonce="bWFkZSB1cA==">document.documentElement.dataset.ran = "1"</script>`,
  "an event handler": `<img src="data:image/gif;base64,AAAA" onerror="document.documentElement.dataset.ran = 1">`,
  "a script of another origin": `<script src="http://localhost:1/x.js"></script>`,
};

for (const [what, markup] of Object.entries(SCRIPTS)) {
  test(`${what} does not run, and is told of`, async ({ page, start, problems }) => {
    const fortress = await start({ ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
    const violations: string[] = [];
    page.on("console", (message) => {
      if (/CSP violation: script-src/.test(message.text())) violations.push(message.text());
    });
    problems.allow(/CSP violation: script-src/, /violates the following Content Security Policy/, /hydrat|unreachable|panicked/i);
    // As if a page had written it: into the document itself, before any script of ours.
    await page.route(`${fortress.url}/admin/login*`, async (route) => {
      const answer = await route.fetch();
      const body = (await answer.text()).replace("</body>", `${markup}</body>`);
      expect(body).toContain(markup);
      await route.fulfill({ response: answer, body });
    });
    await page.goto(`${fortress.url}/admin/login`);
    await expect.poll(() => violations.length, "the watch sees it").toBeGreaterThan(0);
    expect(await page.evaluate(() => document.documentElement.dataset.ran)).toBeUndefined();
    // The page's own scripts, which have the nonce, ran.
    await alive(page);
    await new LoginPage(page).expectShown();
  });
}
