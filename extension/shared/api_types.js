/**
 * The shapes that /api/v1 speaks, as types only: nothing here runs.
 *
 * @typedef {'queued' | 'writing' | 'done' | 'failed' | 'cancelled'} Progress
 * @typedef {'inserted' | 'copied' | 'edited' | 'discarded' | 'sent'} OutcomeKind
 *
 * @typedef {object} TicketText  What is sent of a ticket.
 * @property {string} text
 * @property {string} [subject]
 * @property {string} [external_id]
 * @property {string} [language]
 * @property {string} [contact]
 *
 * @typedef {object} Source  A passage that went into the prompt.
 * @property {string} title
 * @property {'article' | 'solved'} kind
 * @property {string | null} url
 * @property {string} key
 *
 * @typedef {object} CandidateProblem
 * @property {string} type
 * @property {string} title
 * @property {string} detail
 *
 * @typedef {object} Candidate  One model's reply. `model` and `seconds` are null while blind.
 * @property {string} id
 * @property {string} label
 * @property {Progress} state
 * @property {string} text
 * @property {number} revision
 * @property {'stop' | 'length' | null} finish
 * @property {CandidateProblem | null} problem
 * @property {Source[]} sources
 * @property {string[]} [placeholders]  Gaps in the text that an agent has to fill, such as `[NAME]`.
 * @property {boolean} rated
 * @property {string | null} model
 * @property {{first_text: number | null, total: number | null} | null} seconds
 *
 * @typedef {object} Suggestion  One click: a ticket and its candidates.
 * @property {string} id
 * @property {Progress} state
 * @property {number} revision
 * @property {string} created
 * @property {string} steering
 * @property {'now' | 'background'} prefer
 * @property {string} rubric
 * @property {{ahead: number, seconds: number | null}} queue
 * @property {Candidate[]} candidates
 *
 * @typedef {object} CandidateChange  A step of one candidate: what was appended, and where.
 * @property {string} id
 * @property {string} [label]
 * @property {Progress} [state]
 * @property {number} offset  In UTF-16 units, for `String.slice`.
 * @property {string} append
 * @property {number} [revision]
 * @property {'stop' | 'length' | null} [finish]
 * @property {CandidateProblem | null} [problem]
 * @property {Source[]} [sources]
 * @property {string[]} [placeholders]
 *
 * @typedef {object} Criterion
 * @property {string} key
 * @property {string} label
 * @property {string} question
 * @property {number} weight
 * @property {string[]} anchors  What 1, 2, 3, 4 and 5 mean.
 *
 * @typedef {object} Rubric
 * @property {string} name
 * @property {number} version
 * @property {string} title
 * @property {number} weight_total
 * @property {Criterion[]} criteria
 *
 * @typedef {object} RatingSaved
 * @property {string} id
 * @property {number | null} overall
 * @property {Record<string, number>} scores
 * @property {boolean} revealed
 * @property {Suggestion} suggestion
 */

export {}
