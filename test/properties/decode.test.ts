/** Whatever comes over the socket: it is read, or it is refused as one message. Nothing else is ever thrown. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Poison } from '../../src/errors.ts'
import { decodeAnswer, decodeFrame, type Frame } from '../../src/subscribers/apic/decode.ts'
import { normalise } from '../../src/subscribers/apic/normalise.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 300)
const SOURCE = { system: 'apic', name: 'fabric-a' } as const

/** The frame, or undefined when it was refused as it should be. */
function read(text: string): Frame | undefined {
  try {
    decodeAnswer(text)
  } catch (error) {
    expect(error).toBeInstanceOf(Poison)
  }
  try {
    return decodeFrame(text)
  } catch (error) {
    expect(error).toBeInstanceOf(Poison)
    return undefined
  }
}

/** What is read holds text and nothing else, and can be told of. */
function isSound(frame: Frame): void {
  for (const { content, reason } of frame.unreadable) {
    expect([typeof content, typeof reason]).toEqual(['string', 'string'])
  }
  for (const change of frame.changes) {
    expect([change.cls === '', change.dn === '']).toEqual([false, false])
    for (const value of Object.values(change.attributes)) {
      expect(typeof value === 'string' && value.isWellFormed()).toBe(true)
    }
    const context = { source: SOURCE, raw: true, origin: 'live' } as const
    const { mirror } = normalise(context, change, undefined)
    const later = { ...change, attributes: { ...change.attributes, constructor: 'x', lc: 'raised' } }
    const { fact } = normalise(context, later, mirror?.object ?? undefined)
    for (const { old } of fact?.data.changes ?? []) expect(old === null || typeof old === 'string').toBe(true)
  }
}

const name = fc.oneof(
  fc.constantFrom('dn', 'rn', 'status', 'children', 'attributes', 'error', '__proto__', 'constructor', 'toString', ''),
  fc.constantFrom('faultInst', 'fvTenant', 'eventRecord', 'aaaModLR', 'healthInst', 'severity', 'lc', 'changeSet'),
  fc.string({ unit: 'binary' }),
)
const { value } = fc.letrec(tie => ({
  value: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    fc.string({ unit: 'binary' }),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    tie('bag'),
    tie('list'),
  ),
  bag: fc.dictionary(name, tie('value'), { noNullPrototype: true, maxKeys: 5 }),
  list: fc.array(tie('value'), { maxLength: 4 }),
}))
/** Objects as an APIC tells them, with anything in place of any part. */
const { object } = fc.letrec(tie => ({
  object: fc.oneof(
    { maxDepth: 4 },
    value,
    fc
      .tuple(
        name,
        fc.dictionary(name, fc.oneof(fc.string({ unit: 'binary' }), value), { noNullPrototype: true, maxKeys: 5 }),
        fc.array(tie('object'), { maxLength: 3 }),
      )
      .map(([cls, attributes, children]) => ({ [cls]: { attributes: { dn: 'uni/x', ...attributes }, children } })),
  ),
}))

describe('anything', () => {
  it('any text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.string().map(text => `<imdata ${text}`),
          fc.string().map(text => `{"imdata":${text}`),
        ),
        text => {
          const frame = read(text)
          if (frame !== undefined) isSound(frame)
        },
      ),
      { numRuns },
    )
  })

  it('any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        read(Buffer.from(bytes).toString('utf8'))
      }),
      { numRuns },
    )
  })

  it('any JSON', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.json().map(json => `{"subscriptionId":"1","imdata":[${json}]}`),
        ),
        text => {
          const frame = read(text)
          if (frame !== undefined) isSound(frame)
        },
      ),
      { numRuns },
    )
  })

  it('objects with anything in place of any part: those beside them are read', () => {
    const good = { fvTenant: { attributes: { dn: 'uni/tn-good', status: 'created' } } }
    fc.assert(
      fc.property(fc.array(object, { maxLength: 4 }), fc.oneof(fc.constant('1'), fc.array(value)), (objects, ids) => {
        const text = JSON.stringify({ subscriptionId: ['1', ids], imdata: [...objects, good] })
        const frame = read(text)
        expect(frame?.changes.at(-1)?.dn).toBe('uni/tn-good')
        if (frame !== undefined) isSound(frame)
      }),
      { numRuns },
    )
  })
})

describe('XML and JSON of one notification', () => {
  const word = fc
    .stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,12}$/)
    .filter(text => !(text in Object.prototype) && text !== 'error')
  const text = fc.string({ unit: 'grapheme' }).map(one => one.replace(/\p{Cc}/gu, ' '))
  interface Mo {
    readonly cls: string
    readonly attributes: Record<string, string>
    readonly children: readonly Mo[]
  }
  const attributes = fc.tuple(fc.dictionary(word, text, { maxKeys: 6 }), text)
  const { mo } = fc.letrec<{ mo: Mo }>(tie => ({
    mo: fc.record<Mo>({
      cls: word,
      attributes: attributes.map(([others, rn]) => ({ ...others, dn: '', rn: `r${rn}` })),
      children: fc.oneof({ maxDepth: 3 }, fc.constant<Mo[]>([]), fc.array(tie('mo'), { maxLength: 3 })),
    }),
  }))
  const json = ({ cls, attributes, children }: Mo): object => ({
    [cls]: { attributes, children: children.map(json) },
  })
  const escaped = (one: string): string => one.replace(/[&<>"']/g, sign => `&#${sign.charCodeAt(0)};`)
  const xml = ({ cls, attributes, children }: Mo): string =>
    `<${cls} ${Object.entries(attributes)
      .map(([key, one]) => `${key}="${escaped(one)}"`)
      .join(' ')}>${children.map(xml).join('')}</${cls}>`

  it('give the same changes', () => {
    fc.assert(
      fc.property(mo, fc.array(fc.bigInt({ min: 1n, max: 2n ** 64n }), { minLength: 1 }), (one, ids) => {
        const top = { ...one, attributes: { ...one.attributes, dn: 'uni/top' } }
        const asJson = decodeFrame(JSON.stringify({ subscriptionId: ids.map(String), imdata: [json(top)] }))
        const asXml = decodeFrame(`<?xml version="1.0"?><imdata subscriptionId="${ids.join(',')}">${xml(top)}</imdata>`)
        expect(asXml).toEqual(asJson)
      }),
      { numRuns },
    )
  })
})
