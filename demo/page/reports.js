/** The ratings page: the three tables of the reports, each row with a bar. */

import { make } from '/extension/shared/dom.js'

/**
 * @typedef {Record<string, string | number | null>} Row
 * @typedef {{columns: string[], rows: Row[], note: string}} Report
 * @typedef {{name: 'counts' | 'shares' | 'means', title: string, digits: number,
 *   parts: (row: Row, columns: string[]) => [number, string][]}} Table
 */

const WIDTH = 160
const HEIGHT = 12
const SVG = 'http://www.w3.org/2000/svg'
const SCORES = ['1', '2', '3', '4', '5']

/** @type {Table[]} */
const TABLES = [
  {
    name: 'means',
    title: 'Weighted mean by model, from 1 to 5',
    digits: 2,
    parts: (row, columns) =>
      columns
        .slice(1, columns.indexOf('total'))
        .map((criterion, index) => [number(row, criterion) / SCORES.length, `part-${index + 1}`]),
  },
  {
    name: 'shares',
    title: 'Negative and positive',
    digits: 1,
    parts: (row) => [
      [number(row, 'negative %') / 100, 'bad'],
      [number(row, 'positive %') / 100, 'good'],
    ],
  },
  {
    name: 'counts',
    title: 'How often each score was given',
    digits: 0,
    parts: (row) => SCORES.map((score) => [number(row, score) / (number(row, 'n') || 1), `step-${score}`]),
  },
]

/**
 * @param {Row} row
 * @param {string} column
 */
function number(row, column) {
  return Number(row[column] ?? 0)
}

/**
 * Fetch the reports and draw them.
 *
 * @param {HTMLElement} root
 */
export async function showReports(root) {
  root.setAttribute('aria-busy', 'true')
  try {
    const reports = await Promise.all(TABLES.map(({ name }) => load(name)))
    const isEmpty = reports.every((report) => report.rows.length === 0)
    const intro = isEmpty
      ? 'Nothing is rated yet. Open a ticket, ask for replies and press Rate under each of the three.'
      : 'What raters said of each model. n is how many scores stand behind a figure: with few of them, differences mean little.'
    const tables = TABLES.map((table, index) => section(table, reports[index] ?? { columns: [], rows: [], note: '' }))
    root.replaceChildren(make('h1', {}, 'Ratings'), make('p', { class: 'lead' }, intro), ...(isEmpty ? [] : tables))
  } catch (error) {
    const sentence = error instanceof Error ? error.message : String(error)
    root.replaceChildren(make('h1', {}, 'Ratings'), make('p', { class: 'lead' }, sentence))
  } finally {
    root.removeAttribute('aria-busy')
  }
}

/**
 * @param {string} name
 * @returns {Promise<Report>}
 */
async function load(name) {
  const response = await fetch(`/api/v1/reports/${name}?rubric=quality&format=json`)
  if (!response.ok) throw new Error(`The ratings could not be loaded (${response.status}). Reload the page.`)
  return response.json()
}

/**
 * @param {Table} table
 * @param {Report} report
 */
function section({ name, title, digits, parts }, report) {
  const columns = report.columns.filter((column) => !column.startsWith('n '))
  const head = columns.map((column) => make('th', { scope: 'col', class: column === 'criterion' && 'text' }, column))
  const body = report.rows.map((row, index) => {
    const isSameModel = row['model'] === report.rows[index - 1]?.['model']
    const cells = columns.map((column) => cell(row, column, digits))
    const drawn = bar(parts(row, report.columns))
    return make('tr', { class: isSameModel && 'same' }, ...cells, make('td', { class: 'bar-cell' }, drawn))
  })
  const csv = make('a', { href: `/api/v1/reports/${name}?rubric=quality&format=csv`, download: `${name}.csv` }, 'CSV')
  return make(
    'div',
    { class: 'report', 'data-report': name },
    make('div', { class: 'report-head' }, make('h2', {}, title), csv),
    make('p', {}, report.note),
    make(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': title },
      make('table', {}, make('thead', {}, make('tr', {}, ...head, make('td', {}))), make('tbody', {}, ...body)),
    ),
  )
}

/**
 * A figure, with how many scores stand behind it where the report says so.
 *
 * @param {Row} row
 * @param {string} column
 * @param {number} digits
 */
function cell(row, column, digits) {
  const value = row[column] ?? '–'
  if (column === 'model') return make('th', { scope: 'row' }, String(value))
  const isCount = column === 'n' || column === 'ratings'
  const shown = typeof value === 'number' && !isCount ? value.toFixed(digits) : String(value)
  const behind = row[`n ${column}`]
  const count = behind === undefined ? [] : [make('small', {}, `n ${behind ?? 0}`)]
  return make('td', { class: typeof value === 'string' ? 'text' : column === 'total' && 'total' }, shown, ...count)
}

/**
 * A bar of parts, each with its share of the whole and its look.
 *
 * @param {[number, string][]} parts
 */
function bar(parts) {
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`)
  svg.setAttribute('class', 'bar-chart')
  svg.setAttribute('aria-hidden', 'true')
  svg.append(part(0, 1, 'track'))
  let from = 0
  for (const [share, look] of parts) {
    svg.append(part(from, share, look))
    from += share
  }
  return svg
}

/**
 * @param {number} from
 * @param {number} share
 * @param {string} look
 */
function part(from, share, look) {
  const rect = document.createElementNS(SVG, 'rect')
  rect.setAttribute('x', String(from * WIDTH))
  rect.setAttribute('width', String(share * WIDTH))
  rect.setAttribute('height', String(HEIGHT))
  rect.setAttribute('class', look)
  return rect
}
