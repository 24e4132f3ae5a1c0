/** Links in replies: which there are, and whether they lead where they may. */

/** `[label](target)`, also as an image. */
export const MARKED_LINK =
  /!?\[(?<label>[^[\]\n]{0,300})\]\(\s*<?(?<target>[^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*)>?(?:\s+"[^"\n]*")?\s*\)/
/** An address as it stands; mail programs make links of all of these. */
export const BARE_LINK =
  /(?<bare>(?:[a-z][a-z\d+.-]{1,20}:\/\/|(?<![\w@.-])www\.)[^\s<>"`]+|(?<![\w@./-])(?:[a-z\d-]+\.)+[a-z]{2,}\/[^\s<>"`]*)/

const AFTER_AN_ADDRESS = `.,;:!?'"»”’*_)]}`

/**
 * The address without the punctuation of the sentence around it.
 *
 * @param {string} bare
 */
export function trimmed(bare) {
  let end = bare.length
  while (end > 0 && AFTER_AN_ADDRESS.includes(bare.charAt(end - 1))) end -= 1
  const address = bare.slice(0, end)
  const closing = bare.slice(end)
  return closing.startsWith(')') && address.includes('(') ? `${address})` : address
}

/**
 * The address that a link may point to, or null if it is none of the hosts'.
 *
 * @param {string} target
 * @param {readonly string[]} hosts  `help.example.org`, or `*.example.org` for all below it.
 * @returns {string | null}
 */
export function allowedAddress(target, hosts) {
  const url = webUrl(target)
  if (!url) return null
  const isAllowed = hosts.some((host) =>
    host.startsWith('*.') ? url.host.endsWith(host.slice(1)) : url.host === host,
  )
  return isAllowed ? url.href : null
}

/**
 * What links in a text lead to that is none of the hosts', each once.
 *
 * @param {string} text
 * @param {readonly string[]} hosts
 * @returns {string[]}
 */
export function unknownLinks(text, hosts) {
  const found = new Set()
  for (const { groups } of text.matchAll(new RegExp(`${MARKED_LINK.source}|${BARE_LINK.source}`, 'giu'))) {
    for (const target of [groups?.['target'], ...bareLinks(groups?.['label'] ?? groups?.['bare'] ?? '')]) {
      if (target && !allowedAddress(target, hosts)) found.add(webUrl(target)?.host ?? target)
    }
  }
  return [...found]
}

/** @param {string} text */
function bareLinks(text) {
  return [...text.matchAll(new RegExp(BARE_LINK.source, 'giu'))].map(([bare]) => trimmed(bare))
}

/**
 * @param {string} target
 * @returns {URL | null}
 */
function webUrl(target) {
  const address = /^[a-z][a-z\d+.-]*:/i.test(target) ? target : `https://${target}`
  try {
    const url = new URL(address)
    return /^https?:$/.test(url.protocol) && !url.username && !url.password ? url : null
  } catch {
    return null
  }
}
