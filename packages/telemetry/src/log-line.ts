/** Hides user and password of URLs, wherever in a line they are. */
export function hideUrlCredentials(line: string): string {
  return line.replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#"]+@/gi, '$1***@');
}

/**
 * The same JSON line, with what JSON leaves as it is but not everybody does written as \uXXXX: C1 controls and the line
 * breaks of Unicode, which some readers of lines and some terminals act on, and the marks that turn the direction of text.
 */
export function escapeBeyondJson(jsonLine: string): string {
  return jsonLine.replace(/[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, unicodeEscape);
}

/**
 * Makes a JSON line safe to be printed unescaped: a file name may hold sequences that drive a terminal, or line breaks
 * that look like further log lines. They are shown as escapes; a stack keeps its line breaks.
 */
export function escapeForTerminal(jsonLine: string): string {
  try {
    return `${JSON.stringify(escapeStrings(JSON.parse(jsonLine) as unknown, ''))}\n`;
  } catch {
    return `${escapeControls(jsonLine.trimEnd())}\n`;
  }
}

function escapeStrings(value: unknown, key: string): unknown {
  if (typeof value === 'string')
    return key === 'stack' ? value.split('\n').map(escapeControls).join('\n') : escapeControls(value);
  if (Array.isArray(value)) return value.map((item) => escapeStrings(item, key));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [escapeControls(name), escapeStrings(item, name)]),
  );
}

/** Text of strangers for a terminal: C0 and C1 controls, and the marks that turn the direction of text, as escapes. */
export function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, unicodeEscape);
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
