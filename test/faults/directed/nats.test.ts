/** A stream with wrong limits, and events that no message may hold. */
import { describe, it } from 'vitest'
import { sleep, systemClock } from '../../../src/scheduler/clock.ts'
import { untilAnswered } from '../../support/asked.ts'
import { runSeed } from '../whole/run-seed.ts'
import { once, played } from './drive.ts'

const MAX_PAYLOAD = 32 * 1024

describe.concurrent('a stream with wrong limits', () => {
  it.for([
    ['max_msg_size', 'max_msg_size 4KiB is less than 8KiB', 922, { max_msg_size: 4096 }, { max_msg_size: -1 }],
    ['no_ack', 'no_ack is true', 923, { no_ack: true }, { no_ack: false }],
  ] as const)('%s: the daemon stores, says what is wrong, and delivers when it is mended', async (of, { expect }) => {
    const [name, words, seed, wrong, right] = of
    let said = ''
    const strike = once(`stream with ${name}`, 2500, async world => {
      const back = await world.broker.missize(wrong, right)
      const isSaid = ({ status, body }: { status: number; body: string }): boolean => {
        said = body
        return status === 503 && body.includes(words)
      }
      await untilAnswered(() => world.unit.get('/-/ready'), isSaid, words)
      return back
    })
    const result = await played({ seed, strikes: [strike] })
    expect(said).toContain(words)
    expect(result.wrongs).toEqual([])
  })
})

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
