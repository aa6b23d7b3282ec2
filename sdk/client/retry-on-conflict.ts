import { type Clock, systemClock } from "../internal/clock.ts";
import { errorCode } from "../internal/fault.ts";
import { type Random, systemRandom } from "../internal/random.ts";
import { backoffMs } from "./backoff.ts";

export interface RetryOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly signal?: AbortSignal;
  readonly attemptsMax?: number;
}

// As client-go's retry.DefaultRetry: five times, some 10 ms apart. Who loses five races in a row has a rival, not bad luck.
const attemptsMaxDefault = 5;
const bounds = { minMs: 10, maxMs: 100 };

/**
 * Runs `update`, which reads an object, changes it and writes it, anew for as long as the write is refused with
 * `Conflict` because somebody else wrote first. @throws what `update` throws; ApiFault Conflict after the last attempt
 */
export async function retryOnConflict<Result>(
  update: () => Promise<Result>,
  options: RetryOptions = {},
): Promise<Result> {
  const { clock = systemClock, random = systemRandom, signal, attemptsMax = attemptsMaxDefault } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await update();
    } catch (error) {
      if (errorCode(error) !== "Conflict" || attempt >= attemptsMax) throw error;
      await clock.sleep(backoffMs(attempt, bounds, random), signal);
    }
  }
}
