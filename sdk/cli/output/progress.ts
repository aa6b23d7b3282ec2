import type { Clock } from "../../internal/clock.ts";

/** Says what is being done, for work that may take longer than a second. */
export interface Progress {
  /** A new step has begun. */
  step(text: string): void;
  /** Something that stays to be read, beside what is being done. */
  line(text: string): void;
  /** All is done; what follows is the result. */
  done(): void;
}

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const frameMs = 100;

/** One line that changes in place on a terminal; elsewhere a line a step. Written to stderr, so that results can be piped. */
export function progressOn(stream: NodeJS.WriteStream, clock: Clock): Progress {
  const say = (text: string): void => void stream.write(`${text}\n`);
  if (!stream.isTTY) return { step: say, line: say, done: () => undefined };
  let current = "";
  let beganMs = clock.nowMs();
  const draw = (): void => {
    const elapsedMs = clock.nowMs() - beganMs;
    const frame = frames[Math.floor(elapsedMs / frameMs) % frames.length] ?? "";
    if (current !== "")
      stream.write(`\r\u001b[K${frame} ${current}${elapsedMs >= 1_000 ? ` (${Math.floor(elapsedMs / 1000)} s)` : ""}`);
  };
  const timer = clock.every(frameMs, draw);
  return {
    step: (text) => {
      current = text;
      beganMs = clock.nowMs();
      draw();
    },
    line: (text) => {
      stream.write(`\r\u001b[K${text}\n`);
      draw();
    },
    done: () => {
      timer.cancel();
      stream.write("\r\u001b[K");
    },
  };
}
