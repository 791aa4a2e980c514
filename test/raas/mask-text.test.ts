/** Secrets in text, at any depth and in any wrapping. Each must be gone, and what stands around it must still be there. */
import { expect, test } from 'vitest'
import { maskText } from '../../src/subscribers/raas/mask-text.ts'
import { redacted } from '../../src/subscribers/raas/redact.ts'

const SECRET = 'hunter2-5up3r'
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJyb290In0.c2lnbmF0dXJl'

test.each([
  ['assignment', `db_password=${SECRET} port=5432`, 'port=5432'],
  ['yaml', `user: root\npassword: ${SECRET}\nport: 1`, 'port: 1'],
  ['quoted, with a gap inside', `PASSWORD="${SECRET} and more" next`, 'next'],
  ['JSON in a string', `{"api_key": "${SECRET}", "host": "db01"}`, '"host": "db01"'],
  ['JSON in JSON', `{\\"secret_key\\": \\"${SECRET}\\", \\"host\\": \\"db01\\"}`, 'db01'],
  ['flag with =', `mysql --password=${SECRET} -h db01`, '-h db01'],
  ['flag with a gap', `vault login --token ${SECRET} -address x`, '-address x'],
  ['header', `GET / HTTP/1.1\nAuthorization: Custom ${SECRET} x\nHost: raas`, 'Host: raas'],
  ['cookie', `Cookie: a=1; session=${SECRET}\nHost: raas`, 'Host: raas'],
  ['bearer', `curl -H 'X: Bearer ${SECRET}' https://raas/rpc`, 'https://raas/rpc'],
  ['url', `postgres://root:${SECRET}@db01/raas`, '@db01/raas'],
  ['token in a query', `https://raas/x?access_token=${SECRET}&page=1`, '&page=1'],
  ['key file', `a\n-----BEGIN RSA PRIVATE KEY-----\n${SECRET}\n-----END RSA PRIVATE KEY-----\nb`, '\nb'],
  ['key file that was cut off', `a\n-----BEGIN PRIVATE KEY-----\n${SECRET}`, 'a\n'],
  ['shadow', `root:$6$salt$${SECRET}abcdef:19000:0`, ':19000:0'],
])('%s', (_name, text, kept) => {
  const masked = maskText(text)
  expect(masked).not.toContain(SECRET)
  expect(masked).toContain('********')
  expect(masked).toContain(kept)
})

test('tokens that can be told by their looks', () => {
  expect(maskText(`got ${JWT} from raas`)).toBe('got ******** from raas')
})

test.each(['Filesystem Size Used\n/dev/sda1 40G 12G', 'passed 12 tests', 'https://raas.example.net:8443/rpc', ''])(
  'left alone: %s',
  text => {
    expect(maskText(text, ['ssn'])).toBe(text)
  },
)

test('configured names, as whole words', () => {
  expect(maskText('SSN: 123-45, ssn_kind: x', ['ssn'])).toBe('SSN: ********, ssn_kind: x')
})

test('binary values that hold a secret are masked whole, others stay', () => {
  const of = (text: string) => `b64:${Buffer.from(text).toString('base64')}`
  expect(maskText(of(`password=${SECRET}`))).toBe('********')
  expect(maskText(of('hello'))).toBe(of('hello'))
})

test('nested: objects, lists, words of a command line, keys', () => {
  const masked = redacted(
    {
      a: [{ b: { Ssn: '1', text: `password: ${SECRET}` } }],
      args: ['mysql', '--password', SECRET, 'db01'],
      [`x token=${SECRET}`]: 1,
    },
    ['ssn'],
  )
  expect(JSON.stringify(masked)).not.toContain(SECRET)
  expect(masked).toMatchObject({ a: [{ b: { Ssn: '********' } }], args: ['mysql', '--password', '********', 'db01'] })
})

test('a large text without secrets comes back as it was, pattern by pattern in one go', () => {
  const text = 'passwordpasswordtoken'.repeat(100_000)
  expect(maskText(text)).toBe(text)
})
