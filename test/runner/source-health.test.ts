import { expect, test } from 'vitest'
import { Retryable } from '../../src/errors.ts'
import { BOUND_MS, rig, ScriptedSession } from './scripted-source.ts'

test('a subscription that is remade within 30 s makes no noise', async () => {
  const { clock, news, states, last, told } = rig(context => new ScriptedSession(context, ['a', 'b']).live('a', 'b'))
  await clock.advance(1000)
  for (let round = 0; round < 5; round++) {
    last().say('a', 'lost', 'refused')
    await clock.advance(29_000)
    last().say('a', 'resyncing')
    await clock.advance(1000)
    last().live('a')
    last().prove('b')
    await clock.advance(1000)
  }
  expect(news()).toEqual(['up'])
  expect(states()).toEqual(['up'])
  // The feed itself is shown as it is all the while.
  expect(told('a').slice(-3)).toEqual(['lost', 'resyncing', 'live'])
})

test('a feed that stays lost makes the source degraded, by name; live again, the source is up', async () => {
  const { clock, news, states, events, last } = rig(context => new ScriptedSession(context, ['a', 'b']).live('a', 'b'))
  await clock.advance(1000)
  last().say('a', 'lost', 'HTTP 503')
  await clock.advance(20_000)
  last().say('a', 'resyncing')
  last().say('a', 'lost', 'HTTP 500')
  await clock.advance(9999)
  expect(news()).toEqual(['up'])
  await clock.advance(2)
  expect(news()).toEqual(['up', 'degraded: feed a is lost (HTTP 500)'])
  last().say('b', 'lost', 'HTTP 500')
  last().live('a')
  await clock.advance(25_000)
  expect(news()).toEqual(['up', 'degraded: feed a is lost (HTTP 500)', 'up'])
  last().live('b')
  await clock.advance(60_000)
  expect(states()).toEqual(['up', 'degraded: feed a is lost (HTTP 500)', 'up'])
  const [, degraded, up] = events()
  expect(degraded).toMatchObject({
    severitytext: 'warning',
    data: { state: 'firing', summary: 'fabric-a is degraded: feed a is lost (HTTP 500)', alertKey: 'fabric-a/source' },
  })
  expect(up).toMatchObject({ severitytext: 'warning', data: { state: 'resolved', alertKey: 'fabric-a/source' } })
})

test('a feed that is switched off is told at once, and before the source is ever called up', async () => {
  const { clock, news, last } = rig(context => {
    const session = new ScriptedSession(context, ['a', 'b']).live('a')
    session.say('b', 'disabled', 'no right to ask this')
    return session
  })
  await clock.advance(1)
  expect(news()).toEqual(['degraded: feed b is disabled (no right to ask this)'])
  last().live('b')
  await clock.advance(1)
  last().say('a', 'disabled', 'unknown class')
  await clock.advance(1)
  expect(news().slice(1)).toEqual(['up', 'degraded: feed a is disabled (unknown class)'])
})

test('a feed whose proof is older than its bound makes the source degraded, though nobody says anything', async () => {
  const { clock, news, last } = rig(context => new ScriptedSession(context, ['a', 'b']).live('a', 'b'))
  for (let minute = 0; minute < 4; minute++) {
    await clock.advance(60_000)
    last().prove('b')
    if (minute === 0) last().prove('a')
  }
  expect(news()).toEqual(['up', 'degraded: feed a last proved itself alive 120 s ago, its bound is 120 s'])
  last().prove('a')
  await clock.advance(1)
  expect(news()).toHaveLength(3)
  expect(news()[2]).toBe('up')
})

test('a thousand feeds that fall silent together are one event, which names a few', async () => {
  const feeds = Array.from({ length: 1000 }, (_, number) => `f${number}`)
  const { clock, news } = rig(context => new ScriptedSession(context, feeds).live(...feeds))
  await clock.advance(BOUND_MS + 10_000)
  expect(news()).toHaveLength(2)
  expect(news()[1]).toMatch(/^degraded: feed f0 last .*; feed f1 last .*; feed f2 last .*; and 997 more$/)
})

test('what a successor still has to catch up with is no trouble of the source', async () => {
  const ready = Promise.withResolvers<void>()
  const { clock, news, told, sessions, happenings } = rig((context, count) => {
    const session = new ScriptedSession(context, count === 0 ? ['a', 'b', 'old'] : ['a', 'b', 'new'], 600_000)
    if (count === 0) return session.live('a', 'b', 'old')
    session.ready = ready.promise
    return session
  })
  for (let minute = 0; minute < 12; minute++) {
    await clock.advance(60_000)
    sessions[0]?.prove('a', 'b', 'old')
  }
  expect(sessions).toHaveLength(2)
  // Two minutes of catching up beside a predecessor that is well: nobody hears of it.
  expect(told('a')).toEqual(['resyncing', 'live'])
  sessions[1]?.live('a', 'new')
  sessions[1]?.say('b', 'lost', 'refused')
  ready.resolve()
  await clock.advance(1)
  expect(told('a')).toEqual(['resyncing', 'live'])
  expect(told('b')).toEqual(['resyncing', 'live', 'lost'])
  expect(told('new')).toEqual(['live'])
  expect(happenings.flatMap(one => (one.type === 'feed_gone' ? [one.feed] : []))).toEqual(['old'])
  expect(news()).toEqual(['up'])
  await clock.advance(30_001)
  expect(news()).toEqual(['up', 'degraded: feed b is lost (refused)'])
})

