import { version } from "./version.ts";

/** One source: a component by `shallop build`, and what `server.ts` serves in the image of the Dockerfile. */
export default {
  fetch(request: Request): Response {
    return new Response(`hello from ${new URL(request.url).pathname}, ${version}\n`);
  },
};
