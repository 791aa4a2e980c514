/** Durations and sizes as people write them. */
import { z } from 'zod'

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }
const UNIT_BYTES: Record<string, number> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  TB: 1000 ** 4,
}

/** `10s`, `1h30m`, `7d` → ms; undefined when it is not a duration. */
export function parseDuration(text: string): number | undefined {
  if (!new RegExp(DURATION_PATTERN).test(text)) return undefined
  let total = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)) {
    total += Number(amount) * (UNIT_MS[unit ?? ''] ?? Number.NaN)
  }
  return total
}

/** ms → the shortest exact spelling (`90s`, `5m`). */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    const size = UNIT_MS[unit] ?? 1
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`
  }
  return ms === 0 ? '0s' : `${ms}ms`
}

/** `64KiB`, `2GiB` → bytes; undefined when it is not a size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]i?B|B)$/.exec(text)
  if (match === null) return undefined
  return Math.round(Number(match[1]) * (UNIT_BYTES[match[2] ?? ''] ?? Number.NaN))
}

/** bytes → `2GiB`. */
export function formatSize(bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const size = UNIT_BYTES[unit] ?? 1
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`
  }
  return `${bytes}B`
}

const DURATION_PATTERN = '^(\\d+(\\.\\d+)?(ms|[smhdw]))+$'
const SIZE_PATTERN = '^\\d+(\\.\\d+)?\\s*([KMGT]i?B|B)$'

/** A config value such as `10s`; parsed to ms. `min` and `max` are durations too. */
export function duration(min = '0s', max = '3650d') {
  const least = parseDuration(min) ?? 0
  const most = parseDuration(max) ?? Number.POSITIVE_INFINITY
  const range = max === '3650d' ? `at least ${min}` : `from ${min} to ${max}`
  return z
    .string()
    .transform((text, context) => {
      const ms = parseDuration(text)
      if (ms === undefined) {
        context.addIssue({ code: 'custom', message: 'must be a duration such as 10s, 5m, 1h or 7d' })
        return z.NEVER
      }
      if (ms < least || ms > most) {
        context.addIssue({ code: 'custom', message: `must be ${range}` })
        return z.NEVER
      }
      return ms
    })
    .meta({ 'x-unit': 'duration', 'x-range': range, pattern: DURATION_PATTERN })
}

/** A config value such as `2GiB`; parsed to bytes. */
export function size(min = '1B') {
  const least = parseSize(min) ?? 0
  return z
    .string()
    .transform((text, context) => {
      const bytes = parseSize(text)
      if (bytes === undefined) {
        context.addIssue({ code: 'custom', message: 'must be a size such as 64KiB, 500MB or 2GiB' })
        return z.NEVER
      }
      if (bytes < least) {
        context.addIssue({ code: 'custom', message: `must be at least ${min}` })
        return z.NEVER
      }
      return bytes
    })
    .meta({ 'x-unit': 'size', 'x-range': `at least ${min}`, pattern: SIZE_PATTERN })
}

/** A time as people write it, ms: with its zone, a day (of UTC), or a time ago such as `2h`; undefined when it is none of these. */
export function parseTime(text: string, nowMs: number): number | undefined {
  const ago = parseDuration(text)
  if (ago !== undefined) return nowMs - ago
  const ms = /^\d{4}-\d\d-\d\d(T\d\d:\d\d.*(Z|[+-]\d\d:?\d\d))?$/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}
