import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { unknownLinks } from '../../extension/shared/links.js'
import { plainText } from '../../extension/shared/plain_text.js'
import { clean } from '../../extension/shared/reply_text.js'
import { MARK, richText } from '../../extension/shared/rich_text.js'

const HOSTS = ['help.example.org', '*.shop.example', 'wiki.example:8443']
const HELP = 'https://help.example.org/reset'
/** @type {{name: string, given: string, kept: string}[]} */
const CASES = JSON.parse(await readFile(new URL('../reply_text_cases.json', import.meta.url), 'utf8'))

describe('what is kept of a reply', () => {
  for (const { name, given, kept } of CASES) {
    test(name, () => {
      assert.equal(clean(given), kept)
      assert.equal(clean(kept), kept)
    })
  }
})

describe('text becomes HTML', () => {
  for (const [given, html] of /** @type {const} */ ([
    ['Hello Ana,\n\nthank you.\nBye', '<p>Hello Ana,</p><p>thank you.<br>Bye</p>'],
    ['Do this:\n1. One\n2. Two\n\n3. Three\nDone', '<p>Do this:</p><ol><li>One</li><li>Two</li><li>Three</li></ol><p>Done</p>'],
    ['- a\n* b\n• c', '<ul><li>a</li><li>b</li><li>c</li></ul>'],
    ['1. One\n   more of it\n2. Two', '<ol><li>One<br>more of it</li><li>Two</li></ol>'],
    ['3. Third\n5. Fifth', '<p>3. Third<br>5. Fifth</p>'],
    ['2026. A year', '<p>2026. A year</p>'],
    ['## Steps\nGo', '<p><b>Steps</b></p><p>Go</p>'],
    ['**bold** and *it* and _so_', '<p><b>bold</b> and <i>it</i> and <i>so</i></p>'],
    ['**bold *both***', '<p><b>bold *both</b>*</p>'],
    ['snake_case_name 2 * 3 * 4 ** 5', '<p>snake_case_name 2 * 3 * 4 ** 5</p>'],
    ['', ''],
    [`See ${HELP}.`, `<p>See <a href="${HELP}">${HELP}</a>.</p>`],
    [`[our page](${HELP})`, `<p><a href="${HELP}">our page</a></p>`],
    [`**[our page](${HELP})**`, `<p><b><a href="${HELP}">our page</a></b></p>`],
    ['www.eu.shop.example/a(b)', '<p><a href="https://www.eu.shop.example/a(b)">www.eu.shop.example/a(b)</a></p>'],
    ['(https://wiki.example:8443/x)', '<p>(<a href="https://wiki.example:8443/x">https://wiki.example:8443/x</a>)</p>'],
    ['https://evil.example/x', `<p>${MARK}https://evil.example/x</p>`],
    ['[our page](https://evil.example)', `<p>our page (${MARK}https://evil.example)</p>`],
    ['![logo](https://evil.example/p.png?q=1)', `<p>logo (${MARK}https://evil.example/p.png?q=1)</p>`],
    [`![](${HELP})`, `<p><a href="${HELP}">${HELP}</a></p>`],
    ['[x](javascript:alert(1))', `<p>x (${MARK}javascript:alert(1))</p>`],
    ['[x](data:text/html;base64,PHM+)', `<p>x (${MARK}data:text/html;base64,PHM+)</p>`],
    [`[https://evil.example](${HELP})`, `<p>${MARK}https://evil.example (<a href="${HELP}">${HELP}</a>)</p>`],
    ['https://help.example.org@evil.example/', `<p>${MARK}https://help.example.org@evil.example/</p>`],
    ['https://help.example.org.evil.example', `<p>${MARK}https://help.example.org.evil.example</p>`],
    ['https://help.example.org:8443/', `<p>${MARK}https://help.example.org:8443/</p>`],
    ['evil.example/login', `<p>${MARK}evil.example/login</p>`],
    ['ana@help.example.org or and/or 1/2', '<p>ana@help.example.org or and/or 1/2</p>'],
    ['<b>no</b> & "so" \'it\'', '<p>&lt;b&gt;no&lt;/b&gt; &amp; &quot;so&quot; &#39;it&#39;</p>'],
    ['https://help.example.org/"onmouseover=x', '<p><a href="https://help.example.org/">https://help.example.org/</a>&quot;onmouseover=x</p>'],
  ])) {
    test(JSON.stringify(given), () => assert.equal(richText(given, HOSTS), html))
  }
})

