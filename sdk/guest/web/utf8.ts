// QuickJS has no function from UTF-8 to text, and to go through a text byte by byte costs it 40 ns a byte. It does have base64,
// whose way from bytes to text of as many units takes 6 ns for both steps, and percent-encoding, which reads UTF-8.

/** The text, or undefined when the bytes are not well-formed UTF-8. A byte order mark stays. */
export function textOf(bytes: Uint8Array): string | undefined {
  const text = atob(bytes.toBase64());
  if (isAscii(text, bytes)) return text;
  try {
    return decodeURIComponent(escape(text));
  } catch {
    return undefined;
  }
}

/** UTF-8 of `text`; what is no whole character in it becomes U+FFFD. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  let bytes: Uint8Array<ArrayBuffer> | undefined;
  try {
    bytes = Uint8Array.fromBase64(btoa(text));
  } catch {
    // A unit above 0xff.
  }
  if (bytes !== undefined && isAscii(text, bytes)) return bytes;
  return Uint8Array.fromBase64(btoa(unescape(encodeURIComponent(text.toWellFormed()))));
}

/** So short that the words of the bytes would be no quicker to look at. */
const shortBytes = 256;

// oxlint-disable-next-line no-control-regex -- the control characters are ASCII
const ascii = /^[\0-\x7f]*$/;

function isAscii(text: string, bytes: Uint8Array): boolean {
  if (bytes.length < shortBytes) return ascii.test(text);
  const whole = bytes.byteOffset % wordBytes === 0 ? bytes : bytes.slice();
  const words = new Int32Array(whole.buffer, whole.byteOffset, Math.floor(whole.length / wordBytes));
  const unrolled = words.length - (words.length % 8);
  for (let at = 0; at < unrolled; at += 8) {
    // Eight at once: what an interpreter spends on a loop it spends once.
    const any =
      words[at]! |
      words[at + 1]! |
      words[at + 2]! |
      words[at + 3]! |
      words[at + 4]! |
      words[at + 5]! |
      words[at + 6]! |
      words[at + 7]!;
    if ((any & highBits) !== 0) return false;
  }
  for (let at = unrolled * wordBytes; at < whole.length; at++) if (whole[at]! > 0x7f) return false;
  return true;
}

const wordBytes = 4;
/** Of each byte of a word. */
const highBits = 0x8080_8080;
