/** What is only seen when the question is taken apart: `check` tells it all the same, with its place. */
import { describe, expect, it } from 'vitest'
import { judge } from '../../src/cli/load.ts'
import { parseConfig } from '../../src/config/load.ts'
import { sayFinding } from '../../src/config/problems.ts'
import { problemsOf } from './samples.ts'

const config = (subscriptions: readonly string[], more = ''): string => `sources:
  - name: fabric-a
    kind: apic
    controllers: ["https://apic1.example.net"]
    username: svc
    password_file: /run/secrets/apic
    subscriptions:
${subscriptions.map(one => `      - ${one}\n`).join('')}${more}`

const problems = async (...subscriptions: string[]): Promise<string[]> =>
  (await problemsOf(parseConfig(config(subscriptions), 'x.yaml', {}, judge))).map(one => sayFinding('x.yaml', one))

it('questions that no APIC can be asked are found offline, all at once, each with its line', async () => {
  const found = await problems(
    '{ class: l2IngrBytes5min }',
    '{ class: faultInst }',
    '{ raw: nonsense }',
    '{ mo: uni/tn-x, backfill: 1h }',
    '{ class: fvTenant, order_by: fvBD.name, filter: { eq: [fvAp.name, x] } }',
  )
  expect(found.map(text => text.split(': ').slice(0, 2).join(' '))).toEqual([
    'x.yaml:8:18 sources[0].subscriptions[0].class',
    'x.yaml:10:16 sources[0].subscriptions[2].raw',
    'x.yaml:11:35 sources[0].subscriptions[3].backfill',
    'x.yaml:12:38 sources[0].subscriptions[4].order_by',
    'x.yaml:12:57 sources[0].subscriptions[4].filter',
  ])
})

it('a health scope is a DN like any other', async () => {
  const text = config(['{ class: faultInst }'], '    health_scopes: [topology, uni/../x]\n')
  const found = await problemsOf(parseConfig(text, 'x.yaml', {}, judge))
  expect(found.map(one => sayFinding('x.yaml', one))).toEqual([
    'x.yaml:9:31: sources[0].health_scopes[1]: a DN with "." or ".." segments would be rewritten on its way',
  ])
})

describe('what works but goes out in other words is said', () => {
  const notes = async (...subscriptions: string[]): Promise<string[]> => {
    const { warnings } = await parseConfig(config(subscriptions), 'x.yaml', {}, judge)
    return warnings.filter(one => one.code === 'rewritten').map(one => sayFinding('x.yaml', one))
  }

  it.each([
    [
      '{ class: fvTenant, rsp_subtree_include: [fault, required] }',
      'x.yaml:8:49: sources[0].subscriptions[0].rsp_subtree_include: fault is sent as faults: the guide prints both, and faults is the one that releases know',
    ],
    [
      '{ raw: "class/fvTenant.json?rsp-subtree-include=fault,required" }',
      'x.yaml:8:16: sources[0].subscriptions[0].raw: rsp-subtree-include: fault is sent as faults: the guide prints both, and faults is the one that releases know',
    ],
    [
      '{ class: eventRecord, filter: { allbits: [eventRecord.trig, "oper,config"] } }',
      'x.yaml:8:39: sources[0].subscriptions[0].filter: allbits is refused by releases: sent as and(anybit(…),…)',
    ],
  ])('%s', async (subscription, said) => {
    expect(await notes(subscription)).toEqual([said])
  })

  it('a question too long for one request', async () => {
    const classes = Array.from({ length: 400 }, (_, index) => `fvClass${index}`).join(', ')
    expect(await notes(`{ mo: uni, query_target: subtree, target_subtree_class: [${classes}] }`)).toEqual([
      'x.yaml:8:65: sources[0].subscriptions[0].target_subtree_class: is too long for one request: it becomes 2 subscriptions',
    ])
  })

  it('nothing of what is sent as it is written', async () => {
    expect(await notes('{ class: fvTenant, rsp_subtree_include: [faults, required] }')).toEqual([])
  })
})
