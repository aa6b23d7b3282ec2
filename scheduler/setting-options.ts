/** The flags of `scheduler/main.ts`, for `parseArgs`. */
export const settingOptions = {
  data: { type: "string" },
  host: { type: "string", default: "127.0.0.1" },
  port: { type: "string", default: "6443" },
  advertise: { type: "string", multiple: true },
  domain: { type: "string", default: "localhost" },
  "gateway-port": { type: "string", default: "8080" },
  registry: { type: "string", default: "http://127.0.0.1:5000" },
  "registry-secret": { type: "string" },
  "registry-alias": { type: "string", multiple: true },
  "registry-mirror": { type: "string", multiple: true },
  "acme-directory": { type: "string" },
  "acme-email": { type: "string" },
  "node-monitor-grace-period": { type: "string" },
  "default-unreachable-toleration-seconds": { type: "string" },
  autoscaler: { type: "string", multiple: true },
} as const;
