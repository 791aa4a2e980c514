/**
 * A daemon that hears nothing says so, in all four places where somebody may look: `/-/ready`, a metric, the log and the
 * stream. For each kind of source the system falls silent in its worst way: everything stays open, nothing is answered.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/scheduler/clock.ts'
import { until } from '../support/manual-clock.ts'
import { ThreeSystems } from '../support/three-systems.ts'

let world: ThreeSystems

beforeEach(async () => {
  world = await ThreeSystems.make()
})

afterEach(async () => {
  await world.close()
})

/** The `source` events of one source, by the last word of their type. */
const news = (source: string): string[] =>
  world
    .events()
    .filter(event => event.data.kind === 'source' && event.source.endsWith(`/${source}`))
    .map(event => event.type.replace('opswire.source.', ''))

const logged = (text: RegExp): boolean => world.daemon.log.some(line => text.test(line))

/** Waits until all four places say that this source can't be trusted, and no other. */
async function untilToldOf(source: string, why: RegExp): Promise<void> {
  const body = await world.untilAnswer('/-/ready', answer => answer.status === 503, 'not ready')
  const { checks } = JSON.parse(body) as { checks: { name: string; ok: boolean; why: string }[] }
  expect(checks.filter(check => !check.ok).map(check => check.name)).toEqual([`source ${source}`])
  expect(checks.find(check => !check.ok)?.why).toMatch(why)
  await world.untilAnswer(
    '/metrics',
    ({ body: page }) => page.includes(`opswire_source_up{source="${source}"} 0`),
    'the metric',
  )
  await until(() => logged(new RegExp(`"msg":"${source} is (degraded|down)`)), 'the log line')
  await until(() => news(source).some(word => word === 'degraded' || word === 'down'), 'the event')
  for (const other of ['fabric-a', 'salt', 'cloud']) {
    if (other === source) continue
    expect(await world.metric(`opswire_source_up{source="${other}"}`)).toBe(1)
  }
}

async function untilWellAgain(source: string): Promise<void> {
  await world.untilReady()
  expect(await world.metric(`opswire_source_up{source="${source}"}`)).toBe(1)
  await until(() => news(source).at(-1) === 'up', 'the good news')
}

const QUICK = 'canary_interval: 1s\n    reconcile_interval: 1s\n    request_timeout: 1s\n'

describe('deaf', () => {
  it('APIC: sockets open, requests unanswered', async () => {
    world.blocks.fabric += `    ${QUICK}`
    world.write()
    await world.start()
    world.apic.goDark()
    await untilToldOf(
      'fabric-a',
      /feed class\/\w+ last proved itself alive \d+ s ago, its bound is [34] s|down: |degraded: /,
    )
    world.apic.comeBack()
    await untilWellAgain('fabric-a')
  })

  it('APIC: everything is answered, refreshes too, and nothing is pushed any more', async () => {
    world.blocks.fabric += `    ${QUICK}`
    world.write()
    await world.start()
    world.apic.mute()
    const writing = new AbortController()
    let written = 0
    const write = (): void => {
      if (writing.signal.aborted) return
      world.apic.emit('aaaModLR', { affected: `uni/tn-${written}`, descr: `record ${written++}`, user: 'bob' })
      systemClock.after(100, write)
    }
    write()
    try {
      await untilToldOf(
        'fabric-a',
        /feed class\/\w+ last proved itself alive \d+ s ago, its bound is [34] s|degraded: .*mute|degraded: /,
      )
    } finally {
      writing.abort()
    }
    world.apic.unmute()
    await untilWellAgain('fabric-a')
  })

  it.each<['salt' | 'cloud', (hangs: boolean) => void]>([
    [
      'salt',
      hangs => {
        world.raas.knobs.fault = hangs ? () => ({ kind: 'hang' }) : undefined
      },
    ],
    [
      'cloud',
      hangs => {
        world.vcd.knobs.fail = hangs ? () => ({ kind: 'hang' }) : undefined
      },
    ],
  ])('a source that polls, %s: requests hang', async (source, silence) => {
    world.blocks[source] += '    request_timeout: 1s\n'
    world.write()
    await world.start()
    silence(true)
    await untilToldOf(source, /^degraded: no answer within 1000 ms \(/)
    silence(false)
    await untilWellAgain(source)
  })
})
