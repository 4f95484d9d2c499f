import { initSync } from "./SCRIPT";

// The page that the server rendered.
const first = document.querySelector("meta[name=part]")?.content;

// A part: fetched once, linked with the main part once. One that did not come is asked for again the next time.
const known = new Map();
const part = (file) => {
  if (!known.has(file)) {
    const fetched = WebAssembly.compileStreaming(fetch(new URL(file, import.meta.url)));
    fetched.catch(() => known.delete(file));
    let linked;
    known.set(file, () => (linked ??= fetched.then((module) => WebAssembly.instantiate(module, { __wasm_split: initSync() }))));
  }
  return known.get(file);
};

// One function a page: it has the page's parts fetched and linked, its own after those it shares, and calls back with how
// that went.
const load = (page, files) => {
  if (page === first) files.forEach(part);
  return async (callback, data) => {
    let done = true;
    try {
      for (const link of files.map(part)) await link();
    } catch (error) {
      // What could not be fetched is on the console already.
      if (!(error instanceof TypeError)) console.error(error);
      done = false;
    }
    initSync().__indirect_function_table.get(callback)(data, done);
  };
};

