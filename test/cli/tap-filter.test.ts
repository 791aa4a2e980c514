/** Which events the filters of `tap` let through, and what the server is asked for. */
import { describe, expect, it } from 'vitest'
import { accepts, hasTexts, subjectsOf, type TapWish } from '../../src/cli/tap-filter.ts'
import { makeFact, type OpsEvent } from '../../src/event.ts'

const ALL: TapWish = { sources: [], kinds: [], severity: undefined, types: [], actors: [], texts: [] }

const event: OpsEvent = {
  ...makeFact(
    { system: 'apic', name: 'fabric-a' },
    {
      family: 'aaaModLR',
      key: [1],
      type: 'apic.audit.recorded',
      subject: 'uni/tn-Prod',
      partitionkey: 'uni/tn-Prod',
      severity: 'minor',
      origin: 'live',
      data: {
        kind: 'audit',
        summary: 'Tenant Prod created',
        state: null,
        outcome: null,
        alertKey: null,
        resource: { kind: 'object', id: 'uni/tn-Prod' },
        actor: { user: 'Alice', via: 'token', tokenId: 't-1', tokenName: 'ci-bot' },
        raw: { note: 'Straße' },
      },
    },
  ),
  recordedtime: '2026-02-03T04:05:06Z',
}

describe('an event', () => {
  it.each<[Partial<TapWish>, boolean]>([
    [{}, true],
    [{ sources: ['fabric-a'] }, true],
    [{ sources: ['fabric'] }, false],
    [{ sources: ['salt', 'fabric-a'] }, true],
    [{ kinds: ['audit'] }, true],
    [{ kinds: ['fault'] }, false],
    [{ severity: 'minor' }, true],
    [{ severity: 'info' }, true],
    [{ severity: 'major' }, false],
    [{ types: ['apic.audit.recorded'] }, true],
    [{ types: ['apic.*.recorded'] }, true],
    [{ types: ['*audit*'] }, true],
    [{ types: ['apic.audit'] }, false],
    [{ types: ['apic.audit.recorded*recorded'] }, false],
    [{ types: ['raas.*', 'apic.audit.*'] }, true],
    [{ actors: ['alice'] }, true],
    [{ actors: ['CI-*'] }, true],
    [{ actors: ['t-1'] }, true],
    [{ actors: ['ali'] }, false],
    [{ texts: ['tn-prod'] }, true],
    [{ texts: ['STRASSE'] }, false],
    [{ texts: ['straße'] }, true],
    [{ texts: ['created', 'alice'] }, true],
    [{ texts: ['created', 'bob'] }, false],
    [{ kinds: ['audit'], actors: ['bob'] }, false],
  ])('%j: %s', (wish, shown) => {
    expect(accepts({ ...ALL, ...wish }, event)).toBe(shown)
  })

  it('that nobody did is not of any actor, and one without a text does not hold it', () => {
    const { actor: _, ...data } = event.data
    expect(accepts({ ...ALL, actors: ['*'] }, { ...event, data })).toBe(false)
    expect(hasTexts({ ...ALL, texts: ['x'] }, { deep: { list: [1, null, 'aXb'] } })).toBe(true)
    expect(hasTexts({ ...ALL, texts: ['deep'] }, { deep: 1 })).toBe(false)
  })
})

describe('the server is asked for', () => {
  it.each<[Partial<TapWish>, string[]]>([
    [{}, ['>']],
    [{ texts: ['x'] }, ['>']],
    [{ sources: ['fabric-a'] }, ['*.fabric-a.*.*', '_dead.fabric-a']],
    [{ sources: ['fabric-a'], kinds: ['fault', 'gap'] }, ['*.fabric-a.fault.*', '*.fabric-a.gap.*']],
    [{ severity: 'major' }, ['*.*.*.critical', '*.*.*.major']],
    [{ sources: Array.from({ length: 40 }, (_, n) => `s${n}`) }, ['>']],
  ])('%j: %j', (wish, subjects) => {
    expect(subjectsOf({ ...ALL, ...wish })).toEqual(subjects)
  })
})
