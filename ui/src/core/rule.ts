import type { TextKey } from './text'
import { EVENT_KINDS, SITE_MODES, type Direction, type Place, type PlaceKind, type Rule, type RuleDraft, type RuleKind, type Severity, type SiteMode } from './types'
import { clockOf, rulesOf, windowsOf, type WeekRule } from './week'

export const RULE_KINDS: readonly RuleKind[] = [
  'enter', 'leave', 'loiter', 'cross', 'occupancy', 'left', 'taken', 'speed', 'wrong_way', 'stopped', 'camera', 'sound',
]
export const VEHICLES = ['car', 'truck', 'bus', 'motorcycle', 'bicycle'] as const
export const FAULTS = ['covered', 'turned', 'defocused', 'frozen'] as const

export type RuleField = 'classes' | 'place' | 'direction' | 'count' | 'speed' | 'heading' | 'faults' | 'level' | 'seconds'

/** What a kind asks for beside what all have. */
const FIELDS: Record<RuleKind, readonly RuleField[]> = {
  enter: ['classes', 'place', 'seconds'], leave: ['classes', 'place'], loiter: ['classes', 'place', 'seconds'], cross: ['classes', 'place', 'direction'],
  occupancy: ['classes', 'place', 'count', 'seconds'], left: ['classes', 'place', 'seconds'], taken: ['classes', 'place', 'seconds'],
  speed: ['classes', 'place', 'speed'], wrong_way: ['classes', 'place', 'heading'], stopped: ['classes', 'place', 'seconds'],
  camera: ['faults', 'seconds'], sound: ['level', 'seconds'],
}
export const asks = (kind: RuleKind, field: RuleField): boolean => FIELDS[kind].includes(field)

/** The kinds of place a rule can be about; `none` says that it may do without. */
export function placesFor(kind: RuleKind): { kinds: readonly PlaceKind[]; none: boolean } {
  if (kind === 'camera' || kind === 'sound') return { kinds: [], none: true }
  if (kind === 'cross') return { kinds: ['line'], none: false }
  if (kind === 'wrong_way') return { kinds: ['line', 'zone'], none: true }
  return { kinds: ['zone'], none: true }
}

/** A rule as its form has it. */
export interface RuleValues {
  name: string
  kind: RuleKind
  place: number | null
  severity: Severity
  classes: string[]
  minSeconds: number | null
  cooldownSeconds: number | null
  minSize: number | null
  maxSize: number | null
  minScore: number | null
  week: WeekRule[]
  modes: SiteMode[]
  direction: Direction
  count: number | null
  speedKmh: number | null
  heading: number | null
  faults: string[]
  levelDb: number | null
}

export const newRule = (): RuleValues => ({
  name: '', kind: 'enter', place: null, severity: 'note', classes: ['person'], minSeconds: 0, cooldownSeconds: 60, minSize: 0, maxSize: 100, minScore: 0.5,
  week: [], modes: [], direction: 'both', count: 1, speedKmh: 50, heading: null, faults: [], levelDb: -20,
})

export const ruleValues = (rule: Rule): RuleValues => ({
  name: rule.name, kind: rule.kind, place: rule.place, severity: rule.severity, classes: [...rule.classes], minSeconds: rule.min_seconds,
  cooldownSeconds: rule.cooldown_seconds, minSize: rule.min_size * 100, maxSize: rule.max_size * 100, minScore: rule.min_score,
  week: rulesOf(rule.schedule.map((window) => ({ ...window, mode: 'continuous' as const }))), modes: [...rule.modes], direction: rule.direction,
  count: rule.count, speedKmh: rule.speed_kmh, heading: rule.heading, faults: [...rule.faults], levelDb: rule.level_db,
})

/** Another kind for the same rule: what it cannot be about is dropped. */
export function withKind(values: RuleValues, kind: RuleKind, places: readonly Place[]): RuleValues {
  const { kinds, none } = placesFor(kind)
  const fits = (place: Place) => kinds.includes(place.kind)
  const kept = places.find((place) => place.id === values.place && fits(place))
  const classes = kind === 'stopped' ? values.classes.filter((one) => (VEHICLES as readonly string[]).includes(one)) : asks(kind, 'classes') ? values.classes : []
  return { ...values, kind, classes, place: kept?.id ?? (none ? null : (places.find(fits)?.id ?? null)) }
}

