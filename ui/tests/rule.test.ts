import '../src/i18n/more'
import { describe, expect, it } from 'vitest'
import { asks, headline, newRule, placesFor, ruleChanges, ruleDraft, ruleValues, sentence, stretchWords, weekWords, withKind, whatWords, RULE_KINDS } from '../src/core/rule'
import { t } from '../src/core/text'
import type { Place, Rule } from '../src/core/types'

const place = (id: number, kind: Place['kind']): Place => ({ id, camera: 1, kind, name: `${kind} ${id}`, points: [], rev: 1, changed: '' })
const week = [{ days: Array(7).fill(true), from: 1320, to: 360, mode: 'continuous' as const }]

describe('a rule in words', () => {
  it('is one sentence: what, where, how long, when, and what then', () => {
    const values = { ...newRule(), place: 4, minSeconds: 3, week, modes: ['armed' as const, 'away' as const], severity: 'alert' as const, cooldownSeconds: 300 }
    expect(sentence(values, 'Entrance', t)).toBe(
      'When a person comes into Entrance, for at least 3 s, at 22:00–06:00, while the site is set to away, armed → alert, at most one in 5 min.',
    )
  })

  it('says no more than was asked', () => expect(sentence({ ...newRule(), cooldownSeconds: 0 }, null, t)).toBe('When a person comes into the picture → note.'))

  it('can be said of every kind', () => {
    for (const kind of RULE_KINDS) expect(headline({ ...newRule(), kind, direction: 'in' }, 'X', t)).not.toMatch(/\{|undefined|null/)
    expect(headline({ ...newRule(), kind: 'cross', direction: 'out', classes: [] }, 'Kerb', t)).toBe('Anything crosses Kerb outwards')
    expect(headline({ ...newRule(), kind: 'camera', faults: ['turned'] }, null, t)).toBe('The camera is turned')
  })

  it('names what it is about', () => {
    expect(whatWords([], t)).toBe('anything')
    expect(whatWords(['bag', 'person', 'animal'], t)).toBe('a person, an animal or a bag')
    expect(whatWords(['car', 'truck', 'bus', 'motorcycle', 'bicycle'], t)).toBe('a vehicle')
  })

  it('says times as people do', () => {
    expect([45, 60, 90, 7200].map(stretchWords)).toEqual(['45 s', '1 min', '90 s', '2 h'])
    expect(weekWords([{ ...week[0]!, days: [true, true, false, false, false, false, false] }], t)).toBe('Mon, Tue 22:00–06:00')
    expect(weekWords([{ ...week[0]!, from: 0, to: 0 }], t)).toBe('all day')
  })
})

describe('a rule form', () => {
  const stored = { ...ruleDraft({ ...newRule(), place: 2, week, minSize: 5 }, 'Gate'), id: 9, camera: 1, enabled: true, rev: 2, changed: '', tested: null } as Rule

  it('reads back what it wrote, and sends nothing when nothing changed', () => {
    const values = ruleValues(stored)
    expect(ruleDraft(values, values.name)).toEqual(ruleDraft({ ...newRule(), place: 2, week, minSize: 5 }, 'Gate'))
    expect(ruleChanges(ruleDraft(values, 'Gate'), ruleDraft(values, 'Gate'))).toEqual({})
    expect(ruleChanges(ruleDraft({ ...values, severity: 'alert' }, 'Door'), ruleDraft(values, 'Gate'))).toEqual({ name: 'Door', severity: 'alert' })
  })

  it('drops what another kind cannot be about', () => {
    const places = [place(1, 'privacy'), place(2, 'zone'), place(3, 'line')]
    expect(withKind(ruleValues(stored), 'cross', places).place).toBe(3)
    expect(withKind(ruleValues(stored), 'loiter', places).place).toBe(2)
    expect(withKind(ruleValues(stored), 'sound', places)).toMatchObject({ place: null, classes: [] })
    expect(withKind({ ...newRule(), classes: ['person', 'car'] }, 'stopped', places).classes).toEqual(['car'])
  })

  it('asks only what a kind needs', () => {
    expect(asks('occupancy', 'count')).toBe(true)
    expect(asks('enter', 'count')).toBe(false)
    expect(placesFor('cross')).toEqual({ kinds: ['line'], none: false })
  })
})
