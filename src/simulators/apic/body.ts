/** Objects on the wire: bodies of commands in, answers and frames out, as JSON or XML. */
import { XMLParser } from 'fast-xml-parser'
import type { Attributes } from './model.ts'
import { ApicError } from './refusal.ts'

export type Format = 'json' | 'xml'

/** One object with what hangs below it. */
export interface MoBody {
  readonly className: string
  readonly attributes: Attributes
  readonly children: readonly MoBody[]
}

const CLASS_NAME = /^[A-Za-z][A-Za-z0-9]*$/

function bad(why: string): ApicError {
  return new ApicError(400, '106', `Invalid request body: ${why}`)
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(`${what} is not an object`)
  return value as Record<string, unknown>
}

/** Reads `{"CLASS":{"attributes":{…},"children":[…]}}`. Throws `ApicError` (106). */
export function moOfValue(value: unknown): MoBody {
  const [entry, ...rest] = Object.entries(record(value, 'the object'))
  if (entry === undefined || rest.length > 0) throw bad('one class is expected')
  const [className, content] = entry
  if (!CLASS_NAME.test(className)) throw bad(`'${className}' is not a class name`)
  const { attributes = {}, children = [], ...strange } = record(content, className)
  const extra = Object.keys(strange)[0]
  if (extra !== undefined) throw bad(`'${extra}' in ${className}`)
  if (!Array.isArray(children)) throw bad(`children of ${className} is not a list`)
  const plain: Attributes = {}
  for (const [name, given] of Object.entries(record(attributes, 'attributes'))) {
    if (typeof given === 'object') throw bad(`${className}.${name} is not a string`)
    plain[name] = String(given)
  }
  return { className, attributes: plain, children: children.map(moOfValue) }
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  preserveOrder: true,
  parseAttributeValue: false,
  parseTagValue: false,
  ignoreDeclaration: true,
})

function moOfXml(node: unknown): MoBody {
  const { ':@': attributes = {}, ...tags } = record(node, 'the element')
  const [className, children] = Object.entries(tags)[0] ?? []
  if (className === undefined || className.startsWith('#')) throw bad('an element is expected')
  return {
    className,
    attributes: Object.fromEntries(
      Object.entries(record(attributes, 'attributes')).map(([name, value]) => [name, String(value)]),
    ),
    children: (Array.isArray(children) ? children : [])
      .filter(child => !('#text' in record(child, 'the element')))
      .map(moOfXml),
  }
}

/** Reads a command's body. Throws `ApicError` (106). */
export function readMo(text: string, format: Format): MoBody {
  let value: unknown
  try {
    value = format === 'json' ? JSON.parse(text) : parser.parse(text)
  } catch (error) {
    throw bad(error instanceof Error ? error.message : 'unreadable')
  }
  if (format === 'json') return moOfValue(value)
  if (!Array.isArray(value) || value.length !== 1) throw bad('one element is expected')
  return moOfXml(value[0])
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;')
}

function xmlAttributes(attributes: Readonly<Attributes>): string {
  let text = ''
  for (const [name, value] of Object.entries(attributes)) text += ` ${name}="${escapeXml(value)}"`
  return text
}

/** One object as text, to be put between others. */
export function moText(mo: MoBody, format: Format): string {
  if (format === 'xml') {
    const open = `<${mo.className}${xmlAttributes(mo.attributes)}`
    if (mo.children.length === 0) return `${open}/>`
    return `${open}>${mo.children.map(child => moText(child, 'xml')).join('')}</${mo.className}>`
  }
  const head = `{${JSON.stringify(mo.className)}:{"attributes":${JSON.stringify(mo.attributes)}`
  if (mo.children.length === 0) return `${head}}}`
  return `${head},"children":[${mo.children.map(child => moText(child, 'json')).join(',')}]}}`
}

/** What goes around the objects of an answer. */
export interface Envelope {
  /** Left out by old releases. */
  readonly totalCount?: number | undefined
  readonly subscriptionId?: string | undefined
}

/** An answer's body. All values are strings, `totalCount` too. */
export function answerText(objects: readonly MoBody[], format: Format, envelope: Envelope): string {
  const { totalCount, subscriptionId } = envelope
  if (format === 'xml') {
    const head: Attributes = {
      ...(totalCount === undefined ? {} : { totalCount: String(totalCount) }),
      ...(subscriptionId === undefined ? {} : { subscriptionId }),
    }
    const list = objects.map(mo => moText(mo, 'xml')).join('')
    return `<?xml version="1.0" encoding="UTF-8"?><imdata${xmlAttributes(head)}>${list}</imdata>`
  }
  const head = [
    ...(totalCount === undefined ? [] : [`"totalCount":"${totalCount}"`]),
    ...(subscriptionId === undefined ? [] : [`"subscriptionId":"${subscriptionId}"`]),
  ].map(part => `${part},`)
  return `{${head.join('')}"imdata":[${objects.map(mo => moText(mo, 'json')).join(',')}]}`
}

/** The envelope of a refusal. */
export function errorText(code: string, text: string, format: Format): string {
  return answerText([{ className: 'error', attributes: { code, text }, children: [] }], format, { totalCount: 1 })
}
