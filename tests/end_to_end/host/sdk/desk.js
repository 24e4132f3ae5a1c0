/** ZOHODESK as widgets see it. Errors are plain objects, as Zoho rejects with. */
globalThis.ZOHODESK = {
  extension: {
    onload: async () => {
      const facts = await line.call('hello')
      return { ...facts, instance: { on: (name, heard) => line.on(name, heard) } }
    },
  },
  get: (...keys) => line.call('get', ...keys),
  set: (key, value) => line.call('set', key, value),
  invoke: (action, target, value) => line.call('invoke', action, target, value),
  notify: (note) => line.call('notify', note),
  showpopup: (popup) => line.call('showpopup', popup),
  request: (options) => line.call('request', options),
}
