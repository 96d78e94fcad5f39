import { expect, it } from 'vitest'
import { certificateOf, fingerprint } from '../src/core/certificate'

const digits = 'ab12'.repeat(16)

it('the certificate a test met is found in what it says', () => {
  expect(certificateOf({ sentence: `The certificate is not trusted. Its SHA-256 is ${digits}.`, next_step: null })).toBe(`sha256:${digits}`)
  expect(certificateOf({ sentence: 'This camera can be recorded.', next_step: '' })).toBeNull()
})

it('a fingerprint is written as cameras write it', () => expect(fingerprint('sha256:0aff')).toBe('0A:FF'))
