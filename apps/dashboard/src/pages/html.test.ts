import { expect, test } from 'vitest';
import { html } from './html.ts';

test('values are escaped, in text and in attributes', () => {
  const name = `<img src=x onerror="alert('1')">&amp;`;
  expect(html`<a title="${name}">${name}</a>`.markup).toBe(
    '<a title="&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;amp;">' +
      '&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;amp;</a>',
  );
});

test('markup of ours, lists of it, numbers and nothing', () => {
  const items = ['<a>', '<b>'].map((name) => html`<i>${name}</i>`);
  expect(html`<p>${items}${12}${undefined}</p>`.markup).toBe('<p><i>&lt;a&gt;</i><i>&lt;b&gt;</i>12</p>');
});

test('controls and marks that turn the direction of text are shown', () => {
  expect(html`${'\u001b[2J\u202egnp'}`.markup).toBe('\\u001b[2J\\u202egnp');
});
