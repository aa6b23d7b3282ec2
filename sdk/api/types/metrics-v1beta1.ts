// metrics.k8s.io/v1beta1: names, types and protobuf numbers of k8s.io/metrics 0.32, in the notation of type-table.ts.
export const metricsTypes = `
ContainerMetrics
  name string 1; usage map:quantity 2
NodeMetrics
  apiVersion string; kind string; metadata ObjectMeta 1; timestamp time 2; window string 3; usage map:quantity 4
PodMetrics
  apiVersion string; kind string; metadata ObjectMeta 1; timestamp time 2; window string 3;
  containers []ContainerMetrics 4
`;
