import en from '../i18n/en.json'
import type more from '../i18n/en-more.json'

/** Every text a person reads, by key. A text with plural forms is an object of `Intl.PluralRules` names. */
export type TextKey = keyof typeof en | keyof typeof more
type Values = Record<string, string | number>
type Entry = string | Record<string, string>

const known: Record<string, Entry> = { ...en }
const plural = new Intl.PluralRules('en')

/** More texts, loaded with the pages that use them (`i18n/more`). */
export const learn = (texts: Record<string, Entry>): void => void Object.assign(known, texts)

/** The text of a key, `{name}` replaced by the given values; `n` chooses the plural form. */
export function t(key: TextKey, values: Values = {}): string {
  const entry = known[key] ?? key
  const text = typeof entry === 'string' ? entry : (entry[plural.select(Number(values.n))] ?? entry.other ?? key)
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}

/** The text of a key made at run time (`state.` + a word from the server), or the fallback when there is none. */
export function tOr(key: string, fallback: string): string {
  return key in known ? t(key as TextKey) : fallback
}
