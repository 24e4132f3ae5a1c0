/** A page that plays Zoho CRM: Cases with a Solution and notes, and a related list with the widget. */

import { Frame, part, proxy } from './frame.mjs'

/** @typedef {{id: string, Subject: string, Description: string | null, Solution: string | null, from: string}} Case */

const settings = await (await fetch('/settings.json')).json()

/** What a test may turn: where the widget sits, and how CRM answers where nobody knows for sure. */
export const odd = { button: false, flatUser: false, shape: 'object', signedOut: false }

/** @type {Case[]} */
const cases = settings.cases
let current = /** @type {Case} */ (cases[0])
/** @type {Map<string, {Note_Title: string, Note_Content: string}[]>} */
const notes = new Map()
/** How often a workflow would have run, and mailed a customer. */
let workflows = 0

const frame = new Frame(part('widget', HTMLIFrameElement), {
  init: () => ({ Entity: 'Cases', EntityId: odd.button ? [current.id] : current.id, ...(odd.button && { ButtonPosition: 'DetailView' }) }),
  getRecord,
  getRelatedRecords: (/** @type {{RecordID: string}} */ { RecordID }) => related(String(RecordID)),
  addNotes,
  updateRecord,
  getOrgVariable: (/** @type {string} */ name) => ({ Success: { Content: settings.variables[name] ?? '' } }),
  getCurrentUser: () => (odd.flatUser ? settings.crmUser : { users: [settings.crmUser] }),
  getOrgInfo: () => ({ org: [{ zgid: '3003', company_name: 'Larkpost' }] }),
  GetCurrentEnvironment: () => ({ deployment: 'EU', ZGID: '3003', ZUID: '9' }),
  connection,
  http,
  resize: (/** @type {{height: string | number}} */ { height }) => {
    part('widget', HTMLIFrameElement).style.blockSize = `${parseInt(String(height), 10)}px`
    return true
  },
})

/** @param {{Entity: string, RecordID: string | string[]}} wish */
function getRecord({ Entity, RecordID }) {
  const { from, ...found } = cases.find(({ id }) => id === String(RecordID)) ?? cases[0] ?? current
  if (Entity !== 'Cases') throw { code: 'INVALID_MODULE', status: 'error' }
  const contact = { Related_To: { name: from, id: '7' }, Reported_By: from, Email: 'someone@example.com', Status: 'New' }
  return { data: [{ ...found, ...contact, Case_Number: `CN-${found.id}`, Owner: { name: 'Ada', id: '9' } }] }
}

/** @param {string} id */
function related(id) {
  const data = notes.get(id)
  return data ? { data, info: { count: data.length } } : { status: 204, statusText: 'nocontent' }
}

/** @param {{RecordID: string, Title: string, Content: string}} note */
function addNotes({ RecordID, Title, Content }) {
  notes.set(String(RecordID), [...(notes.get(String(RecordID)) ?? []), { Note_Title: Title, Note_Content: Content }])
  draw()
  return { data: [{ code: 'SUCCESS', details: { id: '55' }, message: 'record added', status: 'success' }] }
}

/** @param {{Entity: string, APIData: {id: string, Solution: string}, Trigger?: string[]}} wish */
function updateRecord({ Entity, APIData, Trigger }) {
  if (Entity !== 'Cases') throw { code: 'INVALID_MODULE', status: 'error' }
  if (!Trigger || Trigger.length > 0) workflows += 1
  const found = cases.find(({ id }) => id === APIData.id)
  if (!found) return { data: [{ code: 'INVALID_DATA', details: {}, message: 'the id given seems to be invalid', status: 'error' }] }
  Object.assign(found, APIData)
  draw()
  return { data: [{ code: 'SUCCESS', details: { id: APIData.id }, message: 'record updated', status: 'success' }] }
}

/**
 * @param {string} name
 * @param {{url: string, method: string, parameters?: unknown, headers?: Record<string, string>, param_type?: number}} wish
 */
async function connection(name, { url, method, parameters, headers = {}, param_type }) {
  if (odd.signedOut) return { code: 'AUTHENTICATION_FAILURE', details: {}, message: 'Authentication failed', status: 'error' }
  const address = new URL(url)
  const asBody = Number(param_type) === 2
  const values = typeof parameters === 'string' ? JSON.parse(parameters || '{}') : (parameters ?? {})
  if (!asBody) for (const [key, value] of Object.entries(values)) address.searchParams.set(key, String(value))
  const { status, body } = await proxy({ url: address.href, method, headers, connection: name, ...(asBody && method !== 'GET' && { body: JSON.stringify(values) }) })
  if (status === 0) return { code: 'INTERNAL_ERROR', details: {}, message: 'Unable to connect', status: 'error' }
  const statusMessage = odd.shape === 'text' ? body : json(body)
  return { code: 'SUCCESS', details: { statusMessage, status: String(status < 400), responseCode: status }, message: 'Connection invoked successfully', status: 'success' }
}

/**
 * @param {string} method
 * @param {{url: string, headers?: Record<string, string>, params?: Record<string, string>, body?: unknown}} wish
 */
async function http(method, { url, headers = {}, params = {}, body }) {
  const address = new URL(url)
  for (const [name, value] of Object.entries(params)) address.searchParams.set(name, value)
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const answer = await proxy({ url: address.href, method, headers, ...(method !== 'GET' && { body: text }) })
  return answer.body
}

/** @param {string} text */
function json(text) {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Another Case: CRM loads the page anew, and with it the widget. */
export function openCase(/** @type {string} */ id) {
  current = cases.find((record) => record.id === id) ?? current
  draw()
  loadWidget()
}

function loadWidget() {
  part('widget', HTMLIFrameElement).src = `${settings.widget}?case=${current.id}`
}

function draw() {
  part('subject', HTMLElement).textContent = current.Subject
  part('from', HTMLElement).textContent = current.from
  part('question', HTMLElement).textContent = current.Description
  part('solution', HTMLElement).textContent = current.Solution
  const item = (/** @type {string} */ text) => Object.assign(document.createElement('li'), { textContent: text })
  part('notes', HTMLElement).replaceChildren(...(notes.get(current.id) ?? []).map((note) => item(`${note.Note_Title}: ${note.Note_Content}`)))
  const links = cases.map((record) => {
    const link = document.createElement('button')
    link.textContent = record.Subject
    link.setAttribute('aria-current', String(record === current))
    link.addEventListener('click', () => openCase(record.id))
    const entry = document.createElement('li')
    entry.append(link)
    return entry
  })
  part('list', HTMLElement).replaceChildren(...links)
}

draw()
loadWidget()
Object.assign(globalThis, { zoho: { odd, frame, openCase, notes, cases, workflows: () => workflows, loadWidget } })
