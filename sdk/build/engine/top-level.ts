/** A top level that sets a program up takes milliseconds; one that runs this long on a slow machine will not end. */
export const topLevelMsUsual = 20_000;
