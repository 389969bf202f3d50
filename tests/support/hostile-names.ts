/** What stands between `cdr_voice_` or `cdr_data_` and `.csv`: whatever a file system takes. */
export const HOSTILE_NAMES: readonly string[] = [
  // parts of Redis keys, and what BullMQ calls its own
  ':',
  '2024:01:01',
  'wait',
  'active',
  'delayed',
  'meta',
  'id',
  '0',
  // quotes, and what shells, SQL, JSON, globs and templates make of a name
  `"double"`,
  `'single'`,
  '`back`',
  '$(id);&|',
  '{"a":1}',
  '*?[x]',
  '\\..\\..\\etc',
  '..',
  // what a terminal or a log takes for more than text
  'two\nlines',
  'carriage\rreturn',
  'tab\tand\x01\x7f',
  '\x1b[31mred\x1b[0m\x07',
  'right\u202eto left',
  '\u2028line\u2029paragraph\u0085',
  // what a page takes for more than text
  '<img src=x onerror=alert(1)>',
  '&lt;b&gt; &amp;',
  // escapes of other worlds, and our own
  '100%',
  '%2e%2e%00%41',
  '~2e~3a',
  'f-~',
  // spaces where nobody looks for them
  ' ',
  ' leading and trailing ',
  '\u00a0\ufeff',
  // names that differ by case or by Unicode form only, and look-alikes
  'CASE',
  'case',
  'caf\u00e9',
  'cafe\u0301',
  'a\u2215b\uff0fc\uff1a',
  '\u{1f600}\u{1f468}\u200d\u{1f469}',
  '話単',
  // as long as a file system allows: 255 bytes
  'x'.repeat(241),
  `${'\u8a71'.repeat(80)}y`,
];
