/** What goes to the connection as bytes and comes back as bytes: publishes, the numbers they are known by, acknowledgements. */
import { connect, createInbox, headers, type Msg, MsgHdrsImpl } from '@nats-io/transport-node'
import { describe, expect, it } from 'vitest'
import type { EventRecord } from '../../src/record.ts'
import { AckReader, parseAck } from '../../src/sinks/nats-acks.ts'
import { Flights } from '../../src/sinks/nats-flights.ts'
import { Frames, sendBytes } from '../../src/sinks/nats-frames.ts'
import { startNatsServer } from '../../src/tools/nats-server.ts'
import { until } from '../support/manual-clock.ts'
import { NEWEST, natsBinary, OLDEST } from '../support/nats.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)

function row(seq: number, body = `{"n":${seq},"ä":"€"}`, subject = 'apic.fabric-a.fault.major'): EventRecord {
  return { seq, id: `4be${seq}`, subject, partitionkey: 'uni/tn-a', recordedMs: 1, body: bytes(body) }
}

/** Numbered by their seq. */
function block(frames: Frames, records: readonly EventRecord[]): Uint8Array {
  const room = records.reduce((sum, record) => sum + frames.mostBytes(record), 0)
  const made = frames.block(records, room, record => record.seq)
  expect(made.length).toBeLessThanOrEqual(room)
  return made
}

describe('publishes made by hand', () => {
  const frames = new Frames({ prefix: 'ops.wire', stream: 'OPSWIRE', inbox: '_INBOX.x.' })

  it('are what the protocol asks for, one after the other', () => {
    const text = Buffer.from(block(frames, [row(7), row(8, '')])).toString()
    const header = (id: string): string =>
      `NATS/1.0\r\nContent-Type: application/cloudevents+json\r\nNats-Expected-Stream: OPSWIRE\r\nNats-Msg-Id: ${id}\r\n\r\n`
    const length = header('4be7').length
    expect(text).toBe(
      `HPUB ops.wire.apic.fabric-a.fault.major _INBOX.x.7 ${length} ${length + 18}\r\n${header('4be7')}{"n":7,"ä":"€"}\r\n` +
        `HPUB ops.wire.apic.fabric-a.fault.major _INBOX.x.8 ${length} ${length}\r\n${header('4be8')}\r\n`,
    )
    expect(frames.payloadBytes(row(7))).toBe(length + 18)
  })

  it('have the header block that the client would make', () => {
    const theirs = headers()
    theirs.set('Content-Type', 'application/cloudevents+json')
    theirs.set('Nats-Expected-Stream', 'OPSWIRE')
    theirs.set('Nats-Msg-Id', '4be7')
    if (!(theirs instanceof MsgHdrsImpl)) throw new Error('another kind of headers')
    const own = Buffer.from(block(frames, [row(7, '')])).toString()
    expect(own).toContain(`\r\n${Buffer.from(theirs.encode()).toString()}\r\n`)
  })

  it.each(['a b', 'a\r\nPUB c 0', '', 'ä'])('never leave for %j, which is no subject', subject => {
    const empty = new Frames({ prefix: '', stream: 'OPSWIRE', inbox: '_INBOX.x.' })
    expect(() => block(empty, [row(1, '{}', subject === '' ? ' ' : subject)])).toThrow('not a subject')
  })
})

describe.each([NEWEST, OLDEST])('publishes made by hand on nats-server %s', version => {
  it('arrive whole, in order with what the client sends', async ({ skip }) => {
    const nats = await startNatsServer({ binary: await natsBinary(version, skip) })
    const connection = await connect({ servers: nats.url, reconnect: false })
    try {
      const inbox = `${createInbox()}.`
      const own = new Frames({ prefix: 'ops', stream: 'OPSWIRE', inbox })
      const heard: Msg[] = []
      connection.subscribe('ops.>', { callback: (_, message) => void heard.push(message) })
      const many = Array.from({ length: 400 }, (_, n) => row(n, `${n} ${'x'.repeat(1000)}`))
      connection.publish('ops.before')
      sendBytes(connection, block(own, many.slice(0, 200)))
      sendBytes(connection, block(own, many.slice(200)))
      connection.publish('ops.after')
      await connection.flush()
      await until(() => heard.length === 402, 'all are there')
      expect(heard[0]?.subject).toBe('ops.before')
      expect(heard[401]?.subject).toBe('ops.after')
      for (const [n, message] of heard.slice(1, -1).entries()) {
        expect(message.subject).toBe('ops.apic.fabric-a.fault.major')
        expect(message.reply).toBe(`${inbox}${n}`)
        expect(message.string()).toBe(`${n} ${'x'.repeat(1000)}`)
        expect(message.headers?.get('Nats-Msg-Id')).toBe(`4be${n}`)
        expect(message.headers?.get('Nats-Expected-Stream')).toBe('OPSWIRE')
      }
    } finally {
      await connection.close()
      await nats.remove()
    }
    expect(() => sendBytes(connection, bytes('PING\r\n'))).toThrow('closed')
  })
})

