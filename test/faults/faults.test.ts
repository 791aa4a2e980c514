/** Whatever breaks: everything that the fabric did meanwhile is in the stream, each exactly once, and no gap is told. */
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type RunningNats, startNatsServer } from '../../src/tools/nats-server.ts'
import { NEWEST, natsBinary } from '../support/nats.ts'
import { BREAKAGES } from './breakages.ts'
import { CLASSES } from './oracle.ts'
import { play, READINGS, wrongs } from './play.ts'

const TABLE = 'Time-outs scaled to a tenth; all three classes at work throughout'

let nats: RunningNats

beforeAll(async () => {
  nats = await startNatsServer({
    binary: await natsBinary(NEWEST, note => {
      throw new Error(note)
    }),
  })
})

afterAll(() => nats.remove())

describe.for(READINGS)('subscriptions $name', reading => {
  it.concurrent.for(BREAKAGES)('$name', async (breakage, { task, expect }) => {
    const played = await play({ natsUrl: nats.url, breakage, reading })
    task.meta.run = { table: TABLE, row: played.row }
    expect(wrongs(played)).toEqual([])
    for (const cls of CLASSES) expect(played.row.found[cls]).toBeGreaterThanOrEqual(200)
  })
})
