import { uptime } from "node:os";

export default {
  fetch(): Response {
    return new Response(`hello from a container, on a machine that is up for ${Math.round(uptime())} s\n`);
  },
};
