/** For flags that may be repeated. */
export const collect = (value: string, all: readonly string[]): readonly string[] => [...all, value];