const HOSTILE = [
  '<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '<svg onload=alert(1)>', '<style>*{background:url(//e.example)}</style>',
  '[a][1]\n\n[1]: https://evil.example/?q=secret', '![a](//evil.example/p.png)', '<base href=//evil.example>', '<form action=//evil.example>',
  '<!-- hidden -->', '&lt;script&gt;', '**<i onclick=x>**', '[<img src=x>](https://help.example.org/)', `[a](${HELP} "x" onclick=y)`,
  'https://help.example.org/<script>', 'jav\u200bascript:alert(1)', '[x](jav\tascript:alert(1))', '\u202e<b>', '[x](vbscript:x)',
  '[x](https://help.example.org/\'onclick=\'x)', `[${'['.repeat(500)}](x)`, '*'.repeat(3000), '[a]('.repeat(2000), '_a '.repeat(3000), `${'a.'.repeat(5000)}/`,
  `https://e.example/${'.'.repeat(9000)}x`, '**a '.repeat(2000), '- '.repeat(2000), '<'.repeat(4000), 'http://'.repeat(1000),
]

describe('hostile replies', () => {
  const tag = /<(?:\/?(?:p|b|i|ul|ol|li)|br|\/a|a href="https?:\/\/(?:help\.example\.org|wiki\.example:8443|[\w.-]+\.shop\.example)\/[^"<>\s]*")>/g
  for (const text of HOSTILE) {
    test(JSON.stringify(text.slice(0, 60)), () => {
      const begun = performance.now()
      const html = richText(text, HOSTS)
      unknownLinks(text, HOSTS)
      assert.ok(performance.now() - begun < 500, 'too slow')
      assert.doesNotMatch(html.replace(tag, ''), /[<>"']/)
      assert.equal(html.split('<a ').length, html.split('</a>').length)
    })
  }

  test('what has to be checked before sending is named once', () => {
    const text = `${HELP} [a](https://evil.example/1) https://evil.example/2 www.other.example [x](javascript:alert(1)) [${HELP}](http://third.example)`
    assert.deepEqual(unknownLinks(text, HOSTS), ['evil.example', 'www.other.example', 'javascript:alert(1)', 'third.example'])
    assert.deepEqual(unknownLinks('No link. At 10:30, and/or later; see section 3.2/b.', HOSTS), [])
  })
})

describe('the text of a ticket', () => {
  for (const [given, text] of /** @type {const} */ ([
    ['<div>I cannot<br/>log in.</div><p>Help &amp; thanks&nbsp;&#128578;&#x41;</p>', 'I cannot\nlog in.\n\nHelp & thanks 🙂A'],
    ['<style>p{}</style><script>x()</script><ul><li>a</li><li>b</li></ul><!-- no -->', '- a\n- b'],
    ['if a < b and c > d: 5 <6', 'if a < b and c > d: 5 <6'],
    ['I wrote\n<your name> & x<y', 'I wrote\n<your name> & x<y'],
    ['<p>one\n  two</p>\n<p>three', 'one two\n\nthree'],
    ['&lt;b&gt; stays as it is', '&lt;b&gt; stays as it is'],
    ['  plain\nlines ', 'plain\nlines'],
    ['<p>&#0;&#x110000;&unknown;</p>', '&#0;&#x110000;&unknown;'],
  ])) {
    test(JSON.stringify(given), () => assert.equal(plainText(given), text))
  }

  for (const piece of [' ', '<!--', '<style>', '<br', '<p ', '</p', '&#1', '\n', '<li>', '> ']) {
    test(`100 kB of ${JSON.stringify(piece)} are read at once`, () => {
      const begun = performance.now()
      plainText(`<p>${piece.repeat(100_000 / piece.length)}x`)
      assert.ok(performance.now() - begun < 500, 'too slow')
    })
  }

  test('what is no text is none', () => assert.deepEqual([null, undefined, 7, {}].map(plainText), ['', '', '', '']))
})
