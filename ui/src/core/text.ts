import en from '../i18n/en.json'

/** Every text a person reads, by key. A text with plural forms is an object of `Intl.PluralRules` names. */
export type TextKey = keyof typeof en
type Values = Record<string, string | number>
type Entry = string | Record<string, string>

const plural = new Intl.PluralRules('en')

/** The text of a key, `{name}` replaced by the given values; `n` chooses the plural form. */
export function t(key: TextKey, values: Values = {}): string {
  const entry = en[key] as Entry
  const text = typeof entry === 'string' ? entry : (entry[plural.select(Number(values.n))] ?? entry.other ?? key)
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}

/** The text of a key made at run time (`state.` + a word from the server), or the fallback when there is none. */
export function tOr(key: string, fallback: string): string {
  return key in en ? t(key as TextKey) : fallback
}
