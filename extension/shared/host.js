/**
 * What the panel asks of the page it sits in. The demo help desk is one host; each Zoho product
 * will be another. The panel names none of them.
 *
 * @typedef {object} HostTicket
 * @property {string} id  Changes when the agent opens another ticket.
 * @property {string} text  What the customer asks; empty if there is nothing to answer yet.
 * @property {string} [subject]
 * @property {string} [language]
 * @property {string} [contact]  The customer's name.
 *
 * @typedef {object} Host
 * @property {() => Promise<HostTicket | null>} readTicket  The open ticket, or null if none is.
 * @property {() => Promise<{id: string, name: string}>} currentUser
 * @property {(text: string) => Promise<void>} insert  Put plain text into the reply editor. Rejects
 *   with an Error whose message tells the agent what to do.
 * @property {(message: string) => void} notify  Say something in passing, in the host's own way.
 * @property {(changed: () => void) => () => void} onTicketChange  Call back when another ticket is
 *   opened; returns a function that stops it.
 */

export {}
