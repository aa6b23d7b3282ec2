/** Names and addresses of Services inside a cluster: what the control plane gives and what nodes answer to pods. */

/** What every name of the cluster ends with. */
export const clusterDomain = "cluster.local";

const prefixLength = 13;
const size = 2 ** (32 - prefixLength);

/**
 * Addresses of Services, `clusterIP`. Nobody has a route there: on each node what a pod sends to one of them is led to
 * that Service, so that it does not matter who else uses these addresses.
 */
export const serviceRange = "10.96.0.0/13";
const serviceFirst = 0x0a_60_00_00;

/** Addresses that a node makes up for what its pods cannot reach by its own: they mean something on that node only. */
export const standInRange = "10.104.0.0/13";
const standInFirst = 0x0a_68_00_00;

/** How many there are of either; the first is kept free. */
export const clusterAddressesMax = size;

export const serviceAddress = (index: number): string => textOf(serviceFirst + (index % size));
export const standInAddress = (index: number): string => textOf(standInFirst + (index % size));

/** The Service that leads to the API server, on every cluster: `https://kubernetes.default.svc`. */
export const apiService = { namespace: "default", name: "kubernetes", address: serviceAddress(1), port: 443 } as const;

/** By which pods know the API server: what its certificate has to name. */
export const apiServiceNames: readonly string[] = [
  apiService.name,
  ...["", ".svc", `.svc.${clusterDomain}`].map((rest) => `${apiService.name}.${apiService.namespace}${rest}`),
];

function textOf(bits: number): string {
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".");
}

export const isServiceAddress = (text: string): boolean => isIn(serviceFirst, text);
export const isStandInAddress = (text: string): boolean => isIn(standInFirst, text);

function isIn(first: number, text: string): boolean {
  const bytes = /^\d{1,3}(\.\d{1,3}){3}$/.test(text) ? text.split(".").map(Number) : [];
  const bits = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  return bytes.length === 4 && bytes.every((byte) => byte < 256) && bits >= first && bits < first + size;
}
