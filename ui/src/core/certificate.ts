import type { CameraTest } from './types'

/** The certificate a test met and did not accept, as a setting (`sha256:…`), or null. The recorder names it in its sentence. */
export function certificateOf(test: Pick<CameraTest, 'sentence' | 'next_step'>): string | null {
  const found = /\b[0-9a-f]{64}\b/i.exec(`${test.sentence} ${test.next_step ?? ''}`)
  return found ? `sha256:${found[0].toLowerCase()}` : null
}

/** Its digits as cameras show them: `3F:A2:…`. */
export const fingerprint = (certificate: string): string =>
  certificate.replace(/^sha256:/, '').toUpperCase().match(/.{1,2}/g)?.join(':') ?? ''
