/** Distinguished names: what they say of where an object stands. Nothing here throws, whatever the name looks like. */
import type { Resource } from '../../event.ts'
import { flatText } from '../../flat-text.ts'

/** What a name's part tells: the key in `data.resource`, and what kind of thing an object there is. */
interface Part {
  readonly key: string
  readonly kind: string
}

const INTERFACE: Part = { key: 'interface', kind: 'interface' }
const PATH: Part = { key: 'node', kind: 'node' }
const DOMAIN: Part = { key: 'domain', kind: 'domain' }
const FEX: Part = { key: 'fex', kind: 'fex' }

const PARTS: ReadonlyMap<string, Part> = new Map([
  ['pod', { key: 'pod', kind: 'pod' }],
  ['node', { key: 'node', kind: 'node' }],
  ['paths', PATH],
  ['protpaths', PATH],
  ['phys', INTERFACE],
  ['aggr', INTERFACE],
  ['pathep', INTERFACE],
  ['stpathatt', INTERFACE],
  ['if', INTERFACE],
  ['dom', DOMAIN],
  ['l3dom', DOMAIN],
  ['svi', INTERFACE],
  ['lb', INTERFACE],
  ['tunnel', INTERFACE],
  ['mgmt', INTERFACE],
  ['encrtd', INTERFACE],
  ['fex', FEX],
  ['extch', FEX],
  ['extpaths', FEX],
  ['extprotpaths', FEX],
  ['tn', { key: 'tenant', kind: 'tenant' }],
  ['ap', { key: 'application', kind: 'application' }],
  ['epg', { key: 'epg', kind: 'epg' }],
  ['esg', { key: 'esg', kind: 'esg' }],
  ['BD', { key: 'bd', kind: 'bd' }],
  ['subnet', { key: 'subnet', kind: 'subnet' }],
  ['ctx', { key: 'vrf', kind: 'vrf' }],
  ['out', { key: 'l3out', kind: 'l3out' }],
  ['l2out', { key: 'l2out', kind: 'l2out' }],
  ['instP', { key: 'externalEpg', kind: 'externalEpg' }],
  ['brc', { key: 'contract', kind: 'contract' }],
  ['flt', { key: 'filter', kind: 'filter' }],
  ['cep', { key: 'endpoint', kind: 'endpoint' }],
  ['ip', { key: 'ip', kind: 'ip' }],
  ['user', { key: 'user', kind: 'user' }],
  ['remoteuser', { key: 'user', kind: 'user' }],
])

/** How names begin, in brackets or not. */
const NAME = /^(?:uni|topology|sys|comp|fabric)\//

/** Names nest names in brackets; deeper than this is not looked at. */
const DEEPEST = 8

/** The segments of a name; slashes inside brackets don't count. An unclosed bracket runs to the end. */
export function segmentsOf(dn: string): string[] {
  if (!dn.includes('[')) return dn.split('/')
  const segments: string[] = []
  let depth = 0
  let start = 0
  for (let at = 0; at < dn.length; at++) {
    const code = dn.charCodeAt(at)
    if (code === 91) depth++
    else if (code === 93) depth = Math.max(0, depth - 1)
    else if (code === 47 && depth === 0) {
      segments.push(dn.slice(start, at))
      start = at + 1
    }
  }
  segments.push(dn.slice(start))
  return segments
}

/** The name without its last segment; '' for a root. */
export function parentOf(dn: string): string {
  let depth = 0
  for (let at = dn.length - 1; at >= 0; at--) {
    const code = dn.charCodeAt(at)
    if (code === 93) depth++
    else if (code === 91) depth = Math.max(0, depth - 1)
    else if (code === 47 && depth === 0) return dn.slice(0, at)
  }
  return ''
}

/** True when `dn` stands anywhere below `ancestor`. */
export function isBelow(dn: string, ancestor: string): boolean {
  return dn.length > ancestor.length && dn.startsWith(ancestor) && dn.charCodeAt(ancestor.length) === 47
}

/** `F1394` of `…/fault-F1394` and of `…/fd-[…]-fault-F1394`. */
export function faultCodeOf(dn: string): string | undefined {
  return /(?:^|[/-])fault-(F\d+)$/.exec(dn)?.[1]
}

/** What a delegate's own name says that it is about: `…/fd-[AFFECTED]-fault-F0467` → `AFFECTED`. */
export function delegatedIn(dn: string): string | undefined {
  return /(?:^|\/)fd-\[(.+)\]-fault-F\d+$/.exec(dn)?.[1]
}

/** The object that a fault, a health score or a record is about, by its own name: `…/fault-F1394` → `…`. */
export function ownerOf(dn: string): string {
  const match = /\/(?:fault-F\d+|health|fd-\[.*\]-fault-F\d+)$/.exec(dn)
  const owner = match === null ? dn : dn.slice(0, match.index)
  return owner === '' ? dn : owner
}

/**
 * What the name says: kind and id, and the parts by which an alert is routed (pod, node, interface, tenant,
 * application, epg, bd, vrf, …). Names inside brackets add what the outer name doesn't say.
 */
export function resourceOf(dn: string): Resource {
  return knowledgeOf(dn).resource
}

/** As `resourceOf(ownerOf(dn))`. */
export function resourceOfOwner(dn: string): Resource {
  const remembered = owners.get(dn)
  if (remembered !== undefined) return remembered
  const resource = resourceOf(ownerOf(dn))
  remember(owners, dn, resource)
  return resource
}

