/** What a URL asks for. */
import type { Format } from './body.ts'
import type { Model } from './model.ts'
import { concreteOf, type Target } from './query.ts'
import type { Operation } from './record.ts'
import { ApicError, badQuery } from './refusal.ts'

export type Route = {
  readonly operation: Operation
  readonly format: Format
  /** The raw query string. */
  readonly query: string
  /** Where: path without `/api/` and suffix, decoded. */
  readonly path: string
}

/** The API method behind each name: `/api/NAME.json`. */
const METHODS: Readonly<Record<string, Operation>> = {
  aaaLogin: 'login',
  aaaRefresh: 'refresh',
  aaaLogout: 'logout',
  aaaListDomains: 'domains',
  subscriptionRefresh: 'subscriptionRefresh',
}

/**
 * Takes a raw request target apart. The guide prints doubled slashes before and after `api`; they count once.
 * undefined: nothing that the API serves.
 */
export function routeOf(method: string, url: string): Route | undefined {
  const cut = url.indexOf('?')
  const raw = cut < 0 ? url : url.slice(0, cut)
  const query = cut < 0 ? '' : url.slice(cut + 1)
  let decoded: string
  try {
    decoded = decodeURIComponent(raw)
  } catch {
    return undefined
  }
  const match = /^\/+api\/+(.+)\.(json|xml)$/s.exec(decoded)
  if (match === null) return undefined
  const path = match[1] ?? ''
  const format = match[2] === 'xml' ? 'xml' : 'json'
  const named = Object.hasOwn(METHODS, path) ? METHODS[path] : undefined
  if (named !== undefined) return { operation: named, format, query, path }
  if (!/^(?:node\/)?(?:mo|class|tag)(?:\/|$)/.test(path)) return { operation: 'unknown', format, query, path }
  const isTag = path.startsWith('tag/')
  let operation: Operation
  if (method === 'GET') operation = /(?:^|[&?])subscription=yes(?:[&?]|$)/.test(query) ? 'subscribe' : 'query'
  else if (isTag) operation = 'tag'
  else operation = method === 'POST' ? 'post' : 'delete'
  return { operation, format, query, path }
}

/** The DN of `mo/DN`, '' for `mo` alone. Throws when the path is another. */
export function dnOf(path: string): string {
  const match = /^(?:node\/)?mo(?:\/(.*))?$/s.exec(path)
  if (match === null) throw new ApicError(400, '400', `The method is not supported for ${path}`)
  return match[1] ?? ''
}

/** What a GET looks at. Throws `ApicError`. */
export function targetOf(path: string, model: Model): Target {
  const inClass = /^(?:node\/)?class\/(?:(topology\/pod-\d+\/node-\d+)\/)?([^/]+)$/.exec(path)
  if (inClass !== null) {
    const className = inClass[2] ?? ''
    return { kind: 'class', className, classes: new Set(concreteOf(className, model)), node: inClass[1] ?? '' }
  }
  const tags = /^tag\/mo\/(.+)$/s.exec(path)
  if (tags !== null) return { kind: 'tags', dn: tags[1] ?? '' }
  const tagged = /^tag\/([^/]+)$/.exec(path)
  if (tagged !== null) return { kind: 'tagged', name: tagged[1] ?? '' }
  const dn = dnOf(path)
  if (dn === '') throw badQuery('No dn in the path')
  return { kind: 'mo', dn }
}
