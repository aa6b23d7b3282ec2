import { compilePattern, type HttpRouteMatch, type ValueMatch } from "@shallop/sdk/api";
import type { RoutedRequest } from "./rule.ts";

/** Whether a request is meant, its host and path aside. */
type Predicate = (request: RoutedRequest) => boolean;

export interface CompiledPredicates {
  /** Undefined: every request. */
  readonly holds: Predicate | undefined;
  readonly hasMethod: boolean;
  readonly headerCount: number;
  readonly queryCount: number;
}

/** Compiles the method, headers and query parameters of a match (HTTPRoute, `matches`). */
export function compilePredicates({ method, headers = [], queryParams = [] }: HttpRouteMatch): CompiledPredicates {
  const predicates: Predicate[] = [];
  if (method !== undefined) predicates.push((request) => request.method === method);
  // Of two matches of one header the first counts (HTTPHeaderMatch).
  for (const header of firstOfName(headers.map((one) => ({ ...one, name: one.name.toLowerCase() })))) {
    const accepts = valueTest(header);
    predicates.push((request) => {
      const value = headerValue(request.headers, header.name);
      return value !== undefined && accepts(value);
    });
  }
  for (const query of firstOfName(queryParams)) {
    const accepts = valueTest(query);
    predicates.push((request) => {
      const value = queryValue(request.target, query.name);
      return value !== undefined && accepts(value);
    });
  }
  const [only] = predicates;
  return {
    holds: predicates.length > 1 ? (request) => predicates.every((holds) => holds(request)) : only,
    hasMethod: method !== undefined,
    headerCount: headers.length,
    queryCount: queryParams.length,
  };
}

function firstOfName(matches: readonly ValueMatch[]): readonly ValueMatch[] {
  return matches.filter(({ name }, index) => matches.findIndex((other) => other.name === name) === index);
}

function valueTest({ type, value }: ValueMatch): (text: string) => boolean {
  if (type !== "RegularExpression") return (text) => text === value;
  const pattern = compilePattern(value);
  // The API admits none that is no pattern.
  return (text) => pattern?.test(text) ?? false;
}

/** All values of one header, joined as RFC 9110, 5.3 allows; undefined when there is none. */
export function headerValue(headers: readonly string[], name: string): string | undefined {
  let value: string | undefined;
  for (let index = 0; index < headers.length; index += 2) {
    if (headers[index] !== name) continue;
    value = value === undefined ? headers[index + 1] : `${value},${headers[index + 1]}`;
  }
  return value;
}

function queryValue(target: string, name: string): string | undefined {
  const question = target.indexOf("?");
  return question === -1 ? undefined : (new URLSearchParams(target.slice(question + 1)).get(name) ?? undefined);
}
