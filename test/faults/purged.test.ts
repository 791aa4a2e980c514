/**
 * Whatever breaks, and the logs are purged meanwhile: what could still be read is in the stream, each exactly once, and
 * for all that is gone there is a gap event that names its class and its time.
 */
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { NEWEST, natsBinary } from '../support/nats.ts'
import { BREAKAGES } from './breakages.ts'
import { CLASSES, lineOf } from './oracle.ts'
import { type Played, play, READINGS } from './play.ts'

const TABLE = 'The same, with the history of all three classes purged in the middle of the hole'

let nats: RunningNats

beforeAll(async () => {
  nats = await startNatsServer({
    binary: await natsBinary(NEWEST, note => {
      throw new Error(note)
    }),
  })
})

afterAll(() => nats.remove())

function wrongs({ verdict, gone, untold, notices }: Played): string[] {
  return [
    ...CLASSES.flatMap(cls => [
      ...verdict[cls].missing.filter(one => !gone.includes(one)).map(one => `could still be read: ${lineOf(one)}`),
      ...verdict[cls].doubled.map(line => `doubled ${cls} ${line}`),
      ...verdict[cls].invented.map(line => `invented ${cls} ${line}`),
    ]),
    ...untold.map(one => `in no gap event: ${lineOf(one)}`),
    ...notices.map(notice => `dead letter ${notice}`),
  ]
}

describe.for(READINGS)('subscriptions $name', reading => {
  it.concurrent.for(BREAKAGES.filter(breakage => breakage.seamless !== true))(
    '$name',
    async (breakage, { task, expect }) => {
      const played = await play({ natsUrl: nats.url, breakage, reading, purge: true })
      task.meta.run = { table: TABLE, row: played.row }
      expect(wrongs(played)).toEqual([])
      // A run in which nothing was lost would show nothing.
      for (const cls of CLASSES) expect(played.verdict[cls].missing.length, cls).toBeGreaterThan(0)
    },
  )
})
