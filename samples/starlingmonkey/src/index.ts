/** What only the other engine has: this answer is compressed as it is made. */
export default {
  fetch(request: Request): Response {
    const count = Math.min(Number(new URL(request.url).searchParams.get("count") ?? 1000) || 0, 100_000);
    const encoder = new TextEncoder();
    let number = 0;
    const numbers = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        if (number === count) return controller.close();
        const until = Math.min(number + 1000, count);
        let text = "";
        while (number < until) text += `${++number} is ${isPrime(number) ? "a prime" : "composite"}\n`;
        controller.enqueue(encoder.encode(text));
      },
    });
    return new Response(numbers.pipeThrough(new CompressionStream("gzip")), {
      headers: { "content-type": "text/plain", "content-encoding": "gzip" },
    });
  },
};

function isPrime(number: number): boolean {
  for (let divisor = 2; divisor * divisor <= number; divisor++) if (number % divisor === 0) return false;
  return number > 1;
}
