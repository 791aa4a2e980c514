import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HttpAnswer, type HttpRequest } from '../../src/subscribers/http.ts'
import { secretsOf, unsaid } from '../../src/subscribers/unsaid.ts'

type Said = Pick<HttpRequest, 'path' | 'headers' | 'body'>

const REQUESTS: readonly (readonly [what: string, request: Said, secret: string])[] = [
  ['a bearer', { path: '/', headers: { Authorization: 'Bearer abc.def' } }, 'abc.def'],
  ['another scheme', { path: '/', headers: { authorization: 'JWT abc.def' } }, 'abc.def'],
  ['a cookie', { path: '/', headers: { Cookie: '_xsrf=2|abcd; other=efgh' } }, '2|abcd'],
  ['an XSRF token', { path: '/', headers: { 'X-XSRFToken': 'xsrf-value' } }, 'xsrf-value'],
  ['a challenge', { path: '/', headers: { 'APIC-challenge': 'challenge-value' } }, 'challenge-value'],
  ['a token in the path', { path: '/api/x.json?a=b&url-token=the%2Bword' }, 'the+word'],
  ['a password in JSON', { path: '/', body: '{"aaaUser":{"attributes":{"name":"svc","pwd":"p\\"w d"}}}' }, 'p"w d'],
  ['a token in a form', { path: '/', body: 'grant_type=refresh_token&refresh_token=api+token' }, 'api token'],
]

describe('what a request carried', () => {
  it.each(REQUESTS)('%s is cut out of its refusal, however that writes it', (_, request, secret) => {
    const written = [secret, encodeURIComponent(secret), JSON.stringify(secret)]
    const answer = new HttpAnswer(403, {}, `you said ${written.join(' and ')}`, () => secretsOf(request))
    for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) {
      expect(answer.text).not.toContain(form)
    }
    expect(answer.text).toMatch(/^you said \*{8} and \*{8} and "\*{8}"$/)
  })

  it('is cut out of a page, of what is quoted in a form, and of JSON as other libraries write it', () => {
    const pwd = `a b&<"'>/é!x`
    const said = [
      'a b&amp;&lt;&quot;&#39;&gt;/é!x',
      'a b&amp;&lt;&quot;&apos;&gt;/é!x',
      'a b&amp;&lt;&#34;&#x27;&gt;/é!x',
      `a b&amp;&lt;"'&gt;/é!x`,
      'a+b%26%3C%22%27%3E%2F%C3%A9%21x',
      'a%20b%26%3c%22%27%3e%2f%c3%a9%21x',
      String.raw`a b&<\"'>\/é!x`,
      String.raw`a b&<\"'>/\u00e9!x`,
    ]
    for (const text of said) {
      const secrets = secretsOf({ path: '/', body: JSON.stringify({ pwd }) })
      expect(unsaid(`you said ${text}.`, secrets)).toBe('you said ********.')
    }
  })

  it('of a login by name and password both forms are cut out, and the name is left', () => {
    const coded = Buffer.from('alice@acme:p:w of alice').toString('base64')
    const secrets = secretsOf({ path: '/', headers: { Authorization: `Basic ${coded}` } })
    expect(unsaid(`${coded}: user alice@acme with p:w of alice`, secrets)).toBe(
      '********: user alice@acme with ********',
    )
  })

  it('half a character in a password is no reason to fail', () => {
    const secrets = secretsOf({ path: '/', body: JSON.stringify({ pwd: 'abc\ud800def' }) })
    expect(unsaid('abc\ud800def abc\\ud800def', secrets)).toBe('******** ********')
  })

  it('leaves words alone that hold a very short secret, in whatever spelling', () => {
    for (const pwd of ['a', 'abc', '"', '&<', 'é', '中']) {
      const text = `a bad abc &quot;x&quot; &amp;&lt; %C3%A9 %E4%B8%AD ${String.raw`\u00e9`}`
      expect(
        unsaid(text, secretsOf({ path: `/?token=${encodeURIComponent(pwd)}`, body: JSON.stringify({ pwd }) })),
      ).toBe(text)
    }
  })

  it('leaves the words of a refusal, names and good answers alone', () => {
    const request = {
      path: '/?page=1',
      headers: { Authorization: 'Bearer abcdef', Accept: 'application/json' },
      body: '{"name":"svc-opswire","pwd":"hush"}',
    }
    const secrets = (): string[] => secretsOf(request)
    const text = 'Bearer token of svc-opswire was invalid: application/json page 1'
    expect(new HttpAnswer(401, {}, text, secrets).text).toBe(text)
    const good = new HttpAnswer(200, {}, '{"token":"abcdef"}', secrets)
    expect(good.text).toBe('{"token":"abcdef"}')
    expect(good.quote('no abcdef here')).toBe('no ******** here')
  })

  it('is gone whatever it is, and what it leaves is still JSON', () => {
    const secret = fc.string({ minLength: 4, unit: 'grapheme' }).filter(text => !'*'.repeat(8).includes(text))
    fc.assert(
      fc.property(secret, fc.string(), (pwd, words) => {
        const body = JSON.stringify({ pwd })
        const left = unsaid(JSON.stringify({ error: `${words}|${pwd}|` }), secretsOf({ path: '/', body }))
        expect((JSON.parse(left) as { error: string }).error).not.toContain(`|${pwd}|`)
      }),
    )
  })
})
