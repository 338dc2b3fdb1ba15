// What a page in TypeScript does with the types that are generated from the document. `tsc` must take all of it, and
// must refuse each line under `@ts-expect-error`.

import type { components, operations, paths } from "./segue";

type Decision = components["schemas"]["Decision"];
type Question = operations["decide"]["requestBody"]["content"]["application/json"];
type Problem = components["schemas"]["Problem"];
type Flag = paths["/ofrep/v1/evaluate/flags/{key}"]["post"]["responses"][200]["content"]["application/json"];
type Profile = operations["profiles_profile"]["responses"][200]["content"]["application/json"];

export const question: Question = { placement: "home_hero", userId: "ada", limit: 2, context: { page: "home" } };
// @ts-expect-error: a placement is needed
export const incomplete: Question = { userId: "ada" };
// @ts-expect-error: there is no such field
export const misspelt: Question = { placement: "home_hero", user_id: "ada" };

export function title(decision: Decision): string {
  const first = decision.actions[0];
  if (first === undefined) return String(decision.default?.["title"] ?? "");
  const tier: "service" | "lifecycle" | "promotional" = first.tier;
  // @ts-expect-error: a score is a number
  const score: string = first.score;
  return `${tier} ${first.content["title"]} ${first.trackingToken} ${first.expiresAt} ${score}`;
}

export const said = (problem: Problem): string => `${problem.status} ${problem.code}: ${problem.message}`;
export const variant = (flag: Flag): string => flag.variant;
export const name = (profile: Profile): string => profile.identifiers.map((link) => link.value).join();
