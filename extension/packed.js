/**
 * What scripts/pack_extension puts into a package in place of this file: settings and words, as code,
 * because a product may forbid a widget to fetch from anywhere but its backend.
 */

/** @type {Partial<import('./shared/settings.js').WidgetSettings>} */
export const settings = {}

/** @type {Record<string, import('./shared/translations.js').Entries>} By language; others are fetched. */
export const strings = {}
