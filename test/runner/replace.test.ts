/** Another subscriber takes over a source that runs (a reload): whatever state the source is in, and without a hole. */
import { afterEach, expect, it } from 'vitest'
import { Fatal, Retryable } from '../../src/errors.ts'
import type { Happening } from '../../src/report.ts'
import type { OpenContext, Subscriber } from '../../src/subscribers/contract.ts'
import { type Runner, startRunner } from '../../src/subscribers/runner.ts'
import { ManualClock, until } from '../support/manual-clock.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { ScriptedSession } from './scripted-source.ts'

let runner: Runner | undefined
afterEach(async () => {
  await runner?.stop(AbortSignal.abort())
})

type Open = (context: OpenContext) => Promise<ScriptedSession>

/** A source that is first read by `first`; what is opened is noted by the name of who opened it. */
function rig(first: Open) {
  const clock = new ManualClock()
  const opened: string[] = []
  const closed: string[] = []
  const happenings: Happening[] = []
  const wakes = new Set<() => void>()
  const by = (name: string, open: Open): Subscriber => ({
    ref: { system: 'apic', name: 'fabric-a' },
    pushes: true,
    async open(context) {
      opened.push(name)
      const session = await open(context)
      const close = session.close.bind(session)
      session.close = async () => {
        if (!closed.includes(name)) closed.push(name)
        await close()
      }
      return session
    },
  })
  const wake = (callback: () => void): (() => void) => {
    wakes.add(callback)
    return () => wakes.delete(callback)
  }
  const started = startRunner({
    subscriber: by('first', first),
    store: new MemoryStore(),
    clock,
    report: happening => happenings.push(happening),
    stateDir: undefined,
    wake,
  })
  runner = started
  const states = (): string[] => happenings.flatMap(one => (one.type === 'source_state' ? [one.state] : []))
  const reconnects = (): number => happenings.filter(one => one.type === 'reconnect').length
  const replace = (name: string, open: Open): void => started.replace(by(name, open), wake)
  const wakeAll = (): void => {
    for (const callback of wakes) callback()
  }
  return { clock, opened, closed, states, reconnects, replace, wakeAll, wakes, runner: started }
}

const live: Open = async context => new ScriptedSession(context, ['f']).live('f')
const refused: Open = async () => {
  throw new Fatal('auth_refused', 'wrong')
}
const hanging: Open = context =>
  new Promise((_, reject) => {
    context.signal.addEventListener('abort', () => reject(context.signal.reason), { once: true })
  })

it('a session is followed by one of the new subscriber, then closed; nothing is lost, nobody is alarmed', async () => {
  const { opened, closed, states, reconnects, replace } = rig(live)
  await until(() => states().at(-1) === 'up', 'up')
  const settled = Promise.withResolvers<void>()
  replace('second', async context => {
    const session = new ScriptedSession(context, ['f'])
    session.ready = settled.promise
    return session
  })
  await until(() => opened.length === 2, 'the successor')
  expect(closed).toEqual([])
  settled.resolve()
  await until(() => closed.length === 1, 'the end of the first')
  expect([opened, closed, reconnects()]).toEqual([['first', 'second'], ['first'], 0])
  expect(states()).not.toContain('down')
})

it('what waits for its next try, five minutes after refused credentials, is tried at once', async () => {
  const { opened, states, replace } = rig(refused)
  await until(() => states().at(-1) === 'down', 'down')
  replace('second', live)
  await until(() => states().at(-1) === 'up', 'up')
  expect(opened).toEqual(['first', 'second'])
})

it('an attempt that hangs is given up without a word', async () => {
  const { opened, states, reconnects, replace } = rig(hanging)
  await until(() => opened.length === 1, 'the first try')
  replace('second', live)
  await until(() => states().at(-1) === 'up', 'up')
  expect([opened, states(), reconnects()]).toEqual([['first', 'second'], ['up'], 0])
})

it('while the new one can not be opened the old session goes on, degraded; a mended secret is tried at once', async () => {
  const { clock, opened, closed, states, replace, wakeAll, wakes } = rig(live)
  await until(() => states().at(-1) === 'up', 'up')
  // A change of a secret's file is no reason to follow a session that is well.
  wakeAll()
  let isMended = false
  replace('second', context => (isMended ? live(context) : refused(context)))
  await until(() => states().at(-1) === 'degraded', 'degraded')
  expect([opened, closed, clock.wall() > 0]).toEqual([['first', 'second'], [], true])
  isMended = true
  await until(() => wakes.size > 0, 'it waits')
  wakeAll()
  await until(() => states().at(-1) === 'up', 'up')
  expect([opened, closed]).toEqual([['first', 'second', 'second'], ['first']])
})

it('the old session’s end is followed by an attempt of the new subscriber, not of the old one', async () => {
  let session: ScriptedSession | undefined
  const { clock, opened, states, replace, wakes, wakeAll } = rig(async context => {
    session = await live(context)
    return session
  })
  await until(() => states().at(-1) === 'up', 'up')
  let tries = 0
  replace('second', async context => {
    if (++tries < 3) throw new Retryable('unreachable', 'away')
    return live(context)
  })
  await until(() => opened.length === 2 && wakes.size > 0, 'a try that fails')
  session?.die()
  await until(() => states().at(-1) === 'degraded', 'the end of the first')
  await clock.advance(0)
  await until(() => opened.length === 3 && states().at(-1) === 'down', 'the next attempt')
  wakeAll()
  await until(() => states().at(-1) === 'up', 'up')
  expect(opened).toEqual(['first', 'second', 'second', 'second'])
})

it('of several that come one after the other the last one stays', async () => {
  const { opened, closed, states, replace } = rig(live)
  await until(() => states().at(-1) === 'up', 'up')
  for (const name of ['a', 'b', 'c']) replace(name, name === 'c' ? live : hanging)
  await until(() => closed.includes('first'), 'the end of the first')
  expect(opened.at(-1)).toBe('c')
  replace('d', hanging)
  await until(() => opened.at(-1) === 'd', 'd is opened')
  replace('e', live)
  await until(() => closed.includes('c'), 'the end of c')
  expect([opened.at(-1), closed]).toEqual(['e', ['first', 'c']])
})

it('a stop in the midst of it leaves nothing open', async () => {
  const { clock, opened, closed, states, replace, runner: one } = rig(live)
  await until(() => states().at(-1) === 'up', 'up')
  replace('second', hanging)
  await until(() => opened.length === 2, 'the successor is opened')
  await one.stop(new AbortController().signal)
  expect([closed, states().at(-1), clock.waiting]).toEqual([['first'], 'stopped', 0])
})
