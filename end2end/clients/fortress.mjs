// The gateway and a fake backend as processes, for the tests of JavaScript clients and of the browser. Both binaries come
// from the environment (FORTRESS_BIN, FAKE_OLLAMA_BIN) or from ../../target/debug. Nothing here asserts.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";

const BINARIES = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../../target/debug");
const DEADLINE = 30_000;
const ADDRESS = /http:\/\/127\.0\.0\.1:[1-9]\d*/;

function binary(variable, name) {
  const path = resolve(process.env[variable] ?? join(BINARIES, name));
  if (!existsSync(path)) throw new Error(`${path} is missing: build it with \`cargo build --workspace\`, or set ${variable}`);
  return path;
}

/** Polls an observable condition; its value when true. */
export async function until(condition, what) {
  for (const end = Date.now() + DEADLINE; Date.now() < end; await pause(20)) {
    const value = await condition();
    if (value) return value;
  }
  throw new Error(`not within ${DEADLINE} ms: ${what}`);
}

/** A child process whose output is kept. Both its streams are read to the end, so that it never blocks on a full pipe. */
class Child {
  lines = [];

  constructor(command, args, options) {
    this.process = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
    this.ended = once(this.process, "exit");
    for (const stream of [this.process.stdout, this.process.stderr]) {
      createInterface({ input: stream }).on("line", (line) => this.lines.push(line));
    }
    // A test runner that dies must not leave the child behind.
    this.#onExit = () => this.process.kill("SIGKILL");
    process.once("exit", this.#onExit);
  }

  #onExit;

  get output() {
    return this.lines.join("\n");
  }

  find(pattern) {
    return until(() => {
      const found = this.lines.map((line) => pattern.exec(line)).find(Boolean);
      if (!found && this.process.exitCode !== null) throw new Error(`ended early:\n${this.output}`);
      return found;
    }, `${pattern} in the output`).then((found) => found[0]);
  }

  async stop(signal) {
    if (signal) this.process.kill(signal);
    else this.process.stdin.end();
    const late = pause(20_000, "late", { ref: false });
    if ((await Promise.race([this.ended, late])) === "late") {
      this.process.kill("SIGKILL");
      await this.ended;
    }
    process.off("exit", this.#onExit);
  }
}

/** The scriptable backend; see crates/testkit for what it answers. */
export class Fake {
  child;
  url = "";

  static async start(...args) {
    const fake = new Fake();
    fake.child = new Child(binary("FAKE_OLLAMA_BIN", "fake-ollama"), args);
    fake.url = await fake.child.find(ADDRESS);
    return fake;
  }

  async control(path, body) {
    const answer = await fetch(`${this.url}/__fake/${path}`, body && { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }

  hold = () => this.control("hold", {});
  release = (frames = 1) => this.control(`release?${frames}`, {});
  open = () => this.control("open", {});
  script = (changes) => this.control("script", changes);

  /** Waits until a request whose body holds the marker meets the condition. */
  async waitFor(marker, condition = (_request) => true) {
    let records = { version: -1, requests: [] };
    for (const end = Date.now() + DEADLINE; Date.now() < end; ) {
      records = await this.control(`records?after=${records.version}`);
      const found = records.requests.find((request) => request.body.includes(marker) && condition(request));
      if (found) return found;
    }
    throw new Error(`no such request with ${marker}: ${JSON.stringify(records, null, 1)}`);
  }

  stop = () => this.child.stop();
}

/** A gateway in a data folder of its own. */
export class Fortress {
  child;
  url = "";

  /** `environment` adds to the defaults: any free port, no backend, no administrator. */
  static async start(environment = {}) {
    const fortress = new Fortress();
    fortress.binary = binary("FORTRESS_BIN", "ollama-fortress");
    fortress.folder = await mkdtemp(join(tmpdir(), "fortress-"));
    const { PATH, HOME } = process.env;
    fortress.environment = { PATH, HOME, DATA_DIR: join(fortress.folder, "data"), PROXY_PORT: "0", ...environment };
    await fortress.boot();
    return fortress;
  }

  /** Starts the process in the folder it has; a second time after {@link halt}, on another port unless told. */
  async boot(port = this.environment.PROXY_PORT) {
    this.child = new Child(this.binary, [], { env: { ...this.environment, PROXY_PORT: port }, cwd: this.folder });
    this.url = await this.child.find(ADDRESS);
    await until(async () => (await fetch(`${this.url}/readyz`).catch(() => undefined))?.ok, "ready");
  }

  /** The one-time link to the set-up, as printed. */
  setupLink = () => this.child.find(/http:\/\/\S+\/admin\/setup\S+/);

  /** One command of the command line; its standard output. */
  async run(...args) {
    const done = await promisify(execFile)(this.binary, args, { env: this.environment, cwd: this.folder });
    return done.stdout;
  }

  /** The same with a text on its standard input. */
  async pipe(text, ...args) {
    const done = promisify(execFile)(this.binary, args, { env: this.environment, cwd: this.folder });
    done.child.stdin.end(text);
    return (await done).stdout;
  }

  /** A new key of a user. */
  createKey = async (user, name) => (await this.run("key", "create", "--user", user, "--name", name)).trim();

  /** A new user with a key. */
  async key(user = "clients") {
    await this.run("user", "add", user);
    return this.createKey(user, "test");
  }

  /** Waits until the gateway lists the model. */
  async waitForModel(model, key) {
    const tags = () => fetch(`${this.url}/api/tags`, { headers: { authorization: `Bearer ${key}` } });
    await until(async () => (await (await tags()).text()).includes(model), `${model} in the catalogue`);
  }

  halt = () => this.child.stop("SIGTERM");

  async stop() {
    await this.halt();
    await rm(this.folder, { recursive: true, force: true });
  }
}
