/** What is in the help desks that the host pages play. */

export const TICKETS = [
  {
    id: '4001',
    number: '101',
    subject: 'I forgot my password',
    description: '<div>Hello,<br>I forgot my <b>password</b> and cannot log in any more.<br>What can I do?</div>',
    email: 'mira@example.com',
    from: 'Mira Blom',
  },
  {
    id: '4002',
    number: '102',
    subject: 'Invoice for March',
    description: '<div>Please send the invoice for March again.</div>',
    email: 'jon@example.com',
    from: 'Jon Vale',
  },
  {
    id: '4003',
    number: '103',
    subject: 'Не можу увійти',
    description: '<div>Добрий день! Я забув пароль і не можу увійти.</div>',
    email: 'olena@example.com',
    from: 'Олена Гай',
  },
  { id: '4004', number: '104', subject: '', description: '<div><br></div>', email: 'nobody@example.com', from: 'Nobody' },
]

export const CASES = TICKETS.map(({ id, subject, description, from }) => ({
  id: `3000${id}`,
  Subject: subject,
  Description: description.replace(/<br>/g, '\n').replace(/<[^>]+>/g, '').trim() || null,
  Solution: null,
  from,
}))

export const USER = { user: { id: 'u-7', fullName: 'Ada Agent', email: 'ada@example.com', timeZone: 'Europe/Kyiv', portals: [] } }
export const CRM_USER = { id: '3000900', full_name: 'Ada Agent', email: 'ada@example.com', zuid: '77', role: { name: 'Agent' }, profile: { name: 'Standard' } }

export const GOOD = [
  'Hello Mira,\n\nI am sorry you are locked out. You can set a new password yourself:\n\n1. Open the sign-in page and choose "Forgot password".\n2. Enter mira@example.com; a link arrives within two minutes.\n3. Choose a new password and sign in.\n\nIf no mail comes, tell me and I will send the link by hand.\n\nBest regards',
  'Hello Mira,\n\nplease use "Forgot password" on the sign-in page. A link comes by e-mail and is valid for an hour. Look into your spam folder if it does not arrive.\n\nKind regards',
  'Hi,\n\nyour password can be reset in Settings, under Security. As you cannot sign in, ask your own admin to do it, or follow https://help.example/reset.\n\nThank you',
]
