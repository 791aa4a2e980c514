/** Secrets that a test plants, and looks for in what comes out. */
import { expect } from 'vitest'

/** The ways in which a text travels. */
export function forms(secret: string): string[] {
  const base64 = [0, 1, 2].map(shift => {
    const coded = Buffer.from(`${'x'.repeat(shift)}${secret}`)
      .toString('base64')
      .replace(/=+$/, '')
    return coded.slice(shift === 0 ? 0 : shift + 1, -2)
  })
  const escaped = JSON.stringify(secret).slice(1, -1)
  return [...new Set([secret, encodeURIComponent(secret), escaped, Buffer.from(secret).toString('hex'), ...base64])]
}

/** None of the secrets is in the text, in no form. */
export function expectNoMarker(where: string, text: string, secrets: readonly string[]): void {
  const found = secrets.filter(secret => forms(secret).some(form => text.includes(form)))
  const near = found.map(secret => text.slice(Math.max(0, text.indexOf(secret) - 200), text.indexOf(secret) + 80))
  expect(found, `${where}: ${near.join('\n')}`).toEqual([])
}
