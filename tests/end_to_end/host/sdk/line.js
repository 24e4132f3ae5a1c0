/** The line between a widget's frame and the page that plays Zoho: calls go up, events come down. */
const line = (() => {
  const waiting = new Map()
  const listeners = []
  let count = 0
  addEventListener('message', ({ source, data }) => {
    if (source !== parent || !data) return
    if (data.event) for (const [name, heard] of listeners) name === data.event && heard(data.value)
    const call = waiting.get(data.answerTo)
    waiting.delete(data.answerTo)
    if (call && 'error' in data) call.fail(data.error)
    else if (call) call.done(data.value)
  })
  const call = (method, ...values) =>
    new Promise((done, fail) => {
      const id = ++count
      waiting.set(id, { done, fail })
      parent.postMessage({ call: id, method, values }, '*')
    })
  return { call, on: (name, heard) => listeners.push([name, heard]) }
})()
