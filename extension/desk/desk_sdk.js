/**
 * What is used of Desk's SDK, as types only: nothing here runs.
 *
 * Answers are `unknown`, because their shapes differ between what is documented and what is seen.
 *
 * @typedef {object} DeskApp
 * @property {string} [locale]
 * @property {{dcType?: string}} [meta]
 * @property {{on: (event: string, heard: (event: unknown) => void) => void}} instance
 *
 * @typedef {object} DeskRequest
 * @property {string} url
 * @property {string} type
 * @property {Record<string, string>} headers
 * @property {Record<string, string>} data  Query parameters.
 * @property {unknown} postBody
 * @property {string} [connectionLinkName]
 *
 * @typedef {object} DeskSdk
 * @property {{onload: () => Promise<DeskApp>}} extension
 * @property {(name: string) => Promise<unknown>} get
 * @property {(request: DeskRequest) => Promise<unknown>} request
 * @property {(verb: string, what: string, how: Record<string, unknown>) => Promise<unknown>} [invoke]
 * @property {(message: {title: string, content: string, icon: 'success' | 'failure'}) => unknown} [notify]
 */

export {}
