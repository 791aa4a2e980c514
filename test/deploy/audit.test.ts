import { expect, it } from 'vitest'
import { judge } from '../../scripts/audit.ts'

it('a known weakness fails, nothing known passes, and no answer says so', () => {
  const found = { 'some-package': { severity: 'high', range: '<1.2.3' } }
  expect(judge(JSON.stringify({ vulnerabilities: found }))).toEqual({
    code: 1,
    text: 'npm audit: 1 known weaknesses\n  some-package <1.2.3: high',
  })
  expect(judge(JSON.stringify({ vulnerabilities: {} }))).toEqual({ code: 0, text: 'npm audit: nothing known' })
  const refused = { message: '405 Method Not Allowed', error: { summary: '', detail: '' } }
  expect(judge(JSON.stringify(refused)).text).toBe('NOT RUN: npm audit: 405 Method Not Allowed')
  expect(judge('').text).toMatch(/^NOT RUN/)
})
