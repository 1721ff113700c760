// How much room text takes on a screen, and how names that come from anywhere are made fit for one.

/** What terminals draw two columns wide: East Asian scripts and most emoji (Unicode TR 11, W and F). */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u;
/** Drawn on top of what is before them. */
const MARK = /^[\p{Mn}\p{Me}]$/u;
const CONTROL = /[\p{Cc}\p{Cf}\u2028\u2029\ud800-\udfff]/gu;

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });

/** Columns that `text`, without control characters, takes. */
export function textWidth(text: string): number {
  // Most names: not worth a segmenter.
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += widthOf(segment);
  return width;
}

/** `text` in at most `columns`; the middle is left out, since a name's end tells as much as its start. */
export function fitText(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  if (columns < 1) return "";
  const room = columns - 1;
  const start = takeWidth(graphemes(text), Math.ceil(room / 2));
  const end = takeWidth(graphemes(text).reverse(), room - textWidth(start.join("")));
  return `${start.join("")}…${end.reverse().join("")}`;
}

/** The same, with the end left out: of a line. */
export function cutText(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  return columns < 1 ? "" : `${takeWidth(graphemes(text), columns - 1).join("")}…`;
}

/** `text` filled up with spaces. */
export function padText(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - textWidth(text)));
}

/** Control characters, and what turns the direction of writing, as escapes: they must not reach a terminal. */
export function printable(text: string): string {
  return text.replace(CONTROL, (found) => {
    const code = found.codePointAt(0) ?? 0;
    const named = { 0x09: "\\t", 0x0a: "\\n", 0x0d: "\\r" }[code];
    if (named !== undefined) return named;
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

function widthOf(grapheme: string): number {
  if (MARK.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}

function graphemes(text: string): string[] {
  return [...segmenter.segment(text)].map(({ segment }) => segment);
}

function takeWidth(from: readonly string[], columns: number): string[] {
  let width = 0;
  const taken: string[] = [];
  for (const each of from) {
    width += widthOf(each);
    if (width > columns) break;
    taken.push(each);
  }
  return taken;
}
