/** A complaint about the config names keys and places, never what a secret's key holds. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { main } from '../../src/main.ts'
import { captured } from '../cli/captured-io.ts'
import { expectNoMarker } from '../support/markers.ts'

const secret = 'hush-inline-secret'
const folder = mkdtempSync(join(tmpdir(), 'opswire-complaints-'))

afterAll(() => {
  rmSync(folder, { recursive: true })
})

const vcd = (rest: string): string =>
  `sources: [{ name: cloud, kind: vcd, url: "https://vcd.example.net", org: System, ${rest} }]\n`

/** Everything that the command prints. */
async function say(words: readonly string[], text: string, env: Record<string, string> = {}): Promise<string> {
  const config = join(folder, 'opswire.yaml')
  writeFileSync(config, text)
  const { io, out, err } = captured({ env })
  const [word = '', ...rest] = words
  await main([word, '-c', config, ...rest], io)
  return out() + err()
}

const BROKEN: Record<string, string> = {
  misspelt: vcd(`api_tokn: ${secret}`),
  twice: vcd(`api_token: ${secret}, api_token: ${secret}`),
  'two spellings': vcd(`api_token: ${secret}, api_token_file: /nowhere`),
  'a list': vcd(`api_token: [${secret}]`),
  'a block': vcd(`api_token: { a: ${secret} }`),
  'a variable': vcd(`api_token_env: "${secret} "`),
  'in a URL': `sources: [{ name: cloud, kind: vcd, url: "https://svc:${secret}@vcd.example.net", org: System, api_token: x }]\n`,
  'in a NATS URL': `nats: { servers: ["nats://svc:${secret}@nats.example.net"] }\n${vcd('api_token: x')}`,
  'the whole file': secret,
  unfinished: vcd(`api_token: "${secret}`),
  'bad indentation': `sources:\n  - name: cloud\n    kind: vcd\n   api_token: ${secret}\n`,
  'a tab': `sources:\n\t- api_token: ${secret}\n`,
}

it.each(Object.keys(BROKEN))('%s', async name => {
  for (const words of [['check'], ['check', '--json'], ['run'], ['config', 'show']]) {
    const said = await say(words, BROKEN[name] ?? '')
    expect(said.length).toBeGreaterThan(10)
    expectNoMarker(words.join(' '), said, [secret])
  }
})

it('an override that is misspelt', async () => {
  const said = await say(['check'], vcd('api_token: x'), { OPSWIRE_SOURCES__CLOUD__API_TOKN: secret })
  expect(said).toContain('API_TOKN')
  expectNoMarker('override', said, [secret])
})

it('a daemon that can not start', async () => {
  const said = await say(['run'], vcd(`api_token: ${secret}`), { OPSWIRE_HTTP__LISTEN: '192.0.2.1:9' })
  expect(said).toContain('no such address')
  expectNoMarker('start', said, [secret])
})
