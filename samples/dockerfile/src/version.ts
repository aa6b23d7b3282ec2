/** The Dockerfile's build stage writes another one. */
export const version = "as it is";
