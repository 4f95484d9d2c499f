// A site of somebody else, on a port of its own: pages that send what a stranger's page can send.

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo } from "node:net";

const escape = (text: string) => text.replace(/[&"<>]/g, (letter) => `&#${letter.charCodeAt(0)};`);

export class Stranger {
  private server!: Server;
  port = 0;

  static async start() {
    const stranger = new Stranger();
    stranger.server = createServer((request, response) => {
      const { searchParams } = new URL(request.url!, "http://x");
      response.setHeader("content-type", "text/html; charset=utf-8");
      response.end(page(searchParams));
    });
    stranger.server.listen(0, "127.0.0.1");
    await once(stranger.server, "listening");
    stranger.port = (stranger.server.address() as AddressInfo).port;
    return stranger;
  }

  /** A page whose form sends itself as soon as it is there. */
  form(host: string, action: string, enctype: string, fields: Record<string, string>) {
    return `http://${host}:${this.port}/?${new URLSearchParams({ ...fields, action, enctype })}`;
  }

  /** A page that does nothing by itself. */
  empty = (host: string) => `http://${host}:${this.port}/`;

  async stop() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }
}

function page(parameters: URLSearchParams) {
  const { action, enctype, ...fields } = Object.fromEntries(parameters);
  const inputs = Object.entries(fields).map(([name, value]) => `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`);
  const form = `<form method="post" action="${escape(action ?? "")}" enctype="${escape(enctype ?? "")}">${inputs.join("")}</form>`;
  return `<!doctype html><title>elsewhere</title><link rel="icon" href="data:,">${action ? `${form}<script>document.forms[0].submit()</script>` : ""}`;
}
