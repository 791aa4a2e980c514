/** A query written out as the guide prints it (`raw:`), taken apart. */
import { Fatal } from '../../errors.ts'

export interface Target {
  /** `class/fvTenant`, `mo/uni/tn-prod`, `node/class/…`, `tag/…`: the path after `/api/`, without its suffix. */
  readonly path: string
  readonly kind: 'class' | 'mo' | 'tag' | 'tags-of'
  /** Class, dn or tag. */
  readonly name: string
  /** A class restricted to one switch: the dn of that switch. */
  readonly below: string | undefined
}

/** In the order in which the guide explains them. */
export const OPTION_NAMES = [
  'query-target',
  'target-subtree-class',
  'query-target-filter',
  'rsp-subtree',
  'rsp-subtree-class',
  'rsp-subtree-filter',
  'rsp-subtree-include',
  'rsp-prop-include',
  'order-by',
  'page',
  'page-size',
  'time-range',
] as const

/** Options that are the session's business, and where the config has them. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['refresh-timeout', 'write refresh_timeout beside raw'],
  ['url-token', 'set challenge_token: url on the source'],
  ['challenge', 'set challenge_token on the source'],
])

/**
 * Takes `class/fvTenant.json?rsp-subtree-include=health,required` apart. Also takes the whole URL, and the guide's line
 * breaks and blanks between the parts. Throws `Fatal('config')`, naming the key.
 */
export function parseRaw(raw: string): { target: Target; options: Map<string, string> } {
  // Blanks are no part of a query (guide); inside quotation marks they are.
  const text = raw
    .trim()
    .replace(/"[^"]*"|\s+/g, piece => (piece.startsWith('"') ? piece : ''))
    .replace(/^[a-z]+:\/\/[^/]+/i, '')
    .replace(/^\/+/, '')
    .replace(/^api\/+/, '')
  const mark = text.indexOf('?')
  const path = (mark === -1 ? text : text.slice(0, mark)).replace(/\.(json|xml)$/, '')
  const options = new Map<string, string>()
  for (const part of mark === -1 ? [] : statements(text.slice(mark + 1))) {
    const sign = part.indexOf('=')
    const name = sign === -1 ? part : part.slice(0, sign)
    const elsewhere = ELSEWHERE.get(name)
    if (elsewhere !== undefined) throw new Fatal('config', `raw: ${name}: ${elsewhere}`)
    if (name === 'subscription') continue
    checkName(name)
    if (options.has(name)) throw new Fatal('config', `raw: ${name} is there twice`)
    options.set(name, sign === -1 ? '' : decoded(part.slice(sign + 1)))
  }
  return { target: targetOf(decoded(path)), options }
}

export function classTarget(cls: string): Target {
  return { path: `class/${cls}`, kind: 'class', name: cls, below: undefined }
}

/** Throws `Fatal('config')` for a dn that would not arrive as written. */
export function moTarget(written: string, key = 'mo'): Target {
  const dn = written.replace(/^\/+|\/+$/g, '')
  if (/\.(json|xml)$/.test(dn)) throw new Fatal('config', `${key}: write the DN without .json or .xml`)
  checkPath(dn, key)
  return { path: `mo/${dn}`, kind: 'mo', name: dn, below: undefined }
}

export function tagTarget(name: string): Target {
  return { path: `tag/${name}`, kind: 'tag', name, below: undefined }
}

function targetOf(path: string): Target {
  const [, node = '', kind = '', rest = ''] = /^(node\/)?(class|mo|tag)\/(.+)$/.exec(path) ?? []
  if (rest === '') {
    throw new Fatal('config', `raw: "${path}" can't be subscribed to: it must be class/…, mo/… or tag/…`)
  }
  checkPath(rest, 'raw')
  if (kind === 'mo') return { ...moTarget(rest, 'raw'), path: `${node}mo/${rest}` }
  if (kind === 'tag') {
    const dn = /^mo\/(.+)$/.exec(rest)?.[1]
    return dn === undefined ? tagTarget(rest) : { path, kind: 'tags-of', name: dn, below: undefined }
  }
  const slash = rest.lastIndexOf('/')
  const cls = rest.slice(slash + 1)
  if (!/^[a-z][A-Za-z0-9]*$/.test(cls)) throw new Fatal('config', `raw: "${cls}" is no class name (no colon: fvTenant)`)
  return { path, kind: 'class', name: cls, below: slash === -1 ? undefined : rest.slice(0, slash) }
}

function checkPath(dn: string, key: string): void {
  if (dn === '') throw new Fatal('config', `${key}: an empty DN`)
  if (/(^|\/)\.\.?(\/|$)/.test(dn)) {
    throw new Fatal('config', `${key}: a DN with "." or ".." segments would be rewritten on its way`)
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these must not reach the request line
  if (/[\u0000-\u001f\u007f]/.test(dn)) throw new Fatal('config', `${key}: a DN with control characters`)
}

/** Splits at the `&` outside quotation marks. */
function statements(query: string): string[] {
  return (query.match(/(?:"[^"]*"|[^&])+/g) ?? []).filter(part => part !== '')
}

function decoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, escaped => {
    try {
      return decodeURIComponent(escaped)
    } catch {
      return escaped
    }
  })
}

/** An APIC ignores what it doesn't know, without a word (reference a9): a slip of the pen would never show. */
function checkName(name: string): void {
  const known: readonly string[] = OPTION_NAMES
  if (known.includes(name)) return
  const near = known.find(candidate => distance(candidate, name.toLowerCase().replaceAll('_', '-')) <= 2)
  if (near !== undefined) throw new Fatal('config', `raw: an APIC ignores "${name}" silently: is ${near} meant?`)
  if (!/^[A-Za-z][A-Za-z0-9-]*$/.test(name)) throw new Fatal('config', `raw: "${name}" is no option's name`)
}

/** Letters to insert, delete or replace. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
