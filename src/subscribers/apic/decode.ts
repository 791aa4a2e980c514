/**
 * What an APIC sends, decoded: answers to requests and frames of the socket, JSON or XML.
 * Ids are 64-bit decimals above 2^53 and stay text from end to end (reference a7).
 */
import { Poison } from '../../errors.ts'
import { parseXml } from './xml.ts'

/** One object as an answer shows it. */
export interface ApicObject {
  readonly cls: string
  readonly attributes: Record<string, string>
  readonly children: readonly ApicObject[]
}

export interface ApicAnswer {
  readonly objects: readonly ApicObject[]
  /** All matches, when the answer is one page of them; undefined when the release doesn't say. */
  readonly totalCount: number | undefined
  readonly subscriptionId: string | undefined
  /** An error body, which also comes under HTTP 200. `code` is APIC's own number, not the HTTP status. */
  readonly error: { readonly code: string; readonly text: string } | undefined
}

/** One object that a push, or a snapshot, tells of. */
export interface Change {
  readonly cls: string
  readonly dn: string
  /** `modified` holds only what changed, `deleted` only the identity (reference a8). */
  readonly attributes: Record<string, string>
  readonly status: 'created' | 'modified' | 'deleted'
  /** Set on a `modified` whose attributes were completed by asking for the dn. */
  readonly whole?: true
}

export interface Frame {
  readonly subscriptionIds: readonly string[]
  readonly changes: readonly Change[]
  /** What of the frame could not be read, for the dead letters. All else of it goes on. */
  readonly unreadable: readonly Unreadable[]
}

/** A part of a frame, as JSON (the whole frame where it can't be spelt out), and why; the reason quotes nothing. */
export interface Unreadable {
  readonly reason: string
  readonly content: string
}

type Bag = Readonly<Record<string, unknown>>

/** Deeper than any tree of managed objects; guards the recursion. */
const DEEPEST = 100

/** Thrown by `word` and caught by `reading`: the text has a bare number, whose digits must be read again, exactly. */
const BARE_NUMBER = new Error('bare number')

const SURROGATE = /\\u[dD][89a-fA-F]/

const ONE_ID = /^\d+$/

const NO_OBJECT = 'an object without class, dn or attributes'
const TOO_DEEP = 'objects nested too deep'
const AN_ERROR = 'a frame that holds an error'

/**
 * An answer to a request. An error body becomes `error`, whatever the HTTP status was. The flat list of
 * `aaaListDomains` becomes objects of class `domain`. Throws `Poison` when it is neither JSON nor XML of an APIC.
 */
export function decodeAnswer(text: string): ApicAnswer {
  return reading(text, envelope => {
    const objects: ApicObject[] = []
    let error: ApicAnswer['error']
    for (const entry of imdataOf(envelope)) {
      for (const object of objectsOf(entry, 0)) {
        if (object.cls === 'error') {
          error ??= { code: object.attributes['code'] ?? '', text: object.attributes['text'] ?? '' }
        } else objects.push(object)
      }
    }
    const total = envelope['totalCount']
    const count = total === undefined ? Number.NaN : Number.parseInt(word(total), 10)
    return {
      objects,
      totalCount: Number.isNaN(count) ? undefined : count,
      subscriptionId: idsOf(envelope['subscriptionId'])[0],
      error,
    }
  })
}

/**
 * A frame of the socket. Nested children become changes of their own (dn = parent's dn + '/' + rn). A missing or
 * empty status is a whole object, so `created`. Throws `Poison` when the frame as a whole can't be understood; the
 * reason never quotes the frame.
 */
export function decodeFrame(text: string): Frame {
  return reading(text, envelope => {
    const subscriptionIds = idsOf(envelope['subscriptionId'])
    if (subscriptionIds.length === 0) throw new Poison('a frame without a subscriptionId')
    const changes: Change[] = []
    const unreadable: Unreadable[] = []
    const into: Unfolding = {
      changes,
      bury: (reason, part) => {
        const content = spelt(part) ?? text
        if (!unreadable.some(one => one.content === content)) unreadable.push({ reason, content })
      },
    }
    for (const entry of imdataOf(envelope)) {
      if (isBag(entry) && Object.keys(entry).length > 0) {
        for (const cls in entry) unfold(into, cls, entry[cls], undefined, 'created', 0)
      } else into.bury(NO_OBJECT, entry)
    }
    if (changes.length === 0 && unreadable.length > 0 && unreadable.every(({ reason }) => reason === AN_ERROR)) {
      throw new Poison(AN_ERROR)
    }
    return { subscriptionIds, changes, unreadable }
  })
}

/**
 * The objects of an answer and their nested children as whole objects (`created`). What has no dn is no managed
 * object (a count, for one) and is left out.
 */
export function changesOf(objects: readonly ApicObject[]): Change[] {
  const changes: Change[] = []
  const visit = (object: ApicObject, parent: string | undefined): void => {
    const dn = dnOf(object.attributes, parent)
    if (dn === undefined) return
    changes.push({ cls: object.cls, dn, attributes: withDn(object.attributes, dn), status: 'created' })
    for (const child of object.children) visit(child, dn)
  }
  for (const object of objects) visit(object, undefined)
  return changes
}

/** Parses by the first byte, and once more with exact digits if a bare number is met. */
function reading<T>(text: string, read: (envelope: Bag) => T): T {
  // Only an escape can make half a surrogate pair: what came over the wire is whole.
  const envelope = parse(text, text.includes('\\u') && SURROGATE.test(text) ? exact : undefined)
  try {
    return read(envelope)
  } catch (error) {
    if (error !== BARE_NUMBER) throw error
    return read(parse(text, exact))
  }
}

