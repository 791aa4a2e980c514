/** NATS is away until the store is full: polls wait, the fabric goes on, it is said, and all of it comes in the end. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { OpsEvent } from '../../src/event.ts'
import { type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { contents, natsBinary, natsConfig, OLDEST } from '../support/nats.ts'
import { ThreeSystems } from '../support/three-systems.ts'

/** More than the store takes. */
const ROWS = 1200
/** Fewer than the tenth beyond the limit takes. */
const PUSHED = 40

let world: ThreeSystems
let nats: RunningNats

beforeEach(async () => {
  const say = (note: string): never => {
    throw new Error(note)
  }
  nats = await startNatsServer({ binary: await natsBinary(OLDEST, say) })
  world = await ThreeSystems.make()
  world.blocks.top += `store: { max_bytes: 1MiB }\nnats: { servers: ["${nats.url}"], retain_acked: 1s }\n`
  world.blocks.fabric = world.blocks.fabric.replace('{ class: aaaModLR }', '{ class: eventRecord }')
  world.write()
})

afterEach(async () => {
  await world.close()
  await nats.remove()
})

async function told(source: string): Promise<number> {
  const { sources } = await world.status()
  return sources.find(({ name }) => name === source)?.feeds.reduce((sum, feed) => sum + feed.events, 0) ?? 0
}

it('a full store holds back what can be asked again, and nothing else; each event is told once, and no gap', async () => {
  await world.start()
  await nats.stop()
  const entity = (n: number) => ({ name: `full-${n}`, id: null })
  for (let n = 0; n < ROWS; n++) {
    world.vcd.write({ type: 'vm/create', user: 'svc-opswire', org: 'System', entity: entity(n) })
  }
  await world.untilAnswer(
    '/-/ready',
    ({ status, body }) => status === 503 && /full.*\d+ of 1048576 bytes/.test(body),
    'it says that the store is full',
  )
  const [polled, pushed] = [await told('cloud'), await told('fabric-a')]
  expect(polled).toBeLessThan(ROWS)
  await world.apic.burst(PUSHED, n => ({ descr: `pushed ${n}` }))
  await world.untilAnswer(
    '/status',
    ({ body }) => JSON.parse(body).sources[0].feeds.some((feed: { events: number }) => feed.events >= PUSHED),
    'what was pushed is stored',
  )
  expect([await told('cloud'), (await told('fabric-a')) - pushed]).toEqual([polled, PUSHED])
  expect(await world.metric('opswire_store_bytes')).toBeLessThanOrEqual(1.1 * 1024 ** 2)
  await nats.restart()
  await world.untilAnswer(
    '/status',
    ({ body }) => {
      const { store, sources } = JSON.parse(body)
      return store.events === 0 && sources[2].feeds[0].events >= ROWS
    },
    'all of it delivered',
  )
  await world.untilReady()
  const all = (await contents(natsConfig(nats.url), ROWS + PUSHED)).map(({ event }) => event as OpsEvent)
  const names = all.flatMap(event => /"full-\d+"|pushed \d+/.exec(JSON.stringify(event))?.[0] ?? [])
  expect([names.length, new Set(names).size]).toEqual([ROWS + PUSHED, ROWS + PUSHED])
  expect(all.filter(({ data }) => data.kind === 'gap')).toEqual([])
}, 120_000)