/** All of a rule, as the API takes it. */
export function ruleDraft(values: RuleValues, name: string): RuleDraft {
  return {
    name: name.trim(), kind: values.kind, place: values.place, severity: values.severity, min_seconds: values.minSeconds ?? 0,
    cooldown_seconds: values.cooldownSeconds ?? 0, classes: asks(values.kind, 'classes') ? values.classes : [], min_size: (values.minSize ?? 0) / 100,
    max_size: (values.maxSize ?? 100) / 100, min_score: values.minScore ?? 0.5,
    schedule: windowsOf(values.week).map(({ weekday, from_minute, to_minute }) => ({ weekday, from_minute, to_minute })), modes: values.modes,
    direction: values.direction, count: values.count ?? 1, speed_kmh: values.speedKmh ?? 50, heading: values.heading, faults: values.faults,
    level_db: values.levelDb ?? -20,
  }
}

/** Only what differs; the kind of a stored rule cannot change. */
export function ruleChanges(now: RuleDraft, before: RuleDraft): Partial<RuleDraft> {
  return Object.fromEntries(Object.entries(now).filter(([name, value]) => name !== 'kind' && JSON.stringify(value) !== JSON.stringify(before[name as keyof RuleDraft])))
}

type Say = (key: TextKey, values?: Record<string, string | number>) => string

/** `person or animal`, `anything`. */
export function whatWords(classes: readonly string[], t: Say): string {
  if (!classes.length) return t('rule.anything')
  if (VEHICLES.every((one) => classes.includes(one)) && classes.length === VEHICLES.length) return t('rule.vehicle')
  const words = EVENT_KINDS.filter((kind) => classes.includes(kind)).map((kind) => t(`rule.a_${kind}`))
  return words.length > 1 ? t('rule.or', { first: words.slice(0, -1).join(', '), last: words.at(-1)! }) : (words[0] ?? t('rule.anything'))
}

/** A stretch as people say it: `45 s`, `5 min`, `2 h`. */
export function stretchWords(seconds: number): string {
  if (seconds >= 3600 && seconds % 3600 === 0) return `${seconds / 3600} h`
  if (seconds >= 60 && seconds % 60 === 0) return `${seconds / 60} min`
  return `${seconds} s`
}

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const

/** `Mon, Tue 22:00–06:00`, days left out when it is every day. */
export function weekWords(week: readonly WeekRule[], t: Say): string {
  return week
    .filter((rule) => rule.days.some(Boolean))
    .map((rule) => {
      const days = rule.days.every(Boolean) ? '' : `${DAYS.filter((_, day) => rule.days[day]).map((day) => t(`week.${day}`)).join(', ')} `
      return `${days}${rule.from === rule.to ? t('rule.all_day') : `${clockOf(rule.from)}–${clockOf(rule.to)}`}`
    })
    .join('; ')
}

/** What happens, without when and how urgently: `Person enters Entrance`. Also the name of a rule nobody named. */
export function headline(values: RuleValues, place: string | null, t: Say): string {
  const what = whatWords(values.classes, t)
  const where = place ?? t('rule.picture')
  const words = t(`rule.says_${values.kind}`, {
    what, where, count: values.count ?? 1, speed: values.speedKmh ?? 50, level: values.levelDb ?? -20,
    faults: values.faults.length ? values.faults.map((one) => t(`rule.fault_${one}` as TextKey)).join(', ') : t('rule.any_fault'),
    direction: values.direction === 'both' ? '' : ` ${t(`rule.${values.direction}wards`)}`,
  })
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** The whole rule in one sentence. */
export function sentence(values: RuleValues, place: string | null, t: Say): string {
  const first = headline(values, place, t)
  const parts = [
    asks(values.kind, 'seconds') && values.minSeconds ? t('rule.for', { time: stretchWords(values.minSeconds) }) : '',
    weekWords(values.week, t) && t('rule.between', { times: weekWords(values.week, t) }),
    values.modes.length ? t('rule.while', { modes: SITE_MODES.filter((mode) => values.modes.includes(mode)).map((mode) => t(`mode.${mode}`).toLowerCase()).join(', ') }) : '',
  ].filter(Boolean)
  const most = values.cooldownSeconds ? t('rule.at_most', { time: stretchWords(values.cooldownSeconds) }) : ''
  const happening = [first.charAt(0).toLowerCase() + first.slice(1), ...parts].join(', ')
  return t('rule.sentence', { happening, severity: t(`severity.${values.severity}`).toLowerCase(), most })
}
