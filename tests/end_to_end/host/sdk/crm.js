/** ZOHO's embedded app SDK as widgets see it: PageLoad is heard only by who listened before init. */
globalThis.ZOHO = (() => {
  const listeners = {}
  const to = (method) => (value, more) => line.call(method, value, more)
  return {
    embeddedApp: {
      on: (name, heard) => ((listeners[name] ??= []).push(heard), undefined),
      init: async () => {
        const heard = [...(listeners['PageLoad'] ?? [])]
        const page = await line.call('init')
        setTimeout(() => heard.forEach((listener) => listener(page)))
        return true
      },
    },
    CRM: {
      API: {
        getRecord: to('getRecord'),
        getRelatedRecords: to('getRelatedRecords'),
        addNotes: to('addNotes'),
        updateRecord: to('updateRecord'),
        getOrgVariable: to('getOrgVariable'),
      },
      CONFIG: {
        getCurrentUser: to('getCurrentUser'),
        getOrgInfo: to('getOrgInfo'),
        GetCurrentEnvironment: to('GetCurrentEnvironment'),
      },
      CONNECTION: { invoke: to('connection') },
      HTTP: { get: (wish) => line.call('http', 'GET', wish), post: (wish) => line.call('http', 'POST', wish) },
      FUNCTIONS: { execute: to('execute') },
      UI: { Resize: to('resize'), Popup: { close: to('close'), closeReload: to('close') }, Record: { open: to('openRecord') } },
    },
  }
})()
