/** A store file that is found damaged at the start, while none of the sources can be reached: what nobody heard of is announced whole. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { GapData } from '../../src/event.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { until } from '../support/manual-clock.ts'
import { ThreeSystems } from '../support/three-systems.ts'

let systems: ThreeSystems

beforeEach(async () => {
  systems = await ThreeSystems.make()
})

afterEach(() => systems.close())

type Gap = GapData & { readonly source: string }

/** Gaps `state_lost` so far, each once: without a sink that remembers a kill may repeat some. */
function lost(): Gap[] {
  const gaps = systems.events().flatMap(({ id, source, data }) => {
    return data.gap?.reason === 'state_lost' ? [[id, { ...data.gap, source }] as const] : []
  })
  return [...new Map(gaps).values()]
}

it('each feed tells what came between the loss and its first contact, also in a later process', async () => {
  const state = join(systems.directory, 'state')
  mkdirSync(state)
  writeFileSync(join(state, 'opswire.db'), 'no database'.repeat(1000))
  const secrets = { 'apic-password': 'ins3965!', 'raas-password': 'secret', 'vcd-token': 'secret-system' }
  for (const name of Object.keys(secrets)) systems.file(name, 'wrong')
  systems.url = await systems.daemon.start()
  await until(() => lost().length === 3, 'a gap of each source')
  expect(lost().map(({ feed, from }) => [feed, from])).toEqual([1, 2, 3].map(() => ['store', null]))
  // Who found the damage is gone before anybody answers.
  await systems.daemon.kill()
  systems.url = await systems.daemon.start()

  const unheardMs = systemClock.wall()
  for (const [name, secret] of Object.entries(secrets)) systems.file(name, secret)
  expect((await systems.reload()).status).toBe(200)
  await systems.untilReady()
  const FEEDS = ['fabric-a class/faultInst', 'fabric-a class/fvTenant', 'fabric-a class/aaaModLR']
  FEEDS.push('salt jobs', 'salt returns', 'cloud audit')
  const nameOf = ({ source, feed }: Gap): string => `${source.replace(/^.*\//, '')} ${feed}`
  await until(() => FEEDS.every(feed => lost().some(gap => nameOf(gap) === feed)), 'a gap of each feed')
  await until(() => lost().filter(gap => nameOf(gap) === 'salt jobs').length === 2, 'runs and definitions listed')
  const gaps = lost()
  for (const source of ['fabric-a', 'salt', 'cloud']) {
    const known = gaps.find(gap => nameOf(gap) === `${source} store`)?.to
    for (const feed of FEEDS.filter(name => name.startsWith(source))) {
      const own = gaps.filter(gap => nameOf(gap) === feed)
      // No moment between them.
      expect(own.map(({ from }) => from)).toEqual([known, ...own.map(({ to }) => to)].slice(0, own.length))
      expect(Date.parse(own.at(-1)?.to ?? '')).toBeGreaterThanOrEqual(unheardMs)
    }
  }
  expect(gaps.length).toBe(3 + FEEDS.length + 1)

  // Told once: the feeds go on from their cursors.
  await systems.daemon.stop()
  systems.url = await systems.daemon.start()
  await systems.untilReady()
  expect(lost().length).toBe(gaps.length)
})