test('a feed that the old session lost stays lost while its successor only catches up', async () => {
  const { clock, news, sessions } = rig((context, count) => {
    const session = new ScriptedSession(context, ['a'], 60_000)
    if (count === 0) return session.live('a')
    session.ready = Promise.withResolvers<void>().promise
    return session
  })
  await clock.advance(59_000)
  sessions[0]?.say('a', 'disabled', 'no right')
  await clock.advance(30_000)
  expect(sessions).toHaveLength(2)
  expect(news()).toEqual(['up', 'degraded: feed a is disabled (no right)'])
})

test('a session without a successor is degraded until there is one', async () => {
  const { clock, news, states, happenings } = rig((context, count) => {
    if (count === 1 && context.clock.now() < 100_000) throw new Retryable('throttled', 'HTTP 503')
    return new ScriptedSession(context, ['a'], count === 0 ? 60_000 : 3_600_000).live('a')
  })
  await clock.advance(95_000)
  expect(news()).toEqual(['up', 'degraded: no successor session yet: HTTP 503'])
  expect(states().filter(state => state.startsWith('degraded'))).toHaveLength(2)
  await clock.advance(60_000)
  expect(news()).toEqual(['up', 'degraded: no successor session yet: HTTP 503', 'up'])
  const lifetime = happenings.flatMap(one =>
    one.type === 'lease_renewed' && one.lease === 'lifetime' ? [one.result] : [],
  )
  expect(lifetime).toEqual(['failed', 'failed', 'ok'])
})

test('a reconnect does not hide that a feed is still switched off', async () => {
  const { clock, news, last, sessions } = rig(context => {
    const session = new ScriptedSession(context, ['a', 'b']).live('a')
    session.say('b', 'disabled', 'no right')
    return session
  })
  await clock.advance(5000)
  last().die()
  await clock.advance(5000)
  expect(sessions).toHaveLength(2)
  last().die()
  await clock.advance(5000)
  expect(news()).toEqual(['degraded: feed b is disabled (no right)'])
  last().live('b')
  await clock.advance(1)
  expect(news().at(-1)).toBe('up')
})

test('a source that flaps for an hour is a few events, and when it stays up the last word is up', async () => {
  const { clock, news, states, last } = rig(context => new ScriptedSession(context, ['a']).live('a'))
  for (let round = 0; round < 60; round++) {
    while (states().at(-1) !== 'up') await clock.advance(1000)
    await clock.advance(20_000)
    last().die()
    await clock.advance(1000)
  }
  while (states().at(-1) !== 'up') await clock.advance(1000)
  expect(states().filter(state => state === 'up')).toHaveLength(61)
  expect(news()).toEqual(['up', 'degraded: cut', 'up', 'degraded: cut'])
  await clock.advance(28_000)
  expect(news().at(-1)).toBe('degraded: cut')
  last().prove('a')
  await clock.advance(2000)
  expect(news().at(-1)).toBe('up')
  expect(news()).toHaveLength(5)
})

test('each further fall must be made good for longer, until ten quiet minutes have passed', async () => {
  const { clock, news, states, last } = rig(context => new ScriptedSession(context, ['a']).live('a'))
  const holds: number[] = []
  const fall = async (): Promise<void> => {
    last().die()
    await clock.advance(1)
    while (states().at(-1) !== 'up') await clock.advance(100)
    const from = clock.now()
    while (news().at(-1) !== 'up') {
      last().prove('a')
      await clock.advance(1000)
    }
    holds.push(Math.round((clock.now() - from) / 1000))
  }
  await clock.advance(1000)
  for (let round = 0; round < 5; round++) await fall()
  expect(holds).toEqual([0, 30, 60, 120, 240])
  for (let minute = 0; minute < 11; minute++) {
    await clock.advance(60_000)
    last().prove('a')
  }
  await fall()
  expect(holds.at(-1)).toBe(0)
})

test('changes within one millisecond are events of their own', async () => {
  const { clock, events, last } = rig(context => new ScriptedSession(context, ['a']).live('a'))
  await clock.advance(0)
  last().say('a', 'disabled', 'no right')
  last().live('a')
  await clock.advance(0)
  expect(events().map(event => event.time)).toEqual([
    '2026-02-03T04:05:06.789Z',
    '2026-02-03T04:05:06.790Z',
    '2026-02-03T04:05:06.791Z',
  ])
  expect(new Set(events().map(event => event.id)).size).toBe(3)
})

test('a stop says nothing more and leaves no timer', async () => {
  const { clock, news, last, runner: running } = rig(context => new ScriptedSession(context, ['a', 'b']).live('a', 'b'))
  await clock.advance(1000)
  last().say('a', 'lost', 'refused')
  await running.stop(new AbortController().signal)
  expect(clock.waiting).toBe(0)
  await clock.advance(600_000)
  expect(news()).toEqual(['up'])
  expect(running.session()).toBeUndefined()
})

test('the session tells its age and when it will be followed; each feed what is left of its lease', async () => {
  const { clock, runner: running } = rig((context, count) => {
    const session = new ScriptedSession(context, ['a', 'b'], 60_000).live('a', 'b')
    const left = count === 0 ? 7 : 55
    return Object.assign(session, {
      feedMargins: (): [string, number][] =>
        count === 0
          ? [
              ['a', left],
              ['b', 3],
            ]
          : [['a', left]],
      ...(count === 0 ? {} : { ready: Promise.withResolvers<void>().promise }),
    })
  })
  expect(running.session()).toBeUndefined()
  await clock.advance(20_000)
  expect(running.session()).toEqual({ ageSeconds: 20, handOverSeconds: 40 })
  expect([...running.feedMargins()]).toEqual([
    ['a', 7],
    ['b', 3],
  ])
  await clock.advance(45_000)
  // Two overlap: either keeps the feed alive.
  expect(running.session()).toEqual({ ageSeconds: 65, handOverSeconds: -5 })
  expect([...running.feedMargins()]).toEqual([
    ['a', 55],
    ['b', 3],
  ])
})
