/** How far a pod is: on this machine, in this zone, or elsewhere. */
export type Distance = 0 | 1 | 2;

interface Placed {
  readonly distance: Distance;
  readonly outstanding: number;
  readonly slots: number;
}

/** Near pods may have this many times what the others have, and a few more: nearness is worth that and no more. */
const spillRatio = 2;
const spillSlack = 4;

/**
 * The pods to choose from: the nearest ones that have room and are not much busier than the others. All when nearness
 * tells nothing. `groups` are pods by distance, the nearest first, none empty.
 */
export function nearFirst<P extends Placed>(groups: readonly (readonly P[])[], all: readonly P[]): readonly P[] {
  if (groups.length <= 1) return all;
  const total = sumOf(all);
  const near = groups.find((group) => {
    const own = sumOf(group);
    const others = (total - own) / (all.length - group.length);
    const isFair = own / group.length <= spillRatio * others + spillSlack;
    return isFair && group.some((pod) => pod.outstanding < pod.slots);
  });
  return near ?? all;
}

const sumOf = (pods: readonly Placed[]): number => pods.reduce((sum, { outstanding }) => sum + outstanding, 0);

/** By distance, the nearest first. */
export function byDistance<P extends Placed>(pods: readonly P[]): readonly (readonly P[])[] {
  const distances: readonly Distance[] = [0, 1, 2];
  return distances
    .map((distance) => pods.filter((pod) => pod.distance === distance))
    .filter(({ length }) => length > 0);
}
