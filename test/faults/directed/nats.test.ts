/** A stream with wrong limits, and events that no message may hold. */
import { describe, it } from 'vitest'
import { sleep, systemClock } from '../../../src/scheduler/clock.ts'
import { runSeed } from '../whole/run-seed.ts'
import { once } from './drive.ts'

const MAX_PAYLOAD = 32 * 1024

describe.concurrent('an event over max_payload', () => {
  it('goes without its raw object, or is a dead letter with a notice; all else is in the stream', async ({
    expect,
  }) => {
    const long = 'x'.repeat(2 * MAX_PAYLOAD)
    const strike = once('too large', 0, async world => {
      const [first] = world.systems.controllers
      // A property that only `raw` carries; and one that the event itself carries.
      first?.emit('eventRecord', { descr: 'large raw', dnOfSomething: long })
      first?.emit('eventRecord', { descr: long })
      await sleep(systemClock, 500)
    })
    const { result, evidence } = await runSeed({
      seed: 921,
      spanMs: 4000,
      strikes: [strike],
      patienceMs: 8000,
      world: { server: `max_payload: ${MAX_PAYLOAD}` },
    })
    const stream = evidence?.stream ?? []
    const truncated = stream.filter(({ event }) => (event as { truncated?: boolean }).truncated === true)
    expect(truncated.map(({ event }) => (event as { data: { raw?: unknown } }).data.raw)).toEqual([undefined])
    const letters = stream.filter(({ subject }) => subject.includes('._dead.'))
    expect(letters.map(({ event }) => JSON.stringify(event).length < 2000)).toEqual([true])
    // The judge asks for both as they were; nothing else is wrong.
    const kinds = result.wrongs.map(line => line.split(':')[0])
    expect(kinds.filter(kind => kind === 'lost').length).toBeLessThanOrEqual(2)
    expect(kinds.filter(kind => !['lost', 'dead letter', 'invented'].includes(kind ?? ''))).toEqual([])
  })
})
