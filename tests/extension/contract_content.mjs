/** What the contract server is filled with: a rubric, tickets and replies. */

import { randomUUID } from 'node:crypto'

/** The rubric as GET /rubric gives it. */
export const RUBRIC = {
  name: 'quality',
  version: 1,
  title: 'Four criteria',
  weight_total: 20,
  criteria: [
    {
      key: 'content',
      label: 'Content',
      question: 'Does it answer what was asked, correctly and completely?',
      weight: 9,
      anchors: [
        'Wrong or beside the point',
        'Mostly wrong, or misses the main question',
        'Right in part; facts or steps must be added',
        'Right; a detail is missing',
        'Right and complete; can go out as it is',
      ],
    },
    {
      key: 'grammar',
      label: 'Grammar',
      question: 'Is it free of language mistakes?',
      weight: 4,
      anchors: ['Cannot be understood', 'Many mistakes', 'Some mistakes, meaning is clear', 'A slip or two', 'No mistakes'],
    },
    {
      key: 'structure',
      label: 'Structure',
      question: 'Is it in a useful order, with steps and paragraphs where they help?',
      weight: 4,
      anchors: ['No order at all', 'Hard to follow', 'Can be followed with effort', 'Clear', 'Clear and easy to act on'],
    },
    {
      key: 'style',
      label: 'Style',
      question: 'Does it sound like a polite, professional reply of this team?',
      weight: 3,
      anchors: ['Rude or strange', 'Cold or out of place', 'Acceptable', 'Good', 'Just as our best agent would write'],
    },
  ],
}

/** The rubric in a language; the real server has all texts in it. @param {string | null} language */
export const rubricIn = (language) =>
  language === 'uk' ? { ...RUBRIC, criteria: RUBRIC.criteria.map((criterion) => ({ ...criterion, label: UKRAINIAN[criterion.key] ?? '', question: 'Питання?' })) } : RUBRIC
/** @type {Record<string, string>} */
const UKRAINIAN = { content: 'Зміст', grammar: 'Граматика', structure: 'Структура', style: 'Стиль' }

/** Open tickets as GET /demo/tickets gives them. */
export const TICKETS = [
  {
    id: 'lp-9001',
    subject: 'Wiped my handset, app is blank',
    question:
      'Did a factory reset on my Android because it was so slow, and of course the authenticator came back without any entries. Larkpost still wants those six numbers from me. I\'m the only one in our account, nobody above me.\n\nThe sheet with the spare codes is probably in the bin. What now?',
    contact: { name: 'Henrik Solberg', email: 'henrik@fjordkaffe.example' },
    created: '2026-10-01',
    language: 'en',
  },
  {
    id: 'lp-9002',
    subject: 'Who is allowed to download the address list?',
    question: 'One of our interns says the export button is grey for her. Is that on purpose?',
    contact: { name: 'Amara Osei', email: 'amara@greenleaf.example' },
    created: '2026-10-02',
    language: 'en',
  },
  {
    id: 'lp-9003',
    subject: 'Листи йдуть у спам',
    question: 'Доброго дня! Від учора наші листи в Gmail потрапляють у спам. Домен підтверджено. Що перевірити?',
    contact: { name: 'Оксана Левченко', email: 'oksana@pekarnya.example' },
    created: '2026-10-02',
    language: 'uk',
  },
  {
    id: 'lp-9004',
    subject: '<img src=x onerror="document.title=\'owned\'">',
    question: '<img src="http://127.0.0.1:9/pixel.png" onerror="window.owned = true"><script>window.owned = true</script>',
    contact: { name: '<b>Mallory</b>', email: 'mallory@example.test' },
    created: '2026-10-03',
    language: 'en',
  },
  {
    id: 'lp-9005',
    subject: '…',
    question: '   ',
    contact: { name: 'Kenji Watanabe', email: 'kenji@mori.example' },
    created: '2026-10-03',
    language: 'en',
  },
]

/** Three replies of different kinds. */
export const REPLIES = [
  'Hello Henrik,\n\nthank you for writing. As you are the only owner of the account, we can reset two-factor sign-in for you once we know it is you:\n\n1. Write to us from the e-mail address you log in with.\n2. Tell us the date and the amount of your last invoice.\n3. We switch two-factor off within one working day and send you a confirmation.\n\nPlease set it up again right after you log in, and keep the new backup codes in a safe place.\n\nBest regards\nLarkpost Support',
  'Hi Henrik, open Settings > Security and press "Reset two-factor". You will be asked for a backup code. If you have none left, your account owner can switch it off for you under Team > Members.',
  'Dear customer, sorry to hear about the trouble 🙁 Two-factor sign-in can be reset by our team. Please send us your last invoice number from your login address, and we will take care of the rest. 🔐 Regards, Larkpost Support',
]

/** @import { Candidate, Source } from '../../extension/shared/api_types.js' */

/** @type {Source[]} What a candidate is based on: an article with an address, a solved ticket without. */
export const SOURCES = [
  {
    title: 'Reset your password',
    kind: 'article',
    url: 'https://help.larkpost.example/en/account-reset-password',
    key: 'account-reset-password',
  },
  { title: 'Lost my phone and every backup code with it', kind: 'solved', url: null, key: 'lp-1001' },
]

/**
 * A candidate nobody has begun to write.
 *
 * @param {string} label
 * @param {string} model
 * @returns {Candidate}
 */
export function newCandidate(label, model) {
  return { id: randomUUID(), label, state: 'queued', text: '', revision: 1, finish: null, problem: null, sources: [], rated: false, model, seconds: null }
}
