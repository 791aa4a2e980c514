/** APIC's XML, brought into the shape of its JSON, so that there is one decoder. */
import { Poison } from '../../errors.ts'
import { xmlParser } from '../xml-parser.ts'

/** What `preserveOrder` gives: one key is the element's name, `:@` holds its attributes. */
type Node = Readonly<Record<string, unknown>>

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** Deeper than any tree of managed objects: beyond it the parser refuses, which also guards our recursion. */
const DEEPEST = 100

// Entities are decoded here and not by the parser: it leaves numeric ones alone and would expand a document's own.
const parse = xmlParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseAttributeValue: false,
  parseTagValue: false,
  trimValues: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  processEntities: false,
  maxNestedTags: DEEPEST,
})

/**
 * `<imdata totalCount="…" subscriptionId="…"><fvTenant dn="…"/></imdata>` as
 * `{ totalCount, subscriptionId, imdata: [{ fvTenant: { attributes, children } }] }`; several ids stay joined by commas.
 * Throws `Poison` when it is not XML, or not APIC's (a proxy's HTML page, a document type).
 */
export function parseXml(text: string): Record<string, unknown> {
  if (/<!DOCTYPE|<!ENTITY/i.test(text.slice(0, 2048))) throw new Poison('not APIC XML: a document type (HTML?)')
  let nodes: readonly Node[]
  try {
    nodes = parse(text, true) as readonly Node[]
  } catch {
    // The parser's message quotes the document: kept out, reasons are published.
    throw new Poison('not well-formed XML, or nested too deep')
  }
  const root = nodes.find(node => 'imdata' in node)
  if (root === undefined) throw new Poison('not APIC XML: no imdata element')
  return { ...attributesOf(root), imdata: childrenOf(root, 'imdata') }
}

function attributesOf(node: Node): Record<string, string> {
  const found: Record<string, string> = {}
  const given = node[':@']
  if (typeof given !== 'object' || given === null) return found
  for (const [name, value] of Object.entries(given)) found[name] = decodeEntities(String(value)).toWellFormed()
  return found
}

function childrenOf(node: Node, name: string): unknown[] {
  const children = node[name]
  if (!Array.isArray(children)) return []
  const found: unknown[] = []
  for (const child of children as readonly Node[]) {
    const cls = Object.keys(child).find(key => key !== ':@')
    if (cls === undefined || cls.startsWith('#')) continue
    found.push({ [cls]: { attributes: attributesOf(child), children: childrenOf(child, cls) } })
  }
  return found
}

function decodeEntities(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return ENTITIES[String(name).toLowerCase()] ?? whole
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}
