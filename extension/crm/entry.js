/** The widget in a CRM Case. */

import * as packed from '../packed.js'
import { startWidget, toastIn } from '../shared/widget.js'
import { CrmHost } from './crm_host.js'

const { ZOHO } = /** @type {{ZOHO?: import('./crm_sdk.js').CrmSdk}} */ (/** @type {unknown} */ (globalThis))
const root = document.getElementById('panel')
if (root) await startWidget(root, () => new CrmHost(ZOHO, { say: toastIn(document.body) }), packed)