describe('flights', () => {
  it('are known by numbers that never come again', () => {
    const flights = new Flights()
    const [one, two] = [flights.add(row(1), 10), flights.add(row(2), 20)]
    expect(flights.oldestSentAt).toBe(10)
    expect(flights.get(two)?.seq).toBe(2)
    flights.remove(one)
    expect([flights.get(one), flights.oldestSentAt, flights.any]).toEqual([undefined, 20, true])
    flights.remove(one)
    flights.remove(two)
    expect([flights.oldestSentAt, flights.any]).toEqual([undefined, false])
    expect(flights.add(row(3), 30)).toBe(3)
    for (const number of [0, 1, 2, 4, -1, 1.5, Number.NaN]) expect(flights.get(number)).toBeUndefined()
    flights.clear()
    expect([flights.get(3), flights.oldestSentAt]).toEqual([undefined, undefined])
    expect(flights.add(row(4), 40)).toBe(4)
    expect([flights.get(4)?.seq, flights.oldestSentAt]).toEqual([4, 40])
  })

  it('go on while one is never answered', () => {
    const flights = new Flights()
    const stuck = flights.add(row(1), 1)
    const open: number[] = []
    for (let seq = 2; seq <= 10_000; seq++) {
      open.push(flights.add(row(seq), seq))
      const answered = open.length > 500 ? open.shift() : undefined
      if (answered === undefined) continue
      expect(flights.get(answered)?.seq).toBe(answered)
      flights.remove(answered)
    }
    expect([flights.get(stuck)?.seq, flights.oldestSentAt]).toEqual([1, 1])
    flights.remove(stuck)
    expect(flights.oldestSentAt).toBe(open[0])
    expect(open.map(number => flights.get(number)?.seq)).toEqual(open)
  })
})

describe('acknowledgements', () => {
  it.each([
    ['{"stream":"OPSWIRE","seq":7}', { outcome: 'ok', stream: 'OPSWIRE', seq: 7 }],
    [
      '{"stream":"OPSWIRE","domain":"hub","seq":7,"duplicate": true}',
      { outcome: 'duplicate', stream: 'OPSWIRE', seq: 7 },
    ],
    [
      '{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"},"stream":"OPSWIRE","seq":0}',
      { outcome: 'error', code: 10077, description: 'maximum bytes exceeded' },
    ],
    ['{"error":{"code":429}}', { outcome: 'error', code: 429, description: 'no reason given' }],
    ['{"answer":"of another service"}', undefined],
    ['+OK', undefined],
    ['', undefined],
    ['null', undefined],
  ])('%s', (text, expected) => {
    expect(parseAck(bytes(text))).toEqual(expected)
    expect(new AckReader('OPSWIRE').read(bytes(text))).toEqual(expected)
  })

  it.each([
    ['2.15', '{"stream":"OPSWIRE","seq":'],
    ['2.9', '{"stream":"OPSWIRE", "seq":'],
    ['2.9 with a domain', '{"stream":"OPSWIRE", "domain":"hub", "seq":'],
    ['one that puts other things first', '{"val":"7","stream":"OPSWIRE","seq": '],
  ])('of nats-server %s: with any number, and with anything else about them, they are read as JSON is', (_, begin) => {
    const acks = new AckReader('OPSWIRE')
    const numbers = [
      '7',
      '8',
      '123456',
      '999999999999999',
      '9007199254740991',
      '12345678901234567890',
      '0',
      '07',
      '',
      '-1',
      '1.5',
      '1e3',
      '"9"',
    ]
    const ends = ['}', ' }', ',"duplicate": true}', ',"seq":9}', ',"error":{"code":503}}', '', '}}', '\n']
    for (const number of numbers) {
      for (const end of ends) {
        const text = bytes(`${begin}${number}${end}`)
        expect(acks.read(text), `${begin}${number}${end}`).toEqual(parseAck(text))
      }
    }
  })

  it.each([
    '{"stream":"OTHER","seq":7}',
    '{"stream":"OPSWIRE","seq":7,"x":7}',
    '{"stream":"OPSWIRE","seq":7,"\\"seq":7}',
    '{"stream":"OPSWIRE","seq":7,"x":{"seq":7}}',
    '{"stream":"OPSWIRE","seq":7,"x":"\\"seq":7}',
  ])('after %s too', first => {
    const acks = new AckReader('OPSWIRE')
    for (const text of [
      first,
      first.replaceAll('7', '8'),
      '{"stream":"OPSWIRE","seq":9}',
      first.replaceAll('7', '10'),
    ]) {
      expect(acks.read(bytes(text)), text).toEqual(parseAck(bytes(text)))
    }
  })
})
