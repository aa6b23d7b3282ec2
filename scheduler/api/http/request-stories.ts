import { ApiFault, isJsonObject, type Json, listAt, numberAt, textAt } from "@shallop/sdk/api";
import type { Clock } from "@shallop/sdk/internal";
import type { RequestAttempt, RequestStory } from "@shallop/sdk/wire";
import { badRequest } from "../faults.ts";
import { gatewayUserName, mastersGroup, type User } from "../user.ts";
import { readObject } from "./request-body.ts";

/** A story has some 700 bytes: 14 MiB. At two failures a second it is a morning. */
const storiesMax = 20_000;
/** Of errors that functions themselves have answered: one that goes on with it takes no place from what fails. */
const answersMax = 5_000;
/** Of requests that came no further than a gateway, or were answered 4xx: what clients do wrong takes no place from the others. */
const refusalsMax = 5_000;
/** In one report, and attempts of one story. */
const reportMax = 1_000;
const attemptsMax = 50;
/** A path may be as long as a request's head; its beginning tells enough. */
const textMax = 500;

/** What became of requests that failed: gateways tell, people ask. In memory: it is of use for as long as it is fresh. */
export class RequestStories {
  readonly #failures = new Map<string, RequestStory>();
  readonly #answers = new Map<string, RequestStory>();
  readonly #refusals = new Map<string, RequestStory>();

  /** POST /shallop/v1/stories. @throws ApiFault Forbidden, BadRequest */
  async receive(request: Request, user: User, clock: Clock): Promise<Response> {
    if (user.name !== gatewayUserName && !user.groups.includes(mastersGroup)) {
      throw new ApiFault("Forbidden", `forbidden: User "${user.name}" cannot post path "/shallop/v1/stories"`);
    }
    const { value } = await readObject(request, clock);
    const stories = listAt(value, "stories");
    if (stories.length > reportMax) throw badRequest(`stories: at most ${reportMax}`);
    for (const story of stories.map(parseStory)) this.#keep(story);
    return new Response(null, { status: 204 });
  }

  /** @throws ApiFault NotFound */
  get(id: string): RequestStory {
    const story = this.#failures.get(id) ?? this.#answers.get(id) ?? this.#refusals.get(id);
    if (story !== undefined) return story;
    const why =
      "those that failed are kept, the last 20,000 since the control plane started, 5,000 that functions answered with 5xx, and 5,000 with 4xx";
    throw new ApiFault("NotFound", `nothing is known of request ${JSON.stringify(id)}: ${why}`);
  }

  #keep(story: RequestStory): void {
    const [kept, most] = this.#placeOf(story);
    kept.delete(story.id);
    kept.set(story.id, story);
    for (const oldest of kept.keys()) {
      if (kept.size <= most) break;
      kept.delete(oldest);
    }
  }

  #placeOf({ revision, code, status }: RequestStory): readonly [Map<string, RequestStory>, most: number] {
    const isAnswer = code === "ANSWERED";
    if (revision === "" || (isAnswer && status < 500)) return [this.#refusals, refusalsMax];
    return isAnswer ? [this.#answers, answersMax] : [this.#failures, storiesMax];
  }
}

/** @throws ApiFault BadRequest */
function parseStory(story: Json, index: number): RequestStory {
  if (!isJsonObject(story)) throw badRequest(`stories[${index}]: must be an object`);
  const text = (from: Json, field: string): string => (textAt(from, field) ?? "").slice(0, textMax);
  const amount = (from: Json, field: string): number => {
    const value = numberAt(from, field);
    if (value === undefined || !Number.isFinite(value) || value < 0)
      throw badRequest(`stories[${index}].${field}: must be a number, at least 0`);
    return value;
  };
  const id = text(story, "id");
  if (id === "") throw badRequest(`stories[${index}].id: Required value`);
  const attempts = listAt(story, "attempts")
    .slice(0, attemptsMax)
    .map((attempt): RequestAttempt => ({
      pod: text(attempt, "pod"),
      node: text(attempt, "node"),
      fromMs: amount(attempt, "fromMs"),
      toMs: amount(attempt, "toMs"),
      outcome: text(attempt, "outcome"),
    }));
  return {
    id,
    at: text(story, "at"),
    namespace: text(story, "namespace"),
    revision: text(story, "revision"),
    method: text(story, "method"),
    host: text(story, "host"),
    path: text(story, "path"),
    client: text(story, "client"),
    code: text(story, "code"),
    status: amount(story, "status"),
    reason: text(story, "reason"),
    queueMs: amount(story, "queueMs"),
    durationMs: amount(story, "durationMs"),
    answerBegun: story["answerBegun"] === true,
    attempts,
  };
}
