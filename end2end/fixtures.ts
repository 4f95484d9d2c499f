// What every browser test starts from: a fake backend and a gateway of the worker's own with an administrator, a page that
// is signed in, and a watch over everything that must not happen in a page.

import { type BrowserContextOptions, test as base } from "@playwright/test";
import { Fake, Fortress } from "./clients/fortress.mjs";
import { LoginPage } from "./pages/login.ts";
import { Problems } from "./problems.ts";

export { expect } from "@playwright/test";
export { Fake, Fortress };

export const ADMIN = { name: "admin", password: "correct horse battery" };
export const MODELS = ["llama3.2:latest", "nomic-embed-text:latest"];

type Storage = Exclude<BrowserContextOptions["storageState"], string | undefined>;
type Test = {
  problems: Problems;
  /** Starts a further gateway, empty unless the environment says otherwise; it ends with the test. */
  start: (environment?: Record<string, string>) => Promise<Fortress>;
  /** Starts a further fake backend; it ends with the test. */
  startFake: (...args: string[]) => Promise<Fake>;
  /** A key of the worker's gateway, of a user made for this test. */
  key: string;
};
type Worker = { fake: Fake; fortress: Fortress; session: () => Promise<Storage> };

export const test = base.extend<Test, Worker>({
  fake: [
    async ({}, use) => {
      const fake = await Fake.start("--chunks", "5");
      await use(fake);
      await fake.stop();
    },
    { scope: "worker" },
  ],

  fortress: [
    async ({ fake }, use) => {
      const fortress = await Fortress.start({ OLLAMA_SERVERS: fake.url, ADMIN_USER: ADMIN.name, ADMIN_PASSWORD: ADMIN.password });
      await use(fortress);
      await fortress.stop();
    },
    { scope: "worker", timeout: 60_000 },
  ],

  // Signed in once a worker; every test gets a context of its own with that cookie. An administrator has five sessions at
  // most, so the sign-ins of other tests can end this one: then it is made anew.
  session: [
    async ({ browser, fortress }, use) => {
      const signIn = async () => {
        const problems = new Problems();
        const context = await problems.newContext(browser, { baseURL: fortress.url });
        const login = new LoginPage(await context.newPage());
        await login.open();
        await login.signIn(ADMIN.name, ADMIN.password);
        const session = await context.storageState();
        await problems.check();
        await context.close();
        return session;
      };
      let session = await signIn();
      const lives = async () => {
        const cookie = session.cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
        const page = await fetch(`${fortress.url}/admin/users`, { headers: { cookie }, redirect: "manual" });
        return page.status === 200;
      };
      await use(async () => {
        if (!(await lives())) session = await signIn();
        return session;
      });
    },
    { scope: "worker", timeout: 60_000 },
  ],

  baseURL: ({ fortress }, use) => use(fortress.url),
  storageState: async ({ session }, use) => use(await session()),

  // What a test started is named here so that it ends after the check and after the pages are closed: a page that is open while
  // its gateway stops complains of its event stream.
  problems: [
    async ({ start, startFake, context }, use) => {
      void [start, startFake];
      const problems = new Problems();
      await problems.watch(context);
      await use(problems);
      await problems.check();
    },
    { auto: true },
  ],

  start: async ({}, use) => {
    const started: Fortress[] = [];
    await use(async (environment) => {
      const fortress = await Fortress.start(environment);
      started.push(fortress);
      return fortress;
    });
    await Promise.all(started.map((fortress) => fortress.stop()));
  },

  startFake: async ({}, use) => {
    const started: Fake[] = [];
    await use(async (...args) => {
      const fake = await Fake.start(...args);
      started.push(fake);
      return fake;
    });
    await Promise.all(started.map((fake) => fake.stop()));
  },

  key: async ({ fortress }, use, testInfo) => {
    const key = await fortress.key(`user-${testInfo.testId.slice(-10)}`);
    await fortress.waitForModel(MODELS[0], key);
    await use(key);
  },
});

/** Nobody listens there. The port of a server that has gone may be another test's by now. */
export const NOWHERE = "http://127.0.0.1:1";

/** Without a session. */
export const NOBODY: Storage = { cookies: [], origins: [] };

/** One call through the gateway; its status. */
export async function generate(url: string, key: string, prompt = "hi", model = "llama3.2") {
  const answer = await fetch(`${url}/api/generate`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, prompt, stream: false }),
  });
  await answer.text();
  return answer.status;
}
