/**
 * What is used of CRM's SDK, as types only: nothing here runs.
 *
 * Answers are `unknown`, because their shapes differ between what is documented and what is seen.
 *
 * @typedef {(request: {url: string, headers: Record<string, string>, params: object,
 *   body?: unknown}) => Promise<unknown>} CrmHttp
 *
 * @typedef {object} CrmApi
 * @property {(which: {Entity: string, RecordID: string}) => Promise<unknown>} getRecord
 * @property {(change: {Entity: string, APIData: Record<string, string>, Trigger: []}) => Promise<unknown>} updateRecord
 * @property {(note: {Entity: string, RecordID: string, Title: string, Content: string}) => Promise<unknown>} addNotes
 * @property {(name: string) => Promise<unknown>} getOrgVariable
 * @property {(which: {Entity: string, RecordID: string, RelatedList: string, page: number,
 *   per_page: number}) => Promise<unknown>} [getRelatedRecords]
 *
 * @typedef {object} CrmSdk
 * @property {{on: (event: 'PageLoad', heard: (page: unknown) => void) => void, init: () => Promise<unknown>}} embeddedApp
 * @property {{
 *   API: CrmApi,
 *   CONFIG: {getCurrentUser: () => Promise<unknown>},
 *   CONNECTION: {invoke: (name: string, request: object) => Promise<unknown>},
 *   HTTP: Record<string, CrmHttp>,
 *   UI?: {Resize?: (size: {height: string, width: string}) => Promise<unknown>},
 * }} CRM
 */

export {}
