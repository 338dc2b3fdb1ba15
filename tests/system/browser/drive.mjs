// Opens `page.mjs` in a real browser and walks through it. Arguments: the engine's URL, a write key, a server key, the
// browser's path. Prints one line of JSON: what the page was told, and what the browser complained of.

import { createServer } from "node:http";
import { buildSync } from "esbuild";
import { chromium } from "playwright-core";

const [url, writeKey, serverKey, executablePath] = process.argv.slice(2);
const built = buildSync({ entryPoints: ["page.mjs"], bundle: true, write: false, format: "iife", logLevel: "error" });
const server = createServer((request, response) => {
  const isScript = request.url === "/page.js";
  response.setHeader("content-type", isScript ? "text/javascript; charset=utf-8" : "text/html; charset=utf-8");
  response.end(isScript ? built.outputFiles[0].text : "<!doctype html><title>Shoes</title><script src='/page.js'></script>");
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const quiet = ["quic", "background-networking", "component-update", "sync", "gpu"].map((name) => `--disable-${name}`);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--no-first-run", ...quiet] });
const page = await browser.newPage();
const complaints = [];
page.on("pageerror", (error) => complaints.push(String(error)));
page.on("console", (message) => message.text().includes("CORS") && complaints.push(message.text()));
const shop = `http://127.0.0.1:${server.address().port}/`;
const told = {};
await page.goto(shop);
for (const step of ["browse", "decide", "refused", "flags", "beacon", "browseInBatches"]) {
  told[step] = await page.evaluate(([name, ...given]) => window[name](...given), [step, url, writeKey]);
}
await page.goto(`${shop}elsewhere`); // the page is left: what waits in it must still arrive
const timeline = `${url}/v1/profiles/user_id:page-visitor/timeline`;
for (const end = Date.now() + 30_000; Date.now() < end; ) {
  const answer = await fetch(timeline, { headers: { authorization: `Bearer ${serverKey}` } });
  if ((await answer.text()).split('"Scrolled"').length > 3) break;
}
await browser.close();
server.close();
console.log(JSON.stringify({ ...told, complaints }));
