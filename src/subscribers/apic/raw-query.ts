/** What a question aims at, and a question written out as the guide prints it (`raw:`), taken apart. */
import { nearest } from '../../config/nearest.ts'
import { CLASS, colonless } from '../../config/query.ts'
import { segmentsOf } from './dn.ts'
import { shown, unaskable, unsendable } from './unaskable.ts'

export interface Target {
  /** `class/fvTenant`, `mo/uni/tn-prod`, `node/class/…`, `tag/…`: the path after `/api/`, without its suffix. */
  readonly path: string
  /** `method`: an API method that only asks. */
  readonly kind: 'class' | 'mo' | 'tag' | 'tags-of' | 'method'
  /** Class, dn, tag or method. */
  readonly name: string
  /** A class restricted to one switch: the dn of that switch. */
  readonly below: string | undefined
}

/** In the order in which the guide's examples print them. */
export const OPTION_NAMES = [
  'query-target',
  'target-subtree-class',
  'query-target-filter',
  'rsp-subtree',
  'rsp-subtree-class',
  'rsp-subtree-include',
  'rsp-subtree-filter',
  'rsp-prop-include',
  'order-by',
  'page',
  'page-size',
  'time-range',
] as const

/** The key of the config: `filter` for `query-target-filter`, else the guide's name with `_` for `-`. */
export function configKey(name: string): string {
  return name === 'query-target-filter' ? 'filter' : name.replaceAll('-', '_')
}

/** Options that are the session's business, and where the config has them. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['refresh-timeout', 'write refresh_timeout beside raw'],
  ['url-token', 'set challenge_token: url on the source'],
  ['challenge', 'set challenge_token on the source'],
  ['id', 'subscriptions are refreshed by opswire itself'],
])

/** Methods of the API that the session calls by itself, or that change something. */
const SESSION = /^(aaaLogin|aaaRefresh|aaaLogout|subscriptionRefresh|webtokenSession|requestAppToken)$/
/** What is asked of anybody, without a subscription. */
const ASKED = 'aaaListDomains'

/**
 * Takes `class/fvTenant.json?rsp-subtree-include=health,required` apart. Also takes the whole URL, `GET` before it, and
 * the guide's line breaks and blanks between the parts. Throws `Unaskable` (config), naming the key.
 */
