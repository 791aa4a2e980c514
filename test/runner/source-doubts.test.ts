/** What a source says while it is degraded already, and what speaks against a session as a whole. */
import { expect, test } from 'vitest'
import { rig, ScriptedSession } from './scripted-source.ts'

test('a second feed that falls while the source is degraded is told, by name', async () => {
  const { clock, news, states, last, events } = rig(context =>
    new ScriptedSession(context, ['a', 'b', 'c']).live('a', 'b', 'c'),
  )
  await clock.advance(1000)
  last().say('a', 'disabled', 'no right')
  await clock.advance(1)
  expect(news()).toEqual(['up', 'degraded: feed a is disabled (no right)'])
  last().say('b', 'disabled', 'unknown class')
  last().prove('c')
  await clock.advance(60_000)
  const both = 'degraded: feed b is disabled (unknown class); feed a is disabled (no right)'
  expect(states().at(-1)).toBe(both)
  expect(news().slice(2)).toEqual([both])
  expect(events().at(-1)).toMatchObject({ severitytext: 'warning', data: { state: 'firing' } })
  // What falls within ten minutes of that is one event more, and who is well again by then is not in it.
  last().say('c', 'disabled', 'gone')
  await clock.advance(60_000)
  expect(states().at(-1)).toContain('feed c is disabled')
  last().live('c')
  await clock.advance(20 * 60_000)
  expect(news().filter(text => text.includes('disabled (gone)'))).toEqual([])
  last().live('a', 'b')
  last().prove('c')
  await clock.advance(1)
  expect(news().at(-1)).toBe('up')
})

test('five thousand feeds that fall one by one are an event in ten minutes, and a line in one', async () => {
  const feeds = Array.from({ length: 5000 }, (_, number) => `f${number}`)
  const { clock, news, states, last } = rig(context => new ScriptedSession(context, feeds).live(...feeds))
  await clock.advance(1000)
  for (const [index, feed] of feeds.entries()) {
    last().say(feed, 'disabled', 'no right')
    if (index % 200 === 0) last().prove(...feeds)
    await clock.advance(400)
  }
  const minutes = (5000 * 400) / 60_000
  expect(states().length).toBeLessThan(minutes + 5)
  expect(news().length).toBeGreaterThan(4)
  expect(news().length).toBeLessThan(minutes / 10 + 4)
  expect(news().at(-1)).toMatch(/; and \d{4} more$/)
})

test('a new session with the same feeds unwell is no news; one more is', async () => {
  const { clock, news, last } = rig((context, count) => {
    const session = new ScriptedSession(context, ['a', 'b'])
    session.say('a', 'disabled', 'no right')
    if (count === 0) session.live('b')
    else session.say('b', 'disabled', 'unknown class')
    return session
  })
  await clock.advance(1000)
  last().die()
  await clock.advance(62_000)
  expect(news()).toEqual([
    'degraded: feed a is disabled (no right)',
    'degraded: feed b is disabled (unknown class); feed a is disabled (no right)',
  ])
})

test('what speaks against the session makes the source degraded, though every feed seems well', async () => {
  const { clock, news, states, last, happenings } = rig(context => new ScriptedSession(context, ['a']).live('a'))
  await clock.advance(1000)
  last().context.doubt('cluster', 'cut off')
  await clock.advance(1)
  expect(states()).toEqual(['up', 'degraded: cut off'])
  expect(happenings.findLast(one => one.type === 'source_state')).toMatchObject({ doubts: ['cut off'] })
  last().say('a', 'disabled', 'no right')
  last().context.doubt('cluster', undefined)
  await clock.advance(1)
  expect(states().at(-1)).toBe('degraded: feed a is disabled (no right)')
  expect(happenings.findLast(one => one.type === 'source_state')).not.toHaveProperty('doubts')
  last().live('a')
  await clock.advance(1)
  expect(states().at(-1)).toBe('up')
  expect(news().slice(0, 2)).toEqual(['up', 'degraded: cut off'])
  expect(news().at(-1)).toBe('up')
})

test("a successor's doubt counts once it takes over", async () => {
  const ready = Promise.withResolvers<void>()
  const { clock, states } = rig((context, count) => {
    const session = new ScriptedSession(context, ['a'], count === 0 ? 60_000 : 3_600_000).live('a')
    if (count === 0) return session
    context.doubt('cluster', 'cut off')
    session.ready = ready.promise
    return session
  })
  await clock.advance(61_000)
  expect(states()).toEqual(['up'])
  ready.resolve()
  await clock.advance(1)
  expect(states()).toEqual(['up', 'degraded: cut off'])
})

test('a session that does not watch all it shall after two minutes is told of, with how much is missing', async () => {
  const ready = Promise.withResolvers<void>()
  const { clock, news, states, last, happenings } = rig(context => {
    const session = new ScriptedSession(context, ['a', 'b', 'c']).live('a')
    session.ready = ready.promise
    return session
  })
  await clock.advance(119_000)
  expect(states()).toEqual([])
  await clock.advance(1001)
  const said = '120 s after its session began 2 of 3 feeds are not live yet'
  expect(states()).toEqual([`degraded: ${said}`])
  expect(happenings.findLast(one => one.type === 'source_state')).toMatchObject({ doubts: [said] })
  last().live('b')
  await clock.advance(60_000)
  expect(states().at(-1)).toContain('1 of 3 feeds')
  expect(news()).toEqual([`degraded: ${said}`])
  last().live('a', 'b', 'c')
  ready.resolve()
  await clock.advance(1)
  expect(states().at(-1)).toBe('up')
  expect(news()).toEqual([`degraded: ${said}`, 'up'])
})
