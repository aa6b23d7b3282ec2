/**
 * What a guest has written, made harmless for a terminal: control characters other than tab and newline are shown as
 * `^X`, so that no log line can move the cursor, change the title or hide itself.
 */
export const printable = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- these are what it is about
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f\u0080-\u009f]/g, (char) => {
    const code = char.charCodeAt(0);
    return code < 0x20 ? `^${String.fromCharCode(code + 0x40)}` : code === 0x7f ? "^?" : "\ufffd";
  });
