// The clients from npm, as their documentation has them used. Arguments: the engine's URL, a write key, which client.
// Prints one line of JSON: what it was told.

import { createRequire } from "node:module";

const [url, writeKey, which] = process.argv.slice(2);
const require = createRequire(import.meta.url);

const clients = {
  async segment() {
    const { Analytics } = require("@segment/analytics-node");
    const client = new Analytics({ writeKey, host: url });
    const faults = [];
    client.on("error", (error) => faults.push(String(error.reason ?? error)));
    client.identify({ userId: "node-segment", traits: { email: "node-segment@shop.example", name: "Zoë" } });
    for (let number = 0; number < 40; number++) {
      client.track({ userId: "node-segment", event: "Clicked", properties: { number } });
    }
    client.page({ userId: "node-segment", name: "Shoes" });
    await client.closeAndFlush();
    return { faults };
  },

  async rudder() {
    const Analytics = require("@rudderstack/rudder-sdk-node").default ?? require("@rudderstack/rudder-sdk-node");
    const client = new Analytics(writeKey, { dataPlaneUrl: url, flushAt: 20, flushInterval: 100 });
    const faults = [];
    const told = (error) => error && faults.push(String(error));
    client.identify({ userId: "node-rudder", traits: { email: "node-rudder@shop.example", name: "Zoë" } }, told);
    for (let number = 0; number < 40; number++) {
      client.track({ userId: "node-rudder", event: "Clicked", properties: { number } }, told);
    }
    client.page({ userId: "node-rudder", name: "Shoes" }, told);
    await client.flush();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await client.flush();
    return { faults };
  },

  async browser() {
    const { JSDOM } = require("jsdom");
    const page = new JSDOM("<!doctype html><title>Shoes</title>", { url: "https://shop.example/shoes" });
    for (const name of ["window", "document", "localStorage", "location", "screen"]) {
      globalThis[name] = name === "window" ? page.window : page.window[name];
    }
    Object.defineProperty(globalThis, "navigator", { value: page.window.navigator, configurable: true });
    page.window.fetch = globalThis.fetch;
    const { AnalyticsBrowser } = require("@segment/analytics-next");
    const { host } = new URL(url);
    const integration = { apiKey: writeKey, apiHost: `${host}/v1`, protocol: "http", unbundledIntegrations: [] };
    const client = AnalyticsBrowser.load(
      { writeKey, cdnSettings: { integrations: { "Segment.io": integration } } },
      { integrations: { "Segment.io": { apiHost: `${host}/v1`, protocol: "http" } } },
    );
    await client.identify("web-segment", { email: "web-segment@shop.example", name: "Zoë" });
    await client.track("Clicked", { number: 1 });
    await client.page("Shoes");
    await new Promise((resolve) => setTimeout(resolve, 1500));
    return { faults: [] };
  },

  async openfeature() {
    const { OpenFeature } = require("@openfeature/server-sdk");
    const { OFREPProvider } = require("@openfeature/ofrep-provider");
    const provider = new OFREPProvider({ baseUrl: url, headers: [["Authorization", `Bearer ${writeKey}`]] });
    await OpenFeature.setProviderAndWait(provider);
    const client = OpenFeature.getClient();
    const context = { targetingKey: "node-flags" };
    const shown = await client.getObjectDetails("home_hero", {}, context);
    const unknown = await client.getObjectDetails("no_such_place", { mine: true }, context);
    return { value: shown.value, reason: shown.reason, unknown: unknown.errorCode, fallback: unknown.value };
  },
};

console.log(JSON.stringify(await clients[which]()));
process.exit(0);
