import { crypto } from "./crypto.ts";
import { defineGlobals } from "./first.ts";
import { CryptoKey, subtle } from "./subtle.ts";

/** Beside `install.ts`, for functions that name `crypto.subtle`: it is a fortieth of a small component, which others spare. */
defineGlobals({ CryptoKey });
Object.defineProperty(crypto, "subtle", { value: subtle, enumerable: true, configurable: true });
