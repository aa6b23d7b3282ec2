/** Colour for terminals only; `NO_COLOR` (https://no-color.org) turns it off. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  red(text: string): string;
}

const paint =
  (open: number, close: number) =>
  (text: string): string =>
    `\u001b[${open}m${text}\u001b[${close}m`;

const colours: Style = {
  bold: paint(1, 22),
  dim: paint(2, 22),
  green: paint(32, 39),
  yellow: paint(33, 39),
  red: paint(31, 39),
};

const plain = (text: string): string => text;
const none: Style = { bold: plain, dim: plain, green: plain, yellow: plain, red: plain };

export const styleFor = (colour: boolean): Style => (colour ? colours : none);
