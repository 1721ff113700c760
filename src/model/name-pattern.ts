// Patterns for one name in a path, as options take them.

/** What `*` (anything) and `?` (one character) mean in `pattern`. */
export function namePattern(pattern: string): RegExp {
  return new RegExp(`^${quote(pattern).replaceAll("*", ".*").replaceAll("?", ".")}$`, "su");
}

/** `text` as itself in an expression, but for `*` and `?`. */
export function quote(text: string): string {
  return text.replaceAll(/[\\^$.+()[\]{}|/]/gu, "\\$&");
}
