import { apiService, type CoreService, type EndpointSlice, type NewObject } from "@shallop/sdk/api";

/** Where the API server answers. */
export interface ApiServerEnd {
  readonly host: string;
  readonly port: number;
}

const { namespace, name, port } = apiService;
const portName = "https";

/** The Service `kubernetes`, as Kubernetes makes it, but for its address. Pods reach the API server by it; its nodes know the way. */
export function planApiService(server: ApiServerEnd): NewObject<CoreService> & Required<Pick<CoreService, "spec">> {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace, labels: { component: "apiserver", provider: "kubernetes" } },
    spec: {
      type: "ClusterIP",
      ports: [{ name: portName, protocol: "TCP", port, targetPort: server.port }],
    },
  };
}

/** Its slice has the service's own name: there is no selector that another one could follow from. */
export function planApiSlice({
  host,
  port: serverPort,
}: ApiServerEnd): NewObject<EndpointSlice> & Required<Pick<EndpointSlice, "ports">> {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name, namespace, labels: { "kubernetes.io/service-name": name } },
    addressType: addressTypeOf(host),
    endpoints: [{ addresses: [host], conditions: { ready: true } }],
    ports: [{ name: portName, protocol: "TCP", port: serverPort }],
  };
}

function addressTypeOf(host: string): EndpointSlice["addressType"] {
  if (host.includes(":")) return "IPv6";
  return /^[0-9.]+$/.test(host) ? "IPv4" : "FQDN";
}
