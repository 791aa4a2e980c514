/** `opswire query` with a question that is too long for one request line. */
import { afterEach, expect, it } from 'vitest'
import { QueryRig } from './query-rig.ts'

const PADDING = Array.from({ length: 200 }, (_, index) => `fvPaddingOfALongList${index}`)

let rig: QueryRig

afterEach(() => rig.close())

it('is asked in parts, and answered as one: each object once, with what hangs below it, in the order asked for', async () => {
  rig = await QueryRig.make({ apic: {} })
  const { apic } = rig
  apic.knobs.longestLine = 4096
  for (const cls of PADDING) apic.fabric.model.define(cls)
  const shop = { fvAp: { attributes: { name: 'shop' } } }
  const front = { fvBD: { attributes: { name: 'front' } } }
  for (const name of ['prod', 'test']) {
    apic.post('uni', { fvTenant: { attributes: { name }, children: [shop, front] } })
  }
  const flags = ['--rsp-subtree', 'full', '--rsp-subtree-class', ['fvAp', ...PADDING, 'fvBD'].join(',')]
  const answer = await rig.ask('fabric-a', 'class', 'fvTenant', ...flags, '--order-by', 'fvTenant.name|desc', '--json')
  expect([answer.code, answer.err]).toEqual([
    0,
    expect.stringContaining('--rsp-subtree-class: is too long for one request: it becomes 2 requests'),
  ])
  const rows = answer.out
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, { attributes: Record<string, string>; children?: object[] }>)
  expect(rows.map(row => row['fvTenant']?.attributes['name'])).toEqual(['test', 'prod', 'mgmt', 'infra', 'common'])
  const below = rows.map(row => row['fvTenant']?.children?.map(child => Object.keys(child)[0]))
  expect(below).toEqual([['fvAp', 'fvBD'], ['fvAp', 'fvBD'], undefined, undefined, undefined])
  const asked = apic.record.requests.filter(({ operation }) => operation === 'query')
  expect(asked.map(({ status }) => status)).toEqual([200, 200])
})
