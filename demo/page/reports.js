/** The ratings page: the three tables of the reports, each row with a bar. */

import { make } from '/extension/shared/dom.js'

/**
 * @typedef {Record<string, string | number | null>} Row
 * @typedef {{columns: string[], rows: Row[]}} Report
 * @typedef {{name: 'counts' | 'shares' | 'means', title: string, text: string,
 *   bar: (row: Row) => SVGElement}} Table
 */

const WIDTH = 160
const HEIGHT = 12
const SVG = 'http://www.w3.org/2000/svg'

/** @type {Table[]} */
const TABLES = [
  {
    name: 'means',
    title: 'Weighted mean by model',
    text: 'Each criterion from 1 to 5, and the total by the weights of the rubric.',
    bar: (row) => bar([[Number(row['total'] ?? 0) / 5, 'good']]),
  },
  {
    name: 'shares',
    title: 'Negative and positive',
    text: '1 and 2 count as negative, 3 to 5 as positive, in percent.',
    bar: (row) => bar([[Number(row['negative']) / 100, 'bad'], [Number(row['positive']) / 100, 'good']]),
  },
  {
    name: 'counts',
    title: 'How often each score was given',
    text: 'Scores from 1 (lowest) to 5 (highest).',
    bar: (row) => {
      const counts = ['1', '2', '3', '4', '5'].map((score) => Number(row[score] ?? 0))
      const sum = counts.reduce((total, count) => total + count, 0) || 1
      return bar(counts.map((count, index) => [count / sum, `step-${index + 1}`]))
    },
  },
]

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
      : 'What raters said of each model. n is the number of ratings behind a row: with few of them, differences mean little.'
    const tables = TABLES.map((table, index) => section(table, reports[index] ?? { columns: [], rows: [] }))
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
function section({ name, title, text, bar: draw }, { columns, rows }) {
  const head = columns.map((column) => make('th', { scope: 'col' }, column))
  const body = rows.map((row) => {
    const cells = columns.map((column, index) =>
      index === 0 ? make('th', { scope: 'row' }, shown(row[column])) : make('td', {}, shown(row[column])),
    )
    return make('tr', {}, ...cells, make('td', { class: 'bar-cell' }, draw(row)))
  })
  const csv = make('a', { href: `/api/v1/reports/${name}?rubric=quality&format=csv`, download: `${name}.csv` }, 'CSV')
  return make(
    'section',
    { class: 'report', 'data-report': name, 'aria-labelledby': `report-${name}` },
    make('header', {}, make('h2', { id: `report-${name}` }, title), csv),
    make('p', {}, text),
    make(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': title },
      make('table', {}, make('thead', {}, make('tr', {}, ...head, make('td', {}))), make('tbody', {}, ...body)),
    ),
  )
}

/** @param {string | number | null | undefined} value */
function shown(value) {
  if (value === null || value === undefined) return '–'
  return typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(2) : String(value)
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
