/**
 * What the panel asks of the page it sits in. The demo help desk is one host, each product's adapter
 * is another; the panel names none of them.
 *
 * @typedef {object} HostTicket
 * @property {string} id  Changes when the agent opens another ticket.
 * @property {string} text  What the customer asks; empty if there is nothing to answer yet.
 * @property {string} [subject]
 * @property {string} [language]
 * @property {string} [contact]  The customer's name.
 *
 * @typedef {'editor' | 'solution' | 'note'} Place  Where a host can put a reply.
 *
 * @typedef {object} Insertion
 * @property {Place} place  One of the host's places.
 * @property {string} ticketId  The ticket the reply belongs to; no other one may get it.
 * @property {() => void} waiting  Called if the agent has to open the reply editor first.
 * @property {() => void} unsure  Called if the product did not answer in time. It may still answer;
 *   until then nothing is tried again by itself, for the reply may be there already.
 *
 * @typedef {object} Reply
 * @property {string} text
 * @property {readonly string[]} hosts  Where links in it may lead.
 *
 * @typedef {object} Message  Something written in a ticket.
 * @property {'customer' | 'agent'} from
 * @property {string} text
 * @property {number} at  When, in milliseconds; 0 if that is not told.
 * @property {boolean} isSent  Whether it went to the customer, or may still be changed.
 *
 * @typedef {object} Host
 * @property {(packed: WidgetSettings) => Promise<WidgetSettings>} init  Connect to the product; the
 *   settings that came with the widget, overridden by what the product's admin set there.
 * @property {() => Promise<HostTicket | null>} readTicket  The open ticket, or null if none is.
 * @property {(ticketId: string) => Promise<readonly Message[]>} readMessages  What was written in a
 *   ticket besides its text, oldest first; none where the product does not tell.
 * @property {() => Promise<{id: string, name: string}>} currentUser
 * @property {(url: string, init: RequestInit) => Promise<Response>} call  Like fetch, but by way of
 *   the product's servers, which cannot stream.
 * @property {readonly Place[]} places  The first one is offered first.
 * @property {(reply: Reply, insertion: Insertion) => Promise<'inserted' | 'copied'>} insert  Put a
 *   reply in its place: at once, or when the agent has opened the editor. Rejects with NotInserted.
 * @property {(message: string, tone?: 'done' | 'warning') => void} notify  Say something in
 *   passing, in the host's own way.
 * @property {(changed: () => void) => () => void} onTicketChange  Call back when another ticket may
 *   have been opened; returns a function that stops it.
 * @property {(written: () => void) => () => void} onWritten  Call back when something may
 *   have been written in the open ticket; returns a function that stops it.
 */

/** @import { WidgetSettings } from './settings.js' */

/**
 * Why a reply was not put in its place. changed: another ticket is open. superseded: the agent chose
 * another reply before the editor was opened. failed: the product said no; `message` tells why.
 */
export class NotInserted extends Error {
  /**
   * @param {'changed' | 'superseded' | 'failed'} kind
   * @param {string} [message]
   */
  constructor(kind, message = kind) {
    super(message)
    this.name = 'NotInserted'
    this.kind = kind
  }
}

/**
 * Wait for a product's answer; tell once if it takes long, and go on waiting.
 *
 * @template Value
 * @param {Promise<Value>} answer
 * @param {{patience: number, unsure: () => void}} how
 * @returns {Promise<Value>}
 */
export async function answered(answer, { patience, unsure }) {
  const timer = setTimeout(unsure, patience)
  try {
    return await answer
  } finally {
    clearTimeout(timer)
  }
}
