/** The shipped alert rules as they are read, and as they run where nobody can wait for minutes. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse } from 'yaml'

const SHIPPED = resolve(import.meta.dirname, '../../config/prometheus')

export interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: { readonly severity: string }
  readonly annotations: Readonly<Record<'summary' | 'description' | 'runbook_url', string>>
}

/** All of them, in the order of the file. */
export function readRules(): Rule[] {
  const { groups } = parse(shipped('opswire.rules.yaml')) as { groups: { rules: Rule[] }[] }
  return groups.flatMap(group => group.rules)
}

export function shipped(name: string): string {
  return readFileSync(join(SHIPPED, name), 'utf8')
}

/**
 * The same rules, or the example for Alertmanager, with less patience: every duration (`for`, a range, an offset, a wait of Alertmanager) and every
 * `time() - N` of a source's start by this factor. Nothing else: what is compared, and with which number, stays as it is shipped.
 */
export function hurried(text: string, factor: number): string {
  const units: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 }
  const shorter = (count: string, unit: string): string =>
    `${Math.max(1, Math.round((Number(count) * (units[unit] ?? 1) * 1000) / factor))}ms`
  return text
    .replaceAll(
      /^(\s*(?:for|group_wait|group_interval|repeat_interval): )(\d+)([smhd])$/gm,
      (_, key, count, unit) => key + shorter(count, unit),
    )
    .replaceAll(/\[(\d+)([smhd])\]/g, (_, count, unit) => `[${shorter(count, unit)}]`)
    .replaceAll(/ offset (\d+)([smhd])\b/g, (_, count, unit) => ` offset ${shorter(count, unit)}`)
    .replaceAll(
      /(opswire_source_start_timestamp_seconds > time\(\) - )(\d+)/g,
      (_, before, seconds) => before + Number(seconds) / factor,
    )
}
