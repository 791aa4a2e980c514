/** What the page says where a careless one would lie: at the start, without a disk, after the clock was set, of what repeats. */
import { expect, test } from 'vitest'
import { renderPage } from '../../src/ops/page.ts'
import { troubles } from '../../src/ops/page-trouble.ts'
import type { SourceStatus, StatusDocument } from '../../src/ops/status.ts'
import { CLOUD, declare, FABRIC, SALT, START } from './happenings.ts'
import { documentOf, textOf } from './page-read.ts'
import { emptyScene, healthy, storeFull, twenty } from './page-scenes.ts'

const told = (status: StatusDocument): string[] => troubles(status).map(one => `${one.level} ${one.what}`)

test('a daemon that starts is not ready yet, and nothing is called wrong; a source that failed, or takes long, is', async () => {
  const scene = emptyScene()
  for (const ref of [FABRIC, SALT, CLOUD]) scene.report(declare(ref))
  const starting = await documentOf(scene)
  expect(told(starting)).toEqual([
    'watch fabric-a is connecting',
    'watch salt is connecting',
    'watch cloud is connecting',
  ])
  const page = renderPage(starting)
  expect(page).toContain('<title>not ready yet: opswire</title>')
  expect(textOf(page)).toContain('Not ready yet: it is starting')
  expect(textOf(page)).not.toContain('Wrong:')
  expect(told({ ...starting, sink: null, notReady: ['sink'] })).toContain('watch The sink has not been opened yet')
  scene.report({ type: 'source_state', source: 'salt', state: 'connecting', reason: 'gone', code: 'timeout' })
  expect(told(await documentOf(scene))[0]).toBe('bad salt is connecting')
  await scene.clock.advance(61_000)
  expect(told(await documentOf(scene)).filter(one => one.startsWith('bad'))).toHaveLength(3)
})

test('a daemon that is not ready is not called so further down', async () => {
  const text = textOf(renderPage(await documentOf(await storeFull())))
  expect(text).toContain('Not ready: 2 things are wrong')
  expect(text).toContain('State running')
  expect(textOf(renderPage(await documentOf(await healthy())))).toContain('State ready')
})

test('without state_dir it says that what waits lies in memory, and promises nothing for the next start', async () => {
  const scene = await healthy()
  scene.asked.store = { ...scene.asked.store, durable: false }
  const status = await documentOf(scene)
  const text = textOf(renderPage(status))
  expect(text).toContain('Kept in memory only (no state_dir): what waits is lost when the daemon ends')
  expect(text).toContain('of 2GiB, in memory')
  expect(troubles({ ...status, state: 'stopping' })[0]?.todo).toBe(
    'Nothing: without state_dir what is not delivered by then is lost.',
  )
  expect(textOf(renderPage(await documentOf(await healthy())))).toContain('Kept in state_dir, on disk')
})

test('after the clock was set back nothing has happened in the future, and the page says why ages are odd', async () => {
  const scene = await healthy()
  const status = await documentOf(scene)
  const back = (status: StatusDocument, hours: number): StatusDocument => ({
    ...status,
    now: new Date(Date.parse(status.now ?? '') - hours * 3_600_000).toISOString(),
  })
  const text = textOf(renderPage(back(status, 3)))
  expect(text).toContain('Last event 05:06:06Z (clock set back since)')
  expect(text).toContain('up since 04:05:06Z (clock set back since)')
  expect(text).toContain('Certificate ends in 200d 1h')
  expect(text).toContain('Clock set back by 3h since the start')
  expect(text).not.toMatch(/(Last event|Last proof of life|Started) in \d/)
  expect(textOf(renderPage(back(status, -8)))).toContain('Clock set forward by 8h since the start')
  expect(textOf(renderPage(status))).not.toContain('Clock set')
})

