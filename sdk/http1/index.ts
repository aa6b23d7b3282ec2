export { bodyOf, type BodyHandlers, type BodyReader, headBytesMax } from "./body.ts";
export { type FieldRules, type MessageProblem, parseTrailers } from "./fields.ts";
export { fieldLine, fieldLines, isField, statusLine } from "./head-text.ts";
export { type ParsedRequest, parseRequest, type RequestHeadProblem } from "./request-head.ts";
export { type ParsedResponse, parseResponse } from "./response-head.ts";
