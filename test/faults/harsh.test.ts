/** The same with the other readings of the real system: what is not known for sure is set the way that hurts. */
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { NEWEST, natsBinary } from '../support/nats.ts'
import { BREAKAGES } from './breakages.ts'
import { play, READINGS, wrongs } from './play.ts'

const TABLE = 'The same, with every other doubtful reading of the real system set the way that hurts'

let nats: RunningNats

beforeAll(async () => {
  nats = await startNatsServer({
    binary: await natsBinary(NEWEST, note => {
      throw new Error(note)
    }),
  })
})

afterAll(() => nats.remove())

describe('a slow fabric, whose logs say little, in XML', () => {
  it.concurrent.for(BREAKAGES.map((breakage, index) => ({ ...breakage, reading: READINGS[index % 2] ?? READINGS[0] })))(
    '$name; subscriptions $reading.name',
    async ({ reading, ...breakage }, { task, expect }) => {
      const played = await play({
        natsUrl: nats.url,
        breakage,
        reading,
        // A fault takes its next step after its last one is in the log.
        paceMs: 25,
        fabricKnobs: {
          auditCopies: 3,
          faultRecordAffected: 'fault',
          faultRecordDelayMs: 30,
          faultRecordFields: 'lean',
          recordsPushedAfterMs: 50,
        },
        knobs: {
          ceilingCounts: 'log-matches',
          deadRefresh: 'body',
          latencyMs: 60,
          objectsPerFrame: 5,
          pushDelayMs: 20,
          tokenErrorStatus: 401,
          unstableOrder: true,
        },
        config: { format: 'xml', reconcile_interval: '5s' },
      })
      task.meta.run = { table: TABLE, row: played.row }
      expect(wrongs(played)).toEqual([])
    },
  )
})
