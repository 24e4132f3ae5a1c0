/** A page that plays Zoho Desk: tickets, a reply editor that takes raw HTML, and the right panel. */

import { rest, thread } from './conversation.mjs'
import { Frame, part, proxy, toast } from './frame.mjs'

/** @typedef {{id: string, number: string, subject: string, description: string, email: string, from: string}} Ticket */

const settings = await (await fetch('/settings.json')).json()

/** What a test may turn: how Zoho answers where nobody knows for sure. */
export const odd = { shape: 'connection', noEditor: 'rejects', shift: true, signedOut: false, holds: '' }
/** @type {import('./conversation.mjs').Thread[]} What was written since the page was loaded. */
const threads = []

const frame = new Frame(part('widget', HTMLIFrameElement), {
  hello: () => ({ extensionID: 'ext-1', locale: settings.locale, location: 'desk.ticket.detail.rightpanel', meta: { dcType: 'EU' } }),
  get: async (/** @type {string[]} */ ...keys) => {
    while (keys.includes(odd.holds)) await moment()
    return got(keys)
  },
  set: () => ({ status: 'success' }),
  invoke: (/** @type {string} */ action, /** @type {string} */ target, /** @type {any} */ value) => invoke(action, target, value),
  notify: (/** @type {{title: string, content: string}} */ { title, content }) => toast([title, content].filter(Boolean).join(' – ')),
  showpopup: () => ({ result: true }),
  request,
})

/** @type {Ticket[]} */
const tickets = settings.tickets
/** @type {Ticket} */
let current = /** @type {Ticket} */ (tickets[0])

/** Until a test lets Zoho answer what `odd.holds` names. */
const moment = () => new Promise((done) => setTimeout(done, 20))

/** @param {string[]} keys */
function got(keys) {
  if (odd.signedOut) throw { status: 'failed', errMsg: 'Session expired' }
  const found = keys.map((key) => [key, valueOf(key)])
  return { status: 'success', ...Object.fromEntries(found) }
}

/** @param {string} key */
function valueOf(key) {
  const [thing, name] = key.split('.')
  const { from, ...ticket } = { ...current, status: 'Open', departmentId: '701', contactId: `c-${current.id}`, threadCount: String(1 + threads.filter(({ ticketId }) => ticketId === current.id).length) }
  if (key === 'user') return settings.user
  if (key === 'portal.id') return '2002'
  if (key === 'extension.config') return settings.config
  if (thing === 'contact' || key === 'ticket.contact') return { contactName: from }
  if (thing === 'ticket') return name ? /** @type {Record<string, unknown>} */ (ticket)[name] : ticket
  throw { status: 'failed', errMsg: `Invalid key ${key}` }
}

/**
 * @param {string} action
 * @param {string} target
 * @param {{value?: string, type?: string}} wish
 */
async function invoke(action, target, { value = '', type }) {
  if (action !== 'INSERT' || target !== 'ticket.replyEditor') throw { errMsg: 'No such action' }
  const editor = document.getElementById('editor')
  if (!editor) {
    if (odd.noEditor === 'rejects') throw { status: 'failed', errMsg: 'Reply editor is not open' }
    return { status: 'failed', errMsg: 'Reply editor is not open' }
  }
  if (type === 'replace') editor.innerHTML = value
  else editor.insertAdjacentHTML('beforeend', value)
  while (odd.holds === action) await moment()
  return { status: 'success' }
}

/** @param {{url: string, type: string, headers?: Record<string, string>, data?: Record<string, string>, postBody?: unknown, connectionLinkName?: string, responseType?: string}} wish */
async function request({ url, type, headers = {}, data = {}, postBody, connectionLinkName, responseType }) {
  const address = new URL(url)
  for (const [name, value] of Object.entries(data)) address.searchParams.set(name, value)
  if (address.host === 'desk.zoho.eu') return rest(address, { connectionLinkName, headers }, threads)
  const body = typeof postBody === 'string' ? postBody : JSON.stringify(postBody ?? {})
  const wish = { url: address.href, method: type, headers, ...(type !== 'GET' && { body }), ...(connectionLinkName && { connection: connectionLinkName }) }
  const { status, body: text } = await proxy(wish)
  if (status === 0) throw { status: 'failed', errMsg: 'Unable to connect' }
  if (responseType === 'json') return { data: { statusMessage: json(text) } }
  const inner = odd.shape === 'plain' || !connectionLinkName ? text : JSON.stringify({ status: 'true', statusMessage: odd.shape === 'text' ? text : json(text) })
  return JSON.stringify({ statusCode: status, response: inner })
}

/** @param {string} text */
function json(text) {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** @param {string} id */
export function openTicket(id) {
  current = tickets.find((ticket) => ticket.id === id) ?? current
  draw()
  if (odd.shift) frame.tell('ticket_Shift', { ticketId: current.id })
}

/** The agent sends what is in the editor. */
export function sendReply() {
  const editor = part('editor', HTMLElement)
  threads.unshift(thread(current.id, 'out', editor.innerText))
  draw()
}

/** The customer writes again. */
export function customerWrites(/** @type {string} */ text) {
  threads.unshift(thread(current.id, 'in', text))
}

export function openEditor() {
  const editor = document.createElement('div')
  editor.id = 'editor'
  editor.contentEditable = 'true'
  editor.setAttribute('role', 'textbox')
  editor.setAttribute('aria-label', 'Reply')
  editor.setAttribute('aria-multiline', 'true')
  const send = document.createElement('button')
  send.textContent = 'Send'
  send.addEventListener('click', sendReply)
  part('reply', HTMLElement).replaceChildren(editor, send)
  frame.tell('ticket_replyEditor.opened', { mode: 'reply', threadId: 't-1', ticketId: current.id })
}

function draw() {
  part('subject', HTMLElement).textContent = current.subject
  part('from', HTMLElement).textContent = `${current.from} · #${current.number}`
  const question = part('question', HTMLElement)
  question.textContent = new DOMParser().parseFromString(current.description.replaceAll('<br>', '\n'), 'text/html').body.textContent
  const button = document.createElement('button')
  button.textContent = 'Reply'
  button.addEventListener('click', openEditor)
  part('reply', HTMLElement).replaceChildren(button)
  const links = tickets.map((ticket) => {
    const link = document.createElement('button')
    link.textContent = ticket.subject
    link.setAttribute('aria-current', String(ticket === current))
    link.addEventListener('click', () => openTicket(ticket.id))
    const item = document.createElement('li')
    item.append(link)
    return item
  })
  part('list', HTMLElement).replaceChildren(...links)
}

draw()
part('widget', HTMLIFrameElement).src = settings.widget
Object.assign(globalThis, { zoho: { odd, frame, openTicket, openEditor, sendReply, customerWrites } })