test('a credential that something keeps renewing is no trouble; one that is over is', async () => {
  const scene = await healthy()
  const { report, clock } = scene
  const ends = (seconds: number): void =>
    report({ type: 'credential_expiry', source: 'salt', atMs: clock.wall() + seconds * 1000 })
  ends(1800)
  expect(told(await documentOf(scene))).toEqual(['watch The credential of salt runs out'])
  await clock.advance(10_000)
  ends(3600)
  const renewed = await documentOf(scene)
  expect(told(renewed)).toEqual([])
  expect(textOf(renderPage(renewed))).toContain('Credential renewed 0s ago')
  const later = { ...renewed, now: new Date(START + 10_000_000).toISOString() }
  expect(told(later)).toContain('watch The credential of salt has run out')
})

test('a lease that is renewed late is told by the bounds of its alert; one of RaaS never', async () => {
  const status = await documentOf(await healthy())
  const leases = (name: string, given: SourceStatus['leases']): string[] =>
    troubles({
      ...status,
      sources: status.sources.map(source => (source.name === name ? { ...source, leases: given } : source)),
    }).map(one => `${one.what}: ${one.why}`)
  expect(leases('fabric-a', { session: 61, subscription: 15, lifetime: 60 })).toEqual([])
  expect(leases('fabric-a', { session: 200, subscription: -3 })).toEqual([
    'Renewals of fabric-a come late: subscription: lapsed 3s ago',
  ])
  expect(leases('fabric-a', { session: 59, subscription: 14 })).toEqual([
    'Renewals of fabric-a come late: subscription: 14s left, session: 59s left',
  ])
  expect(leases('salt', { session: 5 })).toEqual([])
})

test('a reason is told at the top and once in its own part, however many feeds it took along', async () => {
  const scene = await healthy()
  const reason = 'the API token was refused for org "System"'
  scene.report({
    type: 'source_state',
    source: 'salt',
    state: 'down',
    reason,
    code: 'auth_refused',
    retryInMs: 300_000,
  })
  for (const feed of ['jobs', 'returns']) {
    scene.report({ type: 'feed_state', source: 'salt', feed, state: 'lost', reason, code: 'auth_refused' })
  }
  const status = await documentOf(scene)
  const page = renderPage(status)
  const part = textOf(
    page.slice(page.indexOf('<details id="source-salt"'), page.indexOf('<details id="source-fabric-a"')),
  )
  expect(part.split(reason)).toHaveLength(2)
  expect(part.match(/auth_refused/g)).toHaveLength(1 + 1 + 2)
  expect(troubles(status)[0]?.todo).toMatch(
    /^Check user, login domain, config_name or organisation, then the secret itself\./,
  )
})

test('of twenty sources that are down at once the first eight stand at the top, the others folded away', async () => {
  const scene = emptyScene()
  for (let at = 0; at < 20; at++) {
    const source = `salt-${at}`
    scene.report(declare({ system: 'raas', name: source }))
    scene.report({ type: 'source_state', source, state: 'down', reason: 'gone', code: 'timeout', retryInMs: 1000 })
  }
  const page = renderPage(await documentOf(scene))
  expect(textOf(page)).toContain('Not ready: 20 things are wrong')
  const [open = '', folded = ''] = page.slice(0, page.indexOf('id="figures"')).split('<details')
  expect([open, folded].map(part => part.match(/<li class="trouble/g)?.length)).toEqual([8, 12])
  expect(textOf(`<details${folded}`)).toContain('12 more things')
})

test('the heading counts what is wrong, the line below what is more to look at; figures are marked and grouped', async () => {
  const scene = await twenty()
  scene.asked.store = { ...scene.asked.store, unacked: 12_345, oldestMs: scene.clock.wall() - 90_000 }
  const page = renderPage(await documentOf(scene))
  expect(textOf(page)).toContain('Not ready: 2 things are wrong 6 more things to look at.')
  expect(textOf(page)).toContain('12,345 events wait, the oldest for 1m 30s')
  expect(page).toContain('<div class="bad"><dt>Sources that are well</dt>')
  const full = renderPage(await documentOf(await storeFull()))
  expect([...full.matchAll(/<div class="bad"><dt>([^<]+)/g)].map(([, name]) => name)).toEqual(['Store', 'Sink'])
})
