/** The widget in a Desk ticket. */

import * as packed from '../packed.js'
import { startWidget, toastIn } from '../shared/widget.js'
import { DeskHost } from './desk_host.js'

const { ZOHODESK } = /** @type {{ZOHODESK?: import('./desk_sdk.js').DeskSdk}} */ (/** @type {unknown} */ (globalThis))
const root = document.getElementById('panel')
if (root) await startWidget(root, () => new DeskHost(ZOHODESK, { page: window, say: toastIn(document.body) }), packed)