export function parseRaw(raw: string): { target: Target; options: Map<string, string> } {
  const why = unsendable(raw.replace(/[\r\n\t]/g, ' '))
  if (why !== undefined) throw unaskable('raw', why)
  const text = closedUp(withoutVerb(raw), 'raw')
    .replace(/^[a-z]+:\/\/[^/?"]+/i, '')
    .replace(/^\/+/, '')
    .replace(/^api\/+/, '')
  const mark = text.indexOf('?')
  const path = (mark === -1 ? text : text.slice(0, mark)).replace(/\.(json|xml)$/, '')
  const options = new Map<string, string>()
  for (const part of mark === -1 ? [] : statements(text.slice(mark + 1))) {
    const sign = part.indexOf('=')
    const name = sign === -1 ? part : part.slice(0, sign)
    const elsewhere = ELSEWHERE.get(name)
    if (elsewhere !== undefined) throw unaskable('raw', `${name}: ${elsewhere}`)
    if (name === 'subscription') continue
    checkName(name)
    if (options.has(name)) throw unaskable('raw', `${name} is there twice`)
    options.set(name, sign === -1 ? '' : decoded(part.slice(sign + 1)))
  }
  return { target: targetOf(decoded(path)), options }
}

function withoutVerb(raw: string): string {
  const text = raw
    .trim()
    .replace(/^GET\s+/, '')
    .replace(/\s+HTTP\/1\.[01]$/, '')
  const verb = /^(POST|DELETE|PUT)\s/.exec(text)
  if (verb !== null) throw unaskable('raw', `${verb[1]} changes something: opswire only asks (GET)`)
  return text
}

/**
 * The text without the blanks around `& ? = ( , | )`: the guide breaks its lines where one statement, or one argument, ends.
 * A blank anywhere else is part of a value, and a value with a blank needs quotation marks: throws `Unaskable`, naming `key`.
 */
export function closedUp(text: string, key: string): string {
  const closed = text
    .trim()
    .split(/("[^"]*")/)
    .map((piece, index) => (index % 2 === 1 ? piece : piece.replace(/\s*([?&=(),|])\s*/g, '$1')))
    .join('')
  const blank = closed.split(/"[^"]*"/).find(piece => /\s/.test(piece))
  if (blank !== undefined) throw unaskable(key, `a blank in ${shown(blank)}: a statement may hold none (guide)`)
  return closed
}

/** `fvTenant`, `topology/pod-1/node-101/ethpmPhysIf`, also with `node/class/` before it, as the URI spells it. */
export function classTarget(written: string, key = 'class'): Target {
  const [, node = '', rest = ''] = /^(node\/)?(?:class\/)?(.+)$/s.exec(written) ?? []
  const slash = rest.lastIndexOf('/')
  const [cls, below] = [rest.slice(slash + 1), slash === -1 ? undefined : rest.slice(0, slash)]
  if (!CLASS.test(cls)) {
    throw unaskable(key, `${shown(cls)} is no class name: it ${colonless(cls) ?? 'must be spelled like fvTenant'}`)
  }
  if (below !== undefined && !/^topology\/pod-\d+\/node-\d+$/.test(below)) {
    throw unaskable(key, `${shown(below)} is no switch that a class could be asked of: topology/pod-1/node-101`)
  }
  return { path: `${node}class/${rest}`, kind: 'class', name: cls, below }
}

/** Throws `Unaskable` (config) for a dn that would not arrive as written. `node/mo/` may stand before it, as in the URI. */
export function moTarget(written: string, key = 'mo'): Target {
  const [, node = '', rest = ''] = /^(node\/mo\/)?(.*)$/s.exec(written) ?? []
  const dn = rest.replace(/^\/+|\/+$/g, '')
  if (/\.(json|xml)$/.test(dn)) throw unaskable(key, 'write the DN without .json or .xml')
  if (key === 'mo' && /^(https?:\/\/|api\/|mo\/|class\/)/.test(dn)) {
    throw unaskable(key, 'write the DN alone: uni/tn-prod; what the guide prints goes into raw')
  }
  if (key === 'mo' && /\?[a-z-]+=/.test(dn)) {
    throw unaskable(key, 'write the options with their own keys, such as query_target; the DN stands alone')
  }
  checkPath(dn, key)
  return { path: `${node === '' ? '' : 'node/'}mo/${dn}`, kind: 'mo', name: dn, below: undefined }
}

/** Throws `Unaskable` (config) for a name that would not arrive as written. */
export function tagTarget(name: string, key = 'tag'): Target {
  if (name.includes('/')) throw unaskable(key, `${shown(name)} is no name of a tag`)
  checkPath(name, key)
  return { path: `tag/${name}`, kind: 'tag', name, below: undefined }
}

function targetOf(path: string): Target {
  const [, node = '', kind = '', rest = ''] = /^(node\/)?(class|mo|tag)\/(.+)$/s.exec(path) ?? []
  if (path === ASKED) return { path, kind: 'method', name: path, below: undefined }
  if (SESSION.test(path)) throw unaskable('raw', `${path} is the session's business: opswire calls it by itself`)
  if (rest === '') throw unaskable('raw', `${shown(path)} must be class/…, mo/… or tag/…`)
  if (kind === 'mo') return moTarget(`${node === '' ? '' : 'node/mo/'}${rest}`, 'raw')
  if (kind === 'class') return classTarget(`${node}class/${rest}`, 'raw')
  const dn = /^mo\/(.+)$/s.exec(rest)?.[1]
  if (dn === undefined) return tagTarget(rest, 'raw')
  checkPath(dn, 'raw')
  return { path, kind: 'tags-of', name: dn, below: undefined }
}

function checkPath(dn: string, key: string): void {
  if (dn === '') throw unaskable(key, 'an empty DN')
  if (/(^|\/)\.\.?(\/|$)/.test(dn)) {
    throw unaskable(key, 'a DN with "." or ".." segments would be rewritten on its way')
  }
  // A web server makes one slash of two.
  if (segmentsOf(dn).includes('')) throw unaskable(key, 'a DN with an empty segment (//) would be rewritten on its way')
  const why = unsendable(dn)
  if (why !== undefined) throw unaskable(key, `${shown(dn)} ${why}`)
}

/** Splits at the `&` outside quotation marks. */
function statements(query: string): string[] {
  const parts = (query.match(/(?:"[^"]*"|[^&])+/g) ?? []).filter(part => part !== '')
  for (const part of parts) {
    if (part.replace(/"[^"]*"/g, '').includes('?')) throw unaskable('raw', 'a second ?: statements are joined by &')
  }
  return parts
}

function decoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, escaped => {
    try {
      return decodeURIComponent(escaped)
    } catch {
      throw unaskable('raw', `${escaped} is no character`)
    }
  })
}

/** An APIC ignores what it doesn't know, without a word (reference a9): a slip of the pen would never show. */
function checkName(name: string): void {
  if ((OPTION_NAMES as readonly string[]).includes(name)) return
  const near = nearest(name, OPTION_NAMES)
  const told = near === undefined ? `there are ${OPTION_NAMES.join(', ')}` : `is ${near} meant?`
  throw unaskable('raw', `an APIC ignores ${shown(name)} without a word: ${told}`)
}
