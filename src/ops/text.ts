/** Text from elsewhere, made fit to be shown: one line, no terminal tricks, no secret in a known shape, bounded. */
import { blanked } from '../unprintable.ts'

const MASK = '********'

const SECRET_NAME = String.raw`[\w-]{0,30}(?:password|passwd|pwd|secret|token|cookie|api[_-]?key|authorization)`

/** Shapes in which a secret travels. No other room should hand one over; this is the second fence, not the first. */
const SECRET_SHAPES: readonly (readonly [RegExp, string])[] = [
  [/\b([a-z][a-z0-9+.-]{0,15}:\/\/)[^\s/@]{1,500}@/gi, `$1${MASK}@`],
  [/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}/gi, `$1 ${MASK}`],
  [new RegExp(String.raw`\b(${SECRET_NAME})=[^\s&;,"']+`, 'gi'), `$1=${MASK}`],
  [new RegExp(String.raw`(["'])(${SECRET_NAME})\1\s{0,3}:\s{0,3}(["'])[^"']*\3`, 'gi'), `"$2":"${MASK}"`],
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+/g, MASK],
]

/** A long run without structure: a session token, a cookie's value. Digests (hex only) are left to be read. */
const OPAQUE = /[A-Za-z0-9+_=-]{40,}/g
/** A long name is made of words (`EPG-Prod-Web-Frontend-Servers-VLAN1234-Site01`): no piece of it is as long as this. */
const PIECE = 16

function hideOpaque(run: string): string {
  const isOpaque = run
    .split(/[-_]/)
    .some(piece => piece.length >= PIECE && /[a-z]/.test(piece) && /[A-Z]/.test(piece) && /\d/.test(piece))
  return isOpaque && !/^[0-9a-fA-F]+$/.test(run) ? MASK : run
}

/** One printable line of at most `max` characters. What looks like a secret is masked. */
export function printable(text: string, max = 500): string {
  // Cut first, with room to spare: the patterns must never see megabytes.
  let line = blanked(text.slice(0, max * 4))
  for (const [shape, mask] of SECRET_SHAPES) line = line.replace(shape, mask)
  line = line.replace(OPAQUE, hideOpaque)
  return line.length > max ? `${line.slice(0, max - 1)}…` : line
}

/** A metric label that is meant to be a word from a small fixed set; anything else is `other`. */
export function word(value: string): string {
  return /^[A-Za-z][A-Za-z0-9_.-]{0,39}$/.test(value) ? value : 'other'
}

/** Wall ms → `2026-02-03T04:05:06.789Z`; null when there is none. */
export function isoTime(ms: number | undefined): string | null {
  return ms === undefined || !Number.isFinite(ms) || Math.abs(ms) > 8.64e15 ? null : new Date(ms).toISOString()
}

/** `text: why`, or the text alone where nobody said why. */
export function joined(text: string, why: string | undefined): string {
  return why === undefined || why === '' ? text : `${text}: ${why}`
}
