/** A mail's own words, without the earlier mails that mail programs put below. */

/** Lines that begin a quoted mail, as the common programs write them. */
const BEGINS = [
  /^-{2,}\s*(original message|forwarded message|исходное сообщение|оригінальне повідомлення)\s*-{2,}$/iu,
  /^-{2,}\s*on .{6,200} wrote\s*-{2,}$/iu,
  /^on .{6,200} wrote:$/iu,
  /^.{6,200}(пише|писав|писала|написав|написала|пишет|написал|написала):$/iu,
  /^(from|від|от):\s.*@.*$/iu,
]

/** @param {string} text */
export function withoutQuotes(text) {
  const lines = text.split('\n')
  const end = lines.findIndex((line, at) => at > 0 && BEGINS.some((begin) => begin.test(line.trim())))
  const own = (end < 0 ? lines : lines.slice(0, end)).filter((line) => !line.startsWith('>'))
  return own.join('\n').trim() || text.trim()
}
