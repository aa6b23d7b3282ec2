import { beforeEach, describe, expect, test, vi } from "vitest";
import { runUntil } from "../wasi/loop.ts";
import { resetWasi } from "../wasi/wasi.fake.ts";
import { AbortController, AbortSignal, CustomEvent, Event, EventTarget } from "./abort.ts";

beforeEach(resetWasi);

describe("EventTarget", () => {
  test("calls listeners in order, each once for one event, functions and objects", () => {
    const target = new EventTarget();
    const seen: unknown[] = [];
    const listener = (event: Event): void => void seen.push([event.type, event.target === target]);
    target.addEventListener("a", listener);
    target.addEventListener("a", listener);
    target.addEventListener("a", { handleEvent: () => seen.push("object") });
    target.addEventListener("a", null);
    target.dispatchEvent(new Event("a"));
    target.dispatchEvent(new Event("b"));
    expect(seen).toEqual([["a", true], "object"]);
  });

  test("once, remove, signal", () => {
    const target = new EventTarget();
    const gone = new AbortController();
    const seen: string[] = [];
    const removed = (): void => void seen.push("removed");
    target.addEventListener("a", () => seen.push("once"), { once: true });
    target.addEventListener("a", () => seen.push("signal"), { signal: gone.signal });
    target.addEventListener("a", removed);
    target.removeEventListener("a", removed);
    target.dispatchEvent(new Event("a"));
    gone.abort();
    target.dispatchEvent(new Event("a"));
    target.addEventListener("a", () => seen.push("never"), { signal: gone.signal });
    target.dispatchEvent(new Event("a"));
    expect(seen).toEqual(["once", "signal"]);
  });

  test("says whether the default was prevented, and stops where it is told", () => {
    const target = new EventTarget();
    const seen: string[] = [];
    target.addEventListener("a", (event) => {
      event.preventDefault();
      event.stopImmediatePropagation();
    });
    target.addEventListener("a", () => seen.push("second"));
    expect(target.dispatchEvent(new Event("a", { cancelable: true }))).toBe(false);
    expect(target.dispatchEvent(new Event("a"))).toBe(true);
    expect(seen).toEqual([]);
  });

  test("a listener that throws is printed, and the next is called", () => {
    const printed = vi.spyOn(console, "error").mockReturnValue();
    const target = new EventTarget();
    let called = false;
    target.addEventListener("a", () => {
      throw new Error("on purpose");
    });
    target.addEventListener("a", () => (called = true));
    target.dispatchEvent(new Event("a"));
    expect(called).toBe(true);
    expect(printed).toHaveBeenCalledOnce();
    printed.mockRestore();
  });

  test("CustomEvent carries a detail", () => {
    expect(new CustomEvent("a", { detail: 5 }).detail).toBe(5);
  });
});

describe("AbortSignal", () => {
  test("is aborted once, with its reason, and tells", () => {
    const controller = new AbortController();
    const seen: string[] = [];
    controller.signal.onabort = () => seen.push("property");
    controller.signal.addEventListener("abort", () => seen.push("listener"));
    expect(() => controller.signal.throwIfAborted()).not.toThrow();
    controller.abort("first");
    controller.abort("second");
    expect([controller.signal.aborted, controller.signal.reason, seen]).toEqual([
      true,
      "first",
      ["property", "listener"],
    ]);
    expect(() => controller.signal.throwIfAborted()).toThrow("first");
  });

  test("without a reason gives an AbortError", () => {
    expect(AbortSignal.abort().reason).toMatchObject({ name: "AbortError" });
  });

  test("timeout aborts in time, with a TimeoutError", () => {
    const signal = AbortSignal.timeout(50);
    runUntil(() => signal.aborted);
    expect(signal.reason).toMatchObject({ name: "TimeoutError" });
  });

  test("any is aborted with the first, or at once", () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const any = AbortSignal.any([first.signal, second.signal]);
    second.abort("two");
    first.abort("one");
    expect(any.reason).toBe("two");
    expect(AbortSignal.any([first.signal]).reason).toBe("one");
  });
});
