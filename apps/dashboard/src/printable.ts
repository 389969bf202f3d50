const LONGEST = 500;
/** Controls, line and paragraph separators, what is invisible, and what turns the direction of text. */
const HARMFUL = /[\p{Cc}\p{Zl}\p{Zp}\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/gu;

/**
 * Text of strangers (file names, user names, failure reasons) for a page or a log line: controls, invisible characters
 * and marks that turn the direction of text are shown as escapes, and what is long is cut.
 */
export function printable(text: string, longest = LONGEST): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return cut.toWellFormed().replace(HARMFUL, escape);
}

/** The same for every string in a JSON value, keys included; nothing is cut, and lines and tabs stay as they are. */
export function printableJson(value: unknown): unknown {
  if (typeof value === 'string') return printableText(value);
  if (Array.isArray(value)) return value.map(printableJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [printableText(key), printableJson(item)]));
}

function printableText(text: string): string {
  return text
    .toWellFormed()
    .replace(HARMFUL, (character) => (character === '\n' || character === '\t' ? character : escape(character)));
}

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
