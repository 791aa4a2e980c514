import { describe, expect, it } from 'vitest'
import { eventId, gapFact, makeFact, subjectOf } from '../src/event.ts'
import { eventSchema } from '../src/event-schema.ts'

const source = { system: 'apic', name: 'fabric-a' } as const

describe('event id', () => {
  it('is the first 16 bytes of SHA-256 over the JSON of source, family and key', () => {
    expect(eventId('fabric-a', 'faultRecord', ['subj-[x]/fr-1'])).toBe('3fc0c336c099bb9663fcf796a599b6fd')
  })

  it('differs by source, family and each part of the key', () => {
    const ids = [
      eventId('a', 'f', ['1', '2']),
      eventId('b', 'f', ['1', '2']),
      eventId('a', 'g', ['1', '2']),
      eventId('a', 'f', ['12']),
    ]
    expect(new Set(ids).size).toBe(4)
  })
})

describe('gap event', () => {
  const gap = {
    feed: 'class/eventRecord',
    classes: ['eventRecord'],
    from: '2026-02-03T04:05:06.789Z',
    to: '2026-02-03T05:05:06.789Z',
    reason: 'history_purged',
    recovered: 3,
  } as const

  it('is valid, and the same gap told twice is one event', () => {
    const fact = gapFact(source, { ...gap, classes: [...gap.classes] })
    eventSchema.parse({ ...fact, recordedtime: '2026-02-03T06:00:00.000Z' })
    expect(gapFact(source, { ...gap, classes: [...gap.classes], recovered: 9 }).id).toBe(fact.id)
    expect(subjectOf(source, fact)).toBe('apic.fabric-a.gap.major')
  })
})

describe('the summary', () => {
  const summaryOf = (summary: string): string =>
    makeFact(
      { system: 'vcd', name: 'cloud' },
      {
        family: 'audit',
        key: [1],
        type: 'vcd.vm.create',
        subject: 'x',
        partitionkey: 'x',
        severity: 'info',
        origin: 'live',
        data: {
          kind: 'audit',
          summary,
          state: null,
          outcome: null,
          alertKey: null,
          resource: { kind: 'vm', id: 'x' },
        },
      },
    ).data.summary

  it.each([
    ['two\r\nlines', 'two lines'],
    ['\u001b[2Jgone\u0007', '[2Jgone'],
    ['a\u202Eb\u200Bc', 'a b c'],
    ['half \uD83D', 'half'],
    ['\n\u0000', 'vcd.vm.create'],
    ['ordinary, with ümläuts, 日本語 and 🙂', 'ordinary, with ümläuts, 日本語 and 🙂'],
  ])('%j is %j', (text, line) => {
    expect(summaryOf(text)).toBe(line)
  })

  it('is bounded, and not cut through a character', () => {
    expect(summaryOf('x'.repeat(60_000))).toBe(`${'x'.repeat(499)}…`)
    expect(summaryOf(`${'x'.repeat(498)}🙂🙂`)).toBe(`${'x'.repeat(498)}…`)
  })
})
