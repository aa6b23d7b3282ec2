// Libraries of the guest that bring no types of their own, as far as the guest uses them.

declare module "promise-polyfill" {
  const Promise: PromiseConstructor;
  export default Promise;
}

declare module "whatwg-url" {
  export class URL extends globalThis.URL {}
  export const URLSearchParams: typeof globalThis.URLSearchParams;
}

declare module "punycode/punycode.js" {
  const punycode: { toASCII(domain: string): string; toUnicode(domain: string): string };
  export default punycode;
}
