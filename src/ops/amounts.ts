/** Amounts as people read them: spans of time, bytes, rates. */
import { formatSize } from '../config/units.ts'

/** `1.5MiB`; small and round ones as the config writes them. */
export function formatBytes(bytes: number): string {
  if (bytes < 10 * 1024) return formatSize(bytes)
  const power = Math.min(4, Math.floor(Math.log2(bytes) / 10))
  return `${Math.round((bytes / 1024 ** power) * 10) / 10}${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`
}

/** Seconds in the two largest units: `3d 4h`, `12m 5s`, `7s`. */
export function span(seconds: number): string {
  if (!Number.isFinite(seconds)) return 'unknown'
  if (seconds < 0) return `-${span(-seconds)}`
  const whole = Math.round(seconds)
  const parts = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3_600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'm'],
    [whole % 60, 's'],
  ] as const
  const first = parts.findIndex(([amount]) => amount > 0)
  if (first === -1) return '0s'
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount}${unit}`)
    .join(' ')
}

/** Events per second: `0/s`, `<0.01/s`, `0.42/s`, `12.3/s`, `1,234/s`. */
export function formatRate(perSecond: number): string {
  if (perSecond === 0) return '0/s'
  if (perSecond < 0.01) return '<0.01/s'
  if (perSecond < 10) return `${perSecond.toFixed(2)}/s`
  return `${perSecond < 100 ? perSecond.toFixed(1) : formatCount(Math.round(perSecond))}/s`
}

/** `1,234,567`. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `1 gap`, `2,000 gaps`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`
}
