/** Text that streams for as long as both sides want. `gone` is aborted when the client leaves. */
export function streamResponse(chunks: AsyncIterable<Uint8Array>, gone: AbortController): Response {
  const iterator = chunks[Symbol.asyncIterator]();
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const next = await iterator.next();
          if (next.done === true) controller.close();
          else controller.enqueue(next.value);
        } catch {
          // The answer has begun: its end is all that can still be said. An agent that dies ends its logs.
          controller.close();
        }
      },
      cancel: async () => {
        gone.abort(new Error("the client is gone"));
        await iterator.return?.();
      },
    },
    { highWaterMark: 1 },
  );
  return new Response(body, { headers: { "content-type": "text/plain; charset=utf-8" } });
}