function parse(text: string, reviver: ((key: string, value: unknown) => unknown) | undefined): Bag {
  let at = 0
  // Blanks, and a byte order mark.
  while (at < text.length && (text.charCodeAt(at) <= 32 || text.charCodeAt(at) === 0xfeff)) at++
  const first = text.charCodeAt(at)
  if (first === 60) return parseXml(at === 0 ? text : text.slice(at))
  if (first !== 123) throw new Poison('neither JSON nor XML')
  let value: unknown
  try {
    value = JSON.parse(at === 0 ? text : text.slice(at), reviver)
  } catch {
    // V8's message quotes the text: kept out, reasons are published.
    throw new Poison('not well-formed JSON')
  }
  if (!isBag(value)) throw new Poison('not an object')
  return value
}

/** A number as it is spelt: `Number` would round ids. Text as it can be stored: half a surrogate pair can't. */
function exact(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  return typeof value === 'number' ? (context?.source ?? String(value)) : value
}

function imdataOf(envelope: Bag): readonly unknown[] {
  const imdata = envelope['imdata']
  if (!Array.isArray(imdata)) throw new Poison('no imdata')
  return imdata
}

function idsOf(value: unknown): readonly string[] {
  if (value === undefined || value === null || value === '') return []
  // Nearly every frame has one, alone in a list.
  if (Array.isArray(value) && value.length === 1 && typeof value[0] === 'string' && ONE_ID.test(value[0])) return value
  // Joined in XML; taken apart wherever it stands.
  return (Array.isArray(value) ? value : [value]).flatMap(id => word(id).split(/[\s,]+/)).filter(id => id !== '')
}

function objectsOf(entry: unknown, depth: number): ApicObject[] {
  if (!isBag(entry) || depth > DEEPEST) return []
  const found: ApicObject[] = []
  let flat = false
  for (const cls in entry) {
    const body = entry[cls]
    if (!isBag(body)) {
      flat = true
      continue
    }
    const children = body['children']
    found.push({
      cls,
      attributes: words(body['attributes']) ?? {},
      children: Array.isArray(children) ? children.flatMap(child => objectsOf(child, depth + 1)) : [],
    })
  }
  if (flat && found.length === 0) found.push({ cls: 'domain', attributes: words(entry) ?? {}, children: [] })
  return found
}

/** Where the objects of one frame go. */
interface Unfolding {
  readonly changes: Change[]
  /** A part that can't be read, and why. */
  readonly bury: (reason: string, part: unknown) => void
}

function unfold(
  into: Unfolding,
  cls: string,
  body: unknown,
  parent: string | undefined,
  inherited: Change['status'],
  depth: number,
): void {
  // Below what can't be read only what names itself can be; the rest is buried with it.
  const bury = (reason: string, part: unknown = { [cls]: body }): void => {
    if (depth === 0 || parent !== undefined) into.bury(reason, part)
  }
  if (depth > DEEPEST || cls === 'error') return void bury(cls === 'error' ? AN_ERROR : TOO_DEEP)
  if (!isBag(body) || cls === '' || cls === '__proto__') return void bury(NO_OBJECT)
  const attributes = words(body['attributes'])
  const dn = attributes === undefined ? undefined : dnOf(attributes, parent)
  let status = inherited
  if (attributes === undefined || dn === undefined) bury(NO_OBJECT)
  else {
    status = statusOf(attributes['status'], inherited)
    into.changes.push({ cls, dn, attributes: withDn(attributes, dn), status })
  }
  const { children } = body
  if (children === undefined || children === null || children === '') return
  if (!Array.isArray(children)) return void bury('children that are no list')
  // What stands below a deleted object is gone with it; otherwise a child without a status is shown whole.
  const below = status === 'deleted' ? 'deleted' : 'created'
  for (const child of children) {
    if (isBag(child)) for (const name in child) unfold(into, name, child[name], dn, below, depth + 1)
    else if (dn !== undefined) bury(NO_OBJECT, child)
  }
}

function statusOf(status: string | undefined, otherwise: Change['status']): Change['status'] {
  if (status === 'modified' || status === 'created' || status === 'deleted') return status
  if (status === undefined || status === '') return otherwise
  // POST bodies may carry a comma list (reference a8). An unknown word is taken as the mildest: laid over what is known.
  if (status.includes('deleted')) return 'deleted'
  return status.includes('created') ? 'created' : 'modified'
}

function dnOf(attributes: Readonly<Record<string, string>>, parent: string | undefined): string | undefined {
  const dn = attributes['dn']
  if (dn !== undefined && dn !== '') return dn
  const rn = attributes['rn']
  return parent === undefined || rn === undefined || rn === '' ? undefined : `${parent}/${rn}`
}

function withDn(attributes: Record<string, string>, dn: string): Record<string, string> {
  return attributes['dn'] === dn ? attributes : { ...attributes, dn }
}

/** Attributes are text, every one (reference a2); anything else is spelt out. The usual case copies nothing. */
function words(value: unknown): Record<string, string> | undefined {
  if (!isBag(value)) return undefined
  for (const name in value) {
    if (typeof value[name] === 'string' && name !== '__proto__') continue
    const plain: Record<string, string> = {}
    // No property is called `__proto__`, and nobody downstream should have to think of one that is.
    for (const [key, item] of Object.entries(value)) if (key !== '__proto__') plain[key] = word(item)
    return plain
  }
  return value as Record<string, string>
}

function word(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') throw BARE_NUMBER
  if (value === null || value === undefined) return ''
  return typeof value === 'boolean' ? String(value) : (spelt(value) ?? '')
}

/** As JSON; undefined for what is nested deeper than the stack. */
function spelt(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

function isBag(value: unknown): value is Bag {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
