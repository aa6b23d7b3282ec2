import type { RequestStory } from "@shallop/sdk/wire";
import { Stories, type StoriesOptions } from "./stories.ts";

/** In one second: an application that answers nothing but 500 is one fault, and it is its own. */
const answersMax = 100;
const refusalsMax = 50;

/**
 * Stories of requests that ended with an error, whoever made it one. What pods fail at, what functions themselves answer, and
 * what clients do wrong have each a bound of its own: a flood of one takes no place from another.
 */
export class RequestStories {
  readonly #failures: Stories<RequestStory>;
  readonly #answers: Stories<RequestStory>;
  readonly #refusals: Stories<RequestStory>;

  constructor(options: Omit<StoriesOptions<RequestStory>, "pendingMax">) {
    this.#failures = new Stories(options);
    this.#answers = new Stories({ ...options, pendingMax: answersMax });
    this.#refusals = new Stories({ ...options, pendingMax: refusalsMax });
  }

  add(story: RequestStory): void {
    const isAnswer = story.code === "ANSWERED";
    if (story.revision === "" || (isAnswer && story.status < 500)) this.#refusals.add(story);
    else (isAnswer ? this.#answers : this.#failures).add(story);
  }

  close(): void {
    for (const stories of [this.#failures, this.#answers, this.#refusals]) stories.close();
  }
}
