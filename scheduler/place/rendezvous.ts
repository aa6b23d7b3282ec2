/**
 * Rendezvous (highest random weight) hashing: each pair of key and node has a weight of its own, and a key belongs to
 * the nodes where it weighs most. A node that goes takes nothing with it but the keys it had, and a node that comes
 * takes only what it now weighs most for. Thaler and Ravishankar, "Using name-based mappings to increase hit rates".
 */
export function rendezvousOrder(key: string, nodes: readonly string[]): readonly string[] {
  return nodes
    .map((node) => ({ node, weight: weightOf(key, node) }))
    .sort((a, b) => b.weight - a.weight || (a.node < b.node ? -1 : 1))
    .map(({ node }) => node);
}

/** FNV-1a over both names, then MurmurHash3's finaliser, so that names that differ in their last letter lie far apart. */
function weightOf(key: string, node: string): number {
  // No name holds a zero character: "ab" on "c" and "a" on "bc" differ.
  const text = `${key}\0${node}`;
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
