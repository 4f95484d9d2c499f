// What goes wrong inside a page without any test looking: console errors and warnings (hydration's among them), uncaught
// exceptions, violations of the content security policy, and requests that leave loopback.

import { type Browser, type BrowserContext, type BrowserContextOptions, expect } from "@playwright/test";

export class Problems {
  private seen: string[] = [];
  private contexts: BrowserContext[] = [];
  private allowed: RegExp[] = [];

  /** Provoked on purpose by this test, for example the network message of a refused form. */
  allow(...patterns: RegExp[]) {
    this.allowed.push(...patterns);
  }

  /** A further context, watched as the test's own is. Every context of a test comes from here. */
  async newContext(browser: Browser, options?: BrowserContextOptions) {
    const context = await browser.newContext(options);
    await this.watch(context);
    return context;
  }

  async watch(context: BrowserContext) {
    this.contexts.push(context);
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        console.error(`CSP violation: ${event.violatedDirective} blocks ${event.blockedURI} at ${event.sourceFile}:${event.lineNumber}`);
      });
    });
    context.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) {
        // A panic of the WASM brings a long stack without names: its first line says what and where.
        const text = message.text().split(/\n\s*Stack:/)[0];
        this.seen.push(`console ${message.type()}: ${text} (${message.location().url})`);
      }
    });
    context.on("weberror", (error) => this.seen.push(`page error: ${error.error()}`));
    context.on("request", (request) => {
      const { protocol, hostname } = new URL(request.url());
      const own = ["127.0.0.1", "localhost"].includes(hostname) || hostname.endsWith(".lan");
      if (protocol.startsWith("http") && !own) this.seen.push(`a request left this machine: ${request.url()}`);
    });
  }

  async check() {
    // What a page said until now is heard before its answer.
    const pages = this.contexts.flatMap((context) => context.pages());
    await Promise.all(pages.map((page) => page.evaluate(() => {}).catch(() => {})));
    const unexpected = this.seen.filter((problem) => !this.allowed.some((pattern) => pattern.test(problem)));
    expect(unexpected, "console errors, page errors and CSP violations").toEqual([]);
  }
}
