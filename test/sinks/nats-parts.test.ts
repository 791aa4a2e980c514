import type { StreamConfig } from '@nats-io/jetstream'
import { describe, expect, it } from 'vitest'
import { noticeRecord } from '../../src/dead-letter.ts'
import { eventSchema } from '../../src/event-schema.ts'
import { covers, judge } from '../../src/sinks/nats-stream.ts'
import { withoutRaw } from '../../src/sinks/shrink.ts'
import { natsConfig, numbered } from '../support/nats.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)

describe('subjects', () => {
  it.each([
    ['opswire.>', 'opswire.apic.>', true],
    ['>', 'opswire.apic.>', true],
    ['opswire.*.>', 'opswire.apic.>', true],
    ['*.apic.>', 'opswire.apic.>', true],
    ['opswire.apic.>', 'opswire.apic.>', true],
    ['opswire.apic.*', 'opswire.apic.>', false],
    ['opswire.apic.*.*.*', 'opswire.apic.>', false],
    ['opswire.apic', 'opswire.apic.>', false],
    ['opswire.apic.fabric-a.>', 'opswire.apic.>', false],
    ['ops.>', 'opswire.apic.>', false],
  ])('%s takes %s: %s', (pattern, subject, expected) => {
    expect(covers(pattern, subject)).toBe(expected)
  })
})

describe('the judgement of a stream', () => {
  const config = natsConfig('nats://127.0.0.1:4222')
  const good = {
    name: 'OPSWIRE',
    subjects: ['opswire.>'],
    retention: 'limits',
    storage: 'file',
    discard: 'old',
    max_age: 7 * 86_400e9,
    max_bytes: 1024 ** 3,
    max_msg_size: -1,
    max_msgs_per_subject: -1,
    num_replicas: 1,
    duplicate_window: 300e9,
    no_ack: false,
    sealed: false,
  } as StreamConfig

  it('finds nothing in the one that it makes', () => {
    expect(judge(good, config)).toEqual({ keeps: true, apiLevel: undefined, warnings: [] })
    expect(judge({ ...good, metadata: { '_nats.level': '5' } } as StreamConfig, config).apiLevel).toBe(5)
    expect(judge({ ...good, metadata: { '_nats.level': 'new' } } as StreamConfig, config).apiLevel).toBeUndefined()
  })

  it.each<[string, Partial<StreamConfig>]>([
    ['no_ack is true', { no_ack: true }],
    ['it is sealed', { sealed: true }],
    ['max_msg_size 1KiB is less than 8KiB', { max_msg_size: 1024 }],
    ["its subjects (none) don't cover", { subjects: undefined }],
    ["its subjects (opswire.apic.>, opswire.raas.>) don't cover", { subjects: ['opswire.apic.>', 'opswire.raas.>'] }],
  ])('refuses: %s', (text, change) => {
    expect(() => judge({ ...good, ...change } as StreamConfig, config)).toThrow(text)
  })

  it('takes subjects that cover all systems and the dead letters together', () => {
    const subjects = ['opswire.apic.>', 'opswire.raas.>', 'opswire.vcd.>', 'opswire._dead.*']
    expect(() => judge({ ...good, subjects }, config)).toThrow("don't cover")
    expect(judge({ ...good, subjects: [...subjects, 'opswire._dead.>'] }, config).warnings).toEqual([])
  })

  it.each<[string, Partial<StreamConfig>]>([
    ['max_age is 1d, the config says 7d', { max_age: 86_400e9 }],
    ['max_bytes is 64MiB, the config says 1GiB', { max_bytes: 64 * 1024 ** 2 }],
    ['duplicate_window is 1m, the config says 5m', { duplicate_window: 60e9 }],
    ['discard is new', { discard: 'new' }],
    ['max_msgs_per_subject is 1', { max_msgs_per_subject: 1 }],
  ])('warns: %s', (text, change) => {
    const { keeps, warnings } = judge({ ...good, ...change } as StreamConfig, config)
    expect(keeps).toBe(true)
    expect(warnings).toEqual([expect.stringContaining(`stream OPSWIRE: ${text}`)])
  })

  it('knows that other retentions take messages away', () => {
    const { keeps, warnings } = judge({ ...good, retention: 'workqueue' } as StreamConfig, config)
    expect(keeps).toBe(false)
    expect(warnings[0]).toContain('retention is workqueue')
  })
})

describe('a smaller event', () => {
  it('has the same id and no raw, says so, and is valid', () => {
    const record = { ...numbered(1, { raw: { a: 'ä' } }), seq: 5 }
    const smaller = withoutRaw(record)
    const event = eventSchema.parse(JSON.parse(Buffer.from(smaller?.body ?? []).toString('utf8')))
    expect(event.data).not.toHaveProperty('raw')
    expect(event).toMatchObject({ id: record.id, truncated: true, data: { flags: ['truncated'] } })
    expect(smaller).toMatchObject({ seq: 5, id: record.id, subject: record.subject })
  })

  it('is not to be had without raw, or of what is no event', () => {
    const record = { ...numbered(1), seq: 5 }
    expect(withoutRaw(record)).toBeUndefined()
    for (const text of ['', '[]', '{}', '{"data":null}']) {
      expect(withoutRaw({ ...record, body: bytes(text) })).toBeUndefined()
    }
  })
})

describe('the notice of a dead letter', () => {
  it('tells where it is and never what it was', () => {
    const atMs = Date.UTC(2026, 1, 3, 4, 5, 6, 789)
    const notice = { source: 'fabric-a', reason: 'too large', atMs, bytes: 99, digest: 'd'.repeat(64), key: 'k1' }
    const record = noticeRecord(notice)
    expect(record).toMatchObject({ subject: '_dead.fabric-a', recordedMs: atMs })
    expect(JSON.parse(Buffer.from(record.body).toString('utf8'))).toEqual({
      specversion: '1.0',
      id: record.id,
      source: '/opswire/fabric-a',
      type: 'opswire.dead_letter',
      subject: 'k1',
      time: '2026-02-03T04:05:06.789Z',
      datacontenttype: 'application/json',
      data: {
        source: 'fabric-a',
        reason: 'too large',
        time: '2026-02-03T04:05:06.789Z',
        size: 99,
        digest: 'd'.repeat(64),
        key: 'k1',
      },
    })
    expect(noticeRecord({ ...notice, atMs: atMs + 5 }).id).toBe(record.id)
  })
})
