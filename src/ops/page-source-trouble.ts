/** What is not well with one source. Pure. */
import { ERROR_CODES } from '../error-codes.ts'
import { span } from './amounts.ts'
import { GUIDES, type Trouble } from './page-guides.ts'
import type { Level, Times } from './page-parts.ts'
import type { SourceStatus } from './status.ts'

/** A certificate or credential that ends sooner is worth a word, seconds. */
const EXPIRY_SECONDS = 14 * 86_400
/** A credential that was replaced so lately is renewed by something, and may always be short of its end, seconds. */
const RENEWED_SECONDS = 2 * 86_400
/** So long a source may take to come up, or to come back, before it is called wrong, seconds. */
const COMING_SECONDS = 60
/** A lease with less left is renewed late, seconds: as the alert says it. */
const LATE_LEASES = { subscription: 15, lifetime: 60, session: 60 } as const
/** Doubts about one source that are told up here; all of them stand in its own part. */
const DOUBTS = 3

export function levelOf(source: SourceStatus, times: Times): Level {
  if (source.doubts.length > 0) return source.required && !isComing(source, times) ? 'bad' : 'watch'
  return source.up && source.state === 'up' ? 'ok' : 'watch'
}

/** It has just been started, and nothing has gone wrong with it so far. */
function isComing({ state, since, doubts, lastError }: SourceStatus, times: Times): boolean {
  const young = since !== null && -times.secondsUntil(since) < COMING_SECONDS
  return doubts.length > 0 && young && lastError === null && (state === 'connecting' || state === 'up')
}

export function troubleOf(source: SourceStatus, times: Times): Trouble[] {
  const { name, doubts, lastError, required } = source
  const part = `source-${name}`
  const found: Trouble[] = []
  if (doubts.length > 0) {
    const coming = isComing(source, times)
    // Without a session the one doubt is the state itself, with its reason.
    const prefix = `${source.state}: `
    const closed = doubts[0] === source.state || doubts[0]?.startsWith(prefix) === true
    const why = closed ? [(doubts[0] ?? '').slice(prefix.length)] : doubts
    const more = why.length > DOUBTS ? `; and ${why.length - DOUBTS} more` : ''
    const code = !closed || lastError === null ? '' : `${plain(ERROR_CODES[lastError.code].todo)} `
    const next = source.nextTrySeconds === null ? '' : `It is tried again ${soon(source.nextTrySeconds)}.`
    found.push({
      level: required && !coming ? 'bad' : 'watch',
      part,
      what: `${name} is ${source.state === 'up' ? 'up, but not all of it' : source.state}`,
      since: source.since,
      why: `${why.slice(0, DOUBTS).join('; ')}${more}`,
      todo:
        `${code}${next}` ||
        (coming
          ? 'Wait: it has just been started.'
          : 'Look at its feeds below: each tells its last error and its last proof of life.'),
      see: GUIDES.source,
    })
  }
  if (doubts.length === 0 && source.state !== 'up') {
    found.push({
      ...{ level: 'watch', what: `${name} is ${source.state}`, part, since: source.since, see: GUIDES.source },
      why: lastError === null ? '' : `${lastError.text} (${lastError.code})`,
      todo: 'Nothing speaks against any of its feeds: see whether it passes.',
    })
  }
  if (source.pausedSince !== null) {
    found.push({
      ...{
        level: 'watch',
        what: `The socket of ${name} is held back`,
        part,
        since: source.pausedSince,
        see: GUIDES.held,
      },
      why: 'more is pushed than can be stored',
      todo: 'See the store below. A pause that outlasts a subscription (60 s) becomes a gap where a class has no log.',
    })
  }
  const late = source.session === null || source.system !== 'apic' ? [] : lateLeases(source)
  if (late.length > 0) {
    found.push({
      ...{ level: 'watch', what: `Renewals of ${name} come late`, part, why: late.join(', '), see: GUIDES.lease },
      todo: 'See whether the controller is slow. When a lease lapses, opswire subscribes anew and asks for what it missed.',
    })
  }
  if (!source.tlsVerified) {
    const clear = source.address.startsWith('http:')
    found.push({
      ...{ level: 'watch', what: `${name} is asked without protection`, part, see: GUIDES.tls },
      why: clear ? 'the connection is NOT encrypted' : 'the certificate is NOT verified (tls.verify: false)',
      todo: `Anyone on the way can read the password: ${clear ? 'use https:' : 'set tls.ca_file or tls.fingerprint_sha256'}.`,
    })
  }
  for (const [what, expiry] of [
    ['certificate', source.certificateExpiry],
    ['credential', source.credentialExpiry],
  ] as const) {
    if (expiry === null || times.secondsUntil(expiry) > EXPIRY_SECONDS) continue
    const seconds = times.secondsUntil(expiry)
    const { credentialRenewed } = source
    const renewed = credentialRenewed !== null && -times.secondsUntil(credentialRenewed) < RENEWED_SECONDS
    if (what === 'credential' && renewed && seconds > 0) continue
    found.push({
      ...{ level: 'watch', part, see: GUIDES[what] },
      what: `The ${what} of ${name} ${seconds < 0 ? 'has run out' : 'runs out'}`,
      why: `${times.age(expiry)}, at ${times.clock(expiry)}`,
      todo: RENEW[what],
    })
  }
  return found
}

const RENEW = {
  certificate: 'Renew it at the source, or in front of it: nothing is asked there once it is over.',
  credential: 'Put a new one in its place: a secret in a file is read again at the next login.',
} as const

function soon(seconds: number): string {
  return seconds < 1 ? 'now' : `in ${span(seconds)}`
}

function lateLeases({ leases }: SourceStatus): string[] {
  return Object.entries(LATE_LEASES).flatMap(([lease, least]) => {
    const left = leases[lease as keyof typeof LATE_LEASES]
    if (left === undefined || left >= least) return []
    return [left < 0 ? `${lease}: lapsed ${span(-left)} ago` : `${lease}: ${span(left)} left`]
  })
}

/** Markdown as plain words. */
function plain(markdown: string): string {
  return markdown.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '')
}