/** What was found out about a name. Objects are told of again and again: what is read of a name is kept for a while. */
interface Knowledge {
  readonly resource: Resource
  readonly place: string
}

const known = new Map<string, Knowledge>()
/** By the name of the fault, the score or the record: to cut it anew each time, and look that up, costs twice as much. */
const owners = new Map<string, Resource>()
/** So many names are remembered, of at most so many characters; then it begins anew. */
const MOST_KNOWN = 8192
const LONGEST_KNOWN = 400

function remember<T>(what: Map<string, T>, dn: string, of: T): void {
  if (dn.length > LONGEST_KNOWN) return
  if (what.size >= MOST_KNOWN) what.clear()
  what.set(dn, of)
}

function knowledgeOf(dn: string): Knowledge {
  const remembered = known.get(dn)
  if (remembered !== undefined) return remembered
  const parts: Record<string, string> = {}
  const kind = collect(dn, parts, 0)
  // One piece each: they are written into every event of this object.
  for (const key in parts) parts[key] = flatText(parts[key] ?? '')
  // Shared by all that is told of this object.
  const resource: Resource = Object.freeze({
    kind: kind ?? (dn === 'topology' || dn.startsWith('topology/') ? 'fabric' : 'object'),
    id: flatText(dn),
    ...parts,
  })
  const knowledge = { resource, place: flatText(spokenPlace(resource)) }
  remember(known, resource.id, knowledge)
  return knowledge
}

/** True when the last part of the name is one that `placeOf` speaks of, so that nothing of it is left unsaid. */
export function isPlace(dn: string): boolean {
  const own = dn.slice(parentOf(dn).length).replace(/^\//, '')
  const dash = own.indexOf('-')
  // `sys`, `phys`, `health` and the like say nothing by themselves: what is above them counts.
  return dash <= 0 ? true : PARTS.has(own.slice(0, dash))
}

function collect(dn: string, parts: Record<string, string>, depth: number): string | undefined {
  const segments = segmentsOf(dn)
  const inner: string[] = []
  let kind: string | undefined
  for (let index = 0; index < segments.length; index++) {
    const segment = segments[index] ?? ''
    const open = segment.indexOf('[')
    if (open !== -1) inner.push(segment.slice(open + 1, closing(segment, open)))
    const dash = segment.indexOf('-')
    if (dash <= 0) continue
    const prefix = segment.slice(0, dash)
    let part = PARTS.get(prefix)
    if (part === undefined) continue
    let value = segment.slice(dash + 1)
    if (value.startsWith('[')) value = value.slice(1, closing(value, 0))
    else if (part === INTERFACE) {
      // `phys-eth1/7` without its brackets occurs; `uni/phys-name` is a domain.
      const next = segments[index + 1]
      if (/^(eth|po|vlan|lo|tunnel|mgmt)\d/.test(value)) {
        if (next !== undefined && /^\d/.test(next)) value += `/${next}`
      } else if (prefix === 'phys' && segments[index - 1] === 'uni') part = DOMAIN
      else continue
    }
    // A name in brackets is no value: `ctx-[vxlan-1]` and `phys-[eth1/7]` are, `node-[uni/…]` is not.
    if (value === '' || (value.includes('/') && (part === INTERFACE ? NAME.test(value) : part.key !== 'subnet')))
      continue
    parts[part.key] ??= value
    kind = part.kind
  }
  if (depth < DEEPEST) {
    for (const name of inner) {
      if (name === '') continue
      const below = collect(name, parts, depth + 1)
      kind ??= below
    }
  }
  return kind
}

/** Where the bracket that opens at `open` closes; the end if it never does. */
function closing(text: string, open: number): number {
  let depth = 0
  for (let at = open; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 91) depth++
    else if (code === 93 && --depth === 0) return at
  }
  return text.length
}

const SPOKEN: readonly (readonly [key: string, word: string])[] = [
  ['tenant', 'tenant '],
  ['application', 'application '],
  ['epg', 'EPG '],
  ['esg', 'ESG '],
  ['bd', 'BD '],
  ['subnet', 'subnet '],
  ['vrf', 'VRF '],
  ['l3out', 'L3Out '],
  ['l2out', 'L2Out '],
  ['externalEpg', 'external EPG '],
  ['contract', 'contract '],
  ['filter', 'filter '],
  ['endpoint', 'endpoint '],
  ['ip', 'IP '],
  ['user', 'user '],
  ['domain', 'domain '],
]

/** Where to go and look, in a few words: `node-101 eth1/7`, `tenant prod, application shop, EPG web`. */
export function placeOf(resource: Resource): string {
  return known.get(resource.id)?.place ?? spokenPlace(resource)
}

function spokenPlace(resource: Resource): string {
  const words: string[] = []
  for (const [key, word] of SPOKEN) {
    const value = resource[key]
    if (value !== undefined) words.push(`${word}${value}`)
  }
  const { node, pod } = resource
  const port = resource['interface']
  const fex = resource['fex'] === undefined ? '' : ` fex-${resource['fex']}`
  const spot = (node === undefined ? (pod === undefined ? '' : `pod-${pod}`) : `node-${node}`) + fex
  const device = port === undefined ? spot : `${spot} ${port}`.trim()
  if (words.length === 0) return device === '' ? resource.id : device
  return device === '' ? words.join(', ') : `${words.join(', ')} (${device})`
}
