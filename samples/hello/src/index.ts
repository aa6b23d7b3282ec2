/** The smallest function: it says hello, and to whom. */
export default {
  fetch(request: Request): Response {
    const name = new URL(request.url).searchParams.get("name") ?? "world";
    return new Response(`hello, ${name}\n`);
  },
};
