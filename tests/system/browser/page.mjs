// A page of a shop, of another origin than the engine: the clients from npm as their documentation has them used, and what
// a page does by itself. `drive.mjs` calls these one after the other.

import { AnalyticsBrowser } from "@segment/analytics-next";
import { OpenFeature } from "@openfeature/web-sdk";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";

const user = "page-visitor";

window.browse = async (url, writeKey) => {
  const client = AnalyticsBrowser.load({ writeKey, cdnURL: url }); // it asks for its settings, and sends where they say
  await client.identify(user, { email: `${user}@shop.example`, name: "Zoë" });
  await client.page("Shoes");
  await client.track("Clicked", { number: 1, label: "Größe 38 🧡" });
  return (await client.user()).anonymousId();
};

// Batches wait for ten events or five seconds, so these are still in the page when it is left.
window.browseInBatches = async (url, writeKey) => {
  const common = { apiHost: `${new URL(url).host}/v1`, protocol: "http", deliveryStrategy: { strategy: "batching" } };
  const client = AnalyticsBrowser.load(
    { writeKey, cdnSettings: { integrations: { "Segment.io": { apiKey: writeKey, unbundledIntegrations: [], ...common } } } },
    { integrations: { "Segment.io": common } },
  );
  await client.identify(user);
  await Promise.all([0, 1, 2].map((number) => client.track("Scrolled", { number })));
};

window.decide = async (url, writeKey) => {
  const answer = await fetch(`${url}/v1/decide`, {
    method: "POST",
    headers: { authorization: `Bearer ${writeKey}`, "content-type": "application/json" },
    body: JSON.stringify({ userId: user, placement: "home_hero" }),
  });
  const { actions } = await answer.json();
  const { trackingToken } = actions[0];
  const shown = await fetch(`${url}/v1/exposures`, {
    method: "POST",
    headers: { authorization: `Bearer ${writeKey}`, "content-type": "application/json" },
    body: JSON.stringify({ trackingToken, event: "viewed" }),
  });
  navigator.sendBeacon(`${url}/v1/exposures`, JSON.stringify({ writeKey, trackingToken, event: "clicked" }));
  return { status: answer.status, content: actions[0].content, exposed: shown.status, id: answer.headers.get("x-request-id") };
};

window.refused = async (url) => {
  const answer = await fetch(`${url}/v1/decide`, { method: "POST", headers: { authorization: "Bearer nobody's" }, body: "{}" });
  return { status: answer.status, code: (await answer.json()).code };
};

window.flags = async (url, writeKey) => {
  const headers = [["Authorization", `Bearer ${writeKey}`]];
  await OpenFeature.setContext({ targetingKey: user });
  await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl: url, headers, pollInterval: 0 }));
  const client = OpenFeature.getClient();
  const shown = client.getObjectDetails("home_hero", {});
  return { value: shown.value, reason: shown.reason, unknown: client.getObjectDetails("no_such_place", {}).errorCode };
};

// A beacon carries no headers of its own: the key stands in the body.
window.beacon = (url, writeKey) =>
  navigator.sendBeacon(`${url}/v1/t`, JSON.stringify({ writeKey, userId: user, event: "Left", messageId: "left-1" }));
