/** CRM as its SDK shows it: one Case, its notes, connections that really call the address they get. */

export class FakeCrm {
  /** @type {Record<string, any>} */
  cases = {
    3001: {
      id: '3001', Case_Number: 'CS-1042', Subject: 'Blank app', Description: 'I cannot log in.', Solution: null,
      Related_To: { id: '9', name: 'Ana Diaz' }, Comments: [{ comment_content: 'Tried again.', commented_by: 'Ana Diaz' }],
    },
  }
  /** @type {unknown} */
  user = { users: [{ id: '7', full_name: 'Olha', email: 'olha@crm.example', locale: 'en_US' }] }
  /** @type {unknown} */
  variable = { Success: {} }
  /** @type {any} What a button's or a related list's page load tells. */
  page = { Entity: 'Cases', EntityId: '3001' }
  /** @type {any[]} */
  updates = []
  /** @type {any[]} */
  notes = []
  /** @type {{name: string, url: string, method: string, param_type: number}[]} */
  invoked = []
  /** Milliseconds until a change is answered. */
  slow = 0
  /** @type {any} */
  sizes = []
  /** @type {string | null} A message with which CRM refuses changes. */
  refusal = null
  /** @type {unknown} What a connection answers in place of calling. */
  instead = undefined
  /** Runs at each reading of a Case. @type {() => void} */
  beforeRecord = () => {}
  /** @type {((page: unknown) => void)[]} */
  #heard = []

  /** @param {string} EntityId */
  turnTo(EntityId) {
    for (const heard of this.#heard) heard({ Entity: 'Cases', EntityId })
  }

  /** The SDK as the widget finds it. */
  get sdk() {
    const saved = (/** @type {any[]} */ kept, /** @type {any} */ change) => {
      if (this.refusal) return { data: [{ code: 'INVALID_DATA', message: this.refusal, status: 'error', details: {} }] }
      kept.push(change)
      return { data: [{ code: 'SUCCESS', message: 'record saved', status: 'success', details: { id: change.RecordID } }] }
    }
    return {
      embeddedApp: {
        on: (/** @type {'PageLoad'} */ _, /** @type {(page: unknown) => void} */ heard) => void this.#heard.push(heard),
        init: async () => {
          setTimeout(() => this.#heard.forEach((heard) => heard(this.page)))
        },
      },
      CRM: {
        API: {
          getRecord: async (/** @type {any} */ { Entity, RecordID }) => {
            this.beforeRecord()
            const record = Entity === 'Cases' ? this.cases[RecordID] : null
            return record ? { data: [structuredClone(record)] } : { code: 'INVALID_DATA', message: 'the id given seems to be invalid', status: 'error' }
          },
          updateRecord: async (/** @type {any} */ change) => {
            if (this.slow) await new Promise((done) => setTimeout(done, this.slow))
            const answer = saved(this.updates, change)
            if (!this.refusal) Object.assign(this.cases[change.APIData.id], change.APIData)
            return answer
          },
          getRelatedRecords: async (/** @type {any} */ { RelatedList, RecordID }) => {
            const data = RelatedList === 'Notes' ? this.notes.filter((note) => note.RecordID === RecordID) : []
            if (data.length === 0) return { status: 204, statusText: 'nocontent' }
            return { data: data.map(({ Title, Content }) => ({ Note_Title: Title, Note_Content: Content, Modified_Time: '2026-06-01T12:40:00+02:00' })), info: {} }
          },
          addNotes: async (/** @type {any} */ note) => saved(this.notes, note),
          getOrgVariable: async () => this.variable,
        },
        CONFIG: { getCurrentUser: async () => this.user },
        CONNECTION: { invoke: (/** @type {string} */ name, /** @type {any} */ request) => this.#invoke(name, request) },
        HTTP: {
          get: (/** @type {any} */ request) => this.#http('GET', request),
          post: (/** @type {any} */ request) => this.#http('POST', request),
        },
        UI: { Resize: async (/** @type {any} */ size) => this.sizes.push(size) },
      },
    }
  }

  /** @param {string} name @param {any} request */
  async #invoke(name, { url, method, headers, parameters, param_type }) {
    this.invoked.push({ name, url, method, param_type })
    if (this.instead !== undefined) return this.instead
    const body = param_type === 2 ? { body: JSON.stringify(parameters) } : {}
    const response = await fetch(url, { method, headers: { ...headers, authorization: 'Bearer kept-by-zoho' }, ...body })
    const text = await response.text()
    return { code: 'SUCCESS', message: 'Connection invoked', status: 'success', details: { status: String(response.ok), statusMessage: JSON.parse(text) } }
  }

  /** @param {string} method @param {any} request */
  async #http(method, { url, headers, body }) {
    const response = await fetch(url, { method, headers, ...(body && { body }) })
    return response.text()
  }
}
