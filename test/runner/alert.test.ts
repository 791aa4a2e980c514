/** The alert of a source's own health over restarts: it is closed where it was opened. */
import { afterEach, expect, it } from 'vitest'
import { Fatal } from '../../src/errors.ts'
import type { OpsEvent } from '../../src/event.ts'
import { eventSchema } from '../../src/event-schema.ts'
import { openStore } from '../../src/store/open.ts'
import type { SqliteStore } from '../../src/store/store.ts'
import { type Runner, startRunner } from '../../src/subscribers/runner.ts'
import { ManualClock, until } from '../support/manual-clock.ts'
import { ScriptedSession } from './scripted-source.ts'

let store: SqliteStore | undefined
let runner: Runner | undefined

afterEach(async () => {
  await runner?.stop(AbortSignal.abort())
  await store?.close()
})

it('an event that closes the alert of the run before travels where that one opened it', async () => {
  const clock = new ManualClock()
  const common = { clock, report: () => undefined, stateDir: undefined }
  const opened = await openStore({ ...common, maxBytes: 1024 ** 3, retainAckedMs: 0, maxDeadLetters: 10 })
  store = opened
  let isMended = false
  const start = (): Runner => {
    runner = startRunner({
      ...common,
      store: opened,
      subscriber: {
        ref: { system: 'apic', name: 'fabric-a' },
        pushes: true,
        async open(context) {
          if (!isMended) throw new Fatal('auth_refused', 'wrong')
          return new ScriptedSession(context, ['f']).live('f')
        },
      },
    })
    return runner
  }
  const events = (): OpsEvent[] =>
    opened.read(0, 10).map(({ body }) => eventSchema.parse(JSON.parse(new TextDecoder().decode(body))))
  /** Commits take a few ms of the clock. */
  const untilTold = (count: number): Promise<unknown> =>
    until(() => {
      void clock.advance(1)
      return events().length === count
    }, `${count} events`)
  const first = start()
  await untilTold(1)
  await first.stop(new AbortController().signal)
  isMended = true
  const second = start()
  await untilTold(2)
  expect(events().map(({ type, severitytext, data }) => [type, severitytext, data.state])).toEqual([
    ['opswire.source.down', 'major', 'firing'],
    ['opswire.source.up', 'major', 'resolved'],
  ])
  // That was all of it.
  await second.stop(new AbortController().signal)
  await clock.advance(1000)
  start()
  await untilTold(3)
  expect(events().at(-1)?.severitytext).toBe('info')
})
