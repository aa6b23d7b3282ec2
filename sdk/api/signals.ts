/** What a revision can be scaled by. A load is the sum over its pods: so much of it is one pod to be responsible for. */
export const signalNames = ["concurrency", "rps", "queue", "cpu", "memory"] as const;
export type SignalName = (typeof signalNames)[number];

/** A smaller target would ask for more pods than there are requests. knative/serving pkg/apis/autoscaling: TargetMin. */
const signalTargetMin = 0.01;

/**
 * Reads the signals that a revision is scaled by beside its metric, `cpu=80,queue=5`, each with what a pod shall get of it.
 * @returns what is wrong, as a sentence, when it cannot be read
 */
export function parseSignals(text: string): ReadonlyMap<SignalName, number> | string {
  const targets = new Map<SignalName, number>();
  for (const part of text.split(",")) {
    const [word = "", value = "", ...more] = part.trim().split("=");
    const name = signalNames.find((each) => each === word);
    const target = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
    if (name === undefined || more.length > 0 || !(target >= signalTargetMin)) {
      return `must be a list such as cpu=80,queue=5 of ${signalNames.join(", ")}, each with a target of at least ${signalTargetMin}`;
    }
    if (targets.has(name)) return `must name ${name} once`;
    targets.set(name, target);
  }
  return targets;
}
