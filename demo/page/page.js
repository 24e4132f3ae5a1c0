/** The demo help desk's page: joins the desk, its drawing, the panel and the ratings. */

import { Api } from '/extension/shared/api.js'
import { mountPanel } from '/extension/shared/panel.js'
import { languageFor } from '/extension/shared/translations.js'
import { Desk } from './desk.js'
import { DeskView } from './desk_view.js'
import { HostPage } from './host_page.js'
import { showReports } from './reports.js'

/**
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
function part(id, kind) {
  const found = document.getElementById(id)
  if (found instanceof kind) return found
  throw new Error(`The page has no ${kind.name} #${id}.`)
}

/** Show the page that the address names: `#ratings`, or tickets and the one in `#ticket=…`. */
function showPage(/** @type {Desk} */ desk) {
  const isRatings = location.hash === '#ratings'
  part('tickets', HTMLElement).hidden = isRatings
  part('ratings-page', HTMLElement).hidden = !isRatings
  for (const link of document.querySelectorAll('[data-page]')) {
    const isHere = link.getAttribute('data-page') === (isRatings ? 'ratings' : 'tickets')
    if (isHere) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
  if (isRatings) void showReports(part('reports', HTMLElement))
  else desk.open(new URLSearchParams(location.hash.slice(1)).get('ticket') ?? desk.tickets[0]?.id ?? '')
}

function panelLanguage() {
  const wish = new URLSearchParams(location.search).get('language')
  const choice = part('language', HTMLSelectElement)
  choice.value = languageFor(wish ?? 'en')
  choice.addEventListener('change', () => {
    const address = new URL(location.href)
    address.searchParams.set('language', choice.value)
    location.assign(address)
  })
  return choice.value
}

async function start() {
  const desk = new Desk()
  const editor = part('editor', HTMLTextAreaElement)
  const reply = part('reply', HTMLFormElement)
  const toast = part('toast', HTMLElement)
  const view = new DeskView(desk, {
    list: part('list', HTMLElement),
    count: part('count', HTMLElement),
    thread: part('thread', HTMLElement),
    reply,
    editor,
  })
  const host = new HostPage(desk, { editor, toast })
  await desk.load().catch((error) => view.failed(error))
  addEventListener('hashchange', () => showPage(desk))
  showPage(desk)
  const panel = await mountPanel(part('panel', HTMLElement), { host, api: new Api(), language: panelLanguage() })
  reply.addEventListener('submit', (event) => {
    event.preventDefault()
    const text = editor.value.trim()
    if (!text) {
      host.notify('Write or insert a reply first.')
      editor.focus()
      return
    }
    panel.replySent(text)
    desk.send(text)
    host.notify('Marked as sent. This is a demo, so nothing left the machine.')
  })
}

await start()
