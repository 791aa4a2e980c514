/** Which subscriptions a leaf may feed: those end without a word when it reboots (reference a7, b16). */
import type { Query } from './query.ts'

/** Policy: posted to the controllers and kept by them. What is not named here may come from anywhere. */
const POLICY_PREFIX = /^(aaa|l2ext|l3ext|tag|vz)[A-Z]/
const POLICY: ReadonlySet<string> = new Set([
  'fvAEPg',
  'fvAp',
  'fvBD',
  'fvCtx',
  'fvEPg',
  'fvESg',
  'fvRsBd',
  'fvRsCons',
  'fvRsCtx',
  'fvRsDomAtt',
  'fvRsPathAtt',
  'fvRsProv',
  'fvSubnet',
  'fvTenant',
  'mgmtInB',
  'polUni',
  'vnsEPpInfo',
])

/** Endpoints stand below their EPG, in policy, but it is the leaf that learns them. */
const ENDPOINT = /CEp|^fvIp$|^epm[A-Z]/

/** An endpoint right below an object of this name. */
const endpointBelow = (dn: string): string => `${dn}/cep-00:00:00:00:00:00`

function isPolicy(cls: string): boolean {
  return !ENDPOINT.test(cls) && (POLICY.has(cls) || POLICY_PREFIX.test(cls))
}

/**
 * False when the controllers themselves are sure to make everything that this query is told of: a log class (its records
 * are the controllers', and a canary watches it), objects below `uni` other than endpoints, known policy classes.
 */
export function mayBeLeafSourced(query: Query): boolean {
  if (query.logClass !== undefined) return false
  const { classes } = query
  const path = query.path.replace(/^\/api\/(node\/)?/, '')
  const dn = /^(?:tag\/)?mo\/(uni(?:\/.*)?)$/.exec(path)?.[1]
  if (dn !== undefined) {
    return classes === undefined ? query.yields('fvCEp', endpointBelow(dn)) : classes.some(cls => ENDPOINT.test(cls))
  }
  // On one switch, on the topology, by tag: whoever made it.
  if (!/^class\/[^/]+$/.test(path)) return true
  return classes === undefined || !classes.every(isPolicy)
}
